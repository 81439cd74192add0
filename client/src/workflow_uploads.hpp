// Workflows on their way to the broker: in parts, in order, committed by the last one.
//
// At most limits::kMaxWorkflowPartsInFlight parts of one workflow are unacknowledged, which bounds
// what the broker has to buffer; the submit credit does not apply, because WORKFLOW_ACK carries
// none. Sending again always starts over with the first part: to a broker that makes it forget the
// parts it has, or say that it has accepted the whole. Each such round has its own correlation, so
// that answers to an earlier one cannot be taken for answers to this one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "client/src/backoff.hpp"
#include "client/src/batch_builder.hpp"
#include "client/src/call.hpp"
#include "client/src/correlation.hpp"
#include "client/src/delivery.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

class WorkflowUploads {
 public:
  WorkflowUploads(CorrelationSource& correlations, Jitter& jitter)
      : correlations_(correlations), jitter_(jitter) {}

  void add(CallId call, command::UploadWorkflow&& workflow);
  // The error tells whether the workflow may have been accepted.
  void fail(CallId call, ClientError why, Effects& out);
  void forget(CallId call) { uploads_.erase(call); }

  void on_welcome(const Welcome& welcome);
  void on_ack(Correlation correlation, const WorkflowAck& ack, MonotonicTime now, Effects& out);
  void on_error(Correlation correlation, const Error& error, MonotonicTime now, Effects& out);

  void flush(MonotonicTime now, SessionId session, Effects& out);
  // Why the broker does not take this workflow at present; nothing = it does, as far as known.
  [[nodiscard]] std::optional<Error> held_back(CallId call) const;
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  [[nodiscard]] bool idle() const { return uploads_.empty(); }

 private:
  struct Upload {
    command::UploadWorkflow workflow;
    Correlation round;             // of every part since the last start; 0 = none was sent
    std::uint32_t next = 0;        // first task that was not sent in this round
    std::uint32_t unanswered = 0;  // parts sent in this round less answers: the window
    std::uint32_t restarts = 0;    // without any answer in between
    bool committed = false;        // the last part was sent at least once
    bool doubtful = false;         // an earlier round was sent: the flag RESEND
    MonotonicTime due;             // when it starts over
    MonotonicTime paused_until;
    std::optional<Error> held_back;  // the last answer was that

    // Something of this round was sent. Not a matter of `unanswered`: an answer that comes twice
    // counts down twice, and what was lost is sent again all the same.
    [[nodiscard]] bool under_way() const { return next > 0; }
  };
  using Uploads = std::map<CallId, Upload>;

  [[nodiscard]] Uploads::iterator find_round(Correlation correlation);
  void start_over(Upload& upload);
  void send_part(Upload& upload, SessionId session, Effects& out);
  void refuse(Uploads::iterator upload, const Error& error, MonotonicTime now, Effects& out);

  CorrelationSource& correlations_;
  Jitter& jitter_;
  Uploads uploads_;
  BatchLimits limits_;
};

}  // namespace taskpipe::client
