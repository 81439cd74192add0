/// @file
/// What the methods of TaskPipeline throw.
///
/// @verbatim
/// std::invalid_argument            InvalidArgumentError: the caller's arguments, by field
/// std::runtime_error
///   PipelineError                  everything else; catch this one to catch them all
///     ConnectionError              no broker answers, or the client was closed
///     TimeoutError                 the call's own time passed; tasks go on
///     UnknownTaskError             there is no task with that id
///     TaskCancelledError           waited for a task that was cancelled
///     RefusedError                 the broker said no: `code()` and `field()` say why
///       BatchSubmitError           some tasks of a batch were accepted and some were not
///     HealthCheckError             "Health check failed: …"
/// @endverbatim
///
/// A task that failed is a result and throws nothing. `what()` is a sentence that names the remedy.
/// Exceptions are values: they may be copied, kept and thrown on any thread.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/model/error.hpp"

namespace taskpipe {

/// An argument is unacceptable. Thrown before anything is sent, but for what only the broker can
/// judge: a script that no worker has, an item that is larger than it accepts.
class InvalidArgumentError : public std::invalid_argument {
 public:
  /// `field` is the place at fault: "tool", "tasks[3].params.grid[2]", "timeout", …
  InvalidArgumentError(const std::string& text, std::string field)
      : std::invalid_argument(text), field_(std::move(field)) {}
  /// The place at fault.
  [[nodiscard]] const std::string& field() const { return field_; }

 private:
  std::string field_;
};

/// The base of everything that is not the arguments' fault.
class PipelineError : public std::runtime_error {
 public:
  /// `text` is what `what()` says.
  explicit PipelineError(const std::string& text, std::string task_id = {})
      : std::runtime_error(text), task_id_(std::move(task_id)) {}
  /// The task concerned, or empty. Of a submit that was sent and never acknowledged: the id under
  /// which it may have been accepted. `Client::submit` with that id cannot run it twice.
  [[nodiscard]] const std::string& task_id() const { return task_id_; }

 private:
  std::string task_id_;
};

/// No broker answers within the connect timeout, or the client was closed.
class ConnectionError : public PipelineError {
 public:
  using PipelineError::PipelineError;  ///< as of the base
};

/// The call's own time has passed; the task, if any, goes on.
class TimeoutError : public PipelineError {
 public:
  using PipelineError::PipelineError;  ///< as of the base
};

/// There is no task with that id, or it is somebody else's.
class UnknownTaskError : public PipelineError {
 public:
  using PipelineError::PipelineError;  ///< as of the base
};

/// The task that was waited for was cancelled, so that there is no result.
class TaskCancelledError : public PipelineError {
 public:
  using PipelineError::PipelineError;  ///< as of the base
};

/// Tasks cannot be run now; `what()` begins with "Health check failed: ".
class HealthCheckError : public PipelineError {
 public:
  using PipelineError::PipelineError;  ///< as of the base
};

/// The broker said no.
class RefusedError : public PipelineError {
 public:
  /// `text` is what `what()` says; `field` may be empty.
  RefusedError(const std::string& text, ErrorCode code, std::string field, std::string task_id = {})
      : PipelineError(text, std::move(task_id)), code_(code), field_(std::move(field)) {}
  [[nodiscard]] ErrorCode code() const { return code_; }  ///< why: unsatisfiable, storage, …
  [[nodiscard]] const std::string& field() const { return field_; }  ///< at fault; empty: none

 private:
  ErrorCode code_;
  std::string field_;
};

/// Some tasks of a batch were not accepted. `what()` is about the first task that was not accepted.
class BatchSubmitError : public RefusedError {
 public:
  /// One that was not accepted.
  struct Refusal {
    std::size_t index = 0;  ///< into the tasks of the call
    std::string text;       ///< why, in a sentence
    std::string task_id;    ///< as PipelineError::task_id: it may have been accepted; else empty
  };
  /// `first` gives text, code and field.
  BatchSubmitError(const RefusedError& first, std::vector<std::string> accepted,
                   std::vector<Refusal> refused)
      : RefusedError(first), accepted_(std::move(accepted)), refused_(std::move(refused)) {}
  /// Ids of the tasks that were accepted, in the order of the call: they are durable and will run.
  [[nodiscard]] const std::vector<std::string>& accepted() const { return accepted_; }
  /// The tasks that were not, by ascending index; never empty.
  [[nodiscard]] const std::vector<Refusal>& refused() const { return refused_; }

 private:
  std::vector<std::string> accepted_;
  std::vector<Refusal> refused_;
};

}  // namespace taskpipe
