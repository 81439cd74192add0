// Workflows on their way to the broker: in parts, in order, committed by the last one.
//
// At most limits::kMaxWorkflowPartsInFlight parts of one workflow are unacknowledged, which bounds
// what the broker has to buffer; the submit credit does not apply, because WORKFLOW_ACK carries
// none. A part that stays unanswered is sent again from where the broker says it is; a new session
// starts from the first part, since a broker forgets unfinished workflows when it stops.
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
  void on_ack(const WorkflowAck& ack, MonotonicTime now, Effects& out);
  void on_error(Correlation correlation, const Error& error, MonotonicTime now, Effects& out);

  void flush(MonotonicTime now, SessionId session, Effects& out);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  [[nodiscard]] bool idle() const { return uploads_.empty(); }

 private:
  struct Upload {
    command::UploadWorkflow workflow;
    Correlation correlation;       // of every part
    std::uint32_t next = 0;        // first task that was not sent since the last rewind
    std::uint32_t received = 0;    // as the broker said
    std::uint32_t unanswered = 0;  // parts sent and not acknowledged since the last rewind
    std::uint32_t rewinds = 0;     // without progress
    bool committed = false;        // the last part was sent at least once
    bool resend = false;
    MonotonicTime due;  // when it rewinds
    MonotonicTime paused_until;
  };
  using Uploads = std::map<CallId, Upload>;

  void send_part(Upload& upload, SessionId session, Effects& out);
  void refuse(Uploads::iterator upload, const Error& error, MonotonicTime now, Effects& out);

  CorrelationSource& correlations_;
  Jitter& jitter_;
  Uploads uploads_;
  BatchLimits limits_;
};

}  // namespace taskpipe::client
