// Requests with one reply: asked again by each new session, and when the broker was busy.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "client/src/call.hpp"
#include "client/src/correlation.hpp"
#include "client/src/delivery.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

class RequestTable {
 public:
  explicit RequestTable(CorrelationSource& correlations) : correlations_(correlations) {}

  void add(CallId call, Message request);
  void forget(CallId call);

  void on_welcome();
  // False when no open request has this correlation, or when `reply` is not of the kind that it
  // expects: then nothing happened.
  bool on_reply(Correlation correlation, Message&& reply, MonotonicTime now, Effects& out);
  void on_error(Correlation correlation, const Error& error, MonotonicTime now, Effects& out);

  void flush(MonotonicTime now, SessionId session, Effects& out);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  [[nodiscard]] bool idle() const { return requests_.empty(); }

 private:
  struct Request {
    CallId call;
    Message message;
    bool sent = false;  // in this session
    MonotonicTime not_before;
    CancelAck gathered;       // of acknowledgements that announced another one
    ResubmitAck resubmitted;  // what is settled of it; `message` holds the rest
  };

  [[nodiscard]] static bool gather(CancelAck& ack, Request& request);
  [[nodiscard]] static bool gather(ResubmitAck& ack, Request& request);
  void ask_later(Correlation correlation, Request& request, const std::optional<Error>& why,
                 MonotonicTime now);

  CorrelationSource& correlations_;
  std::unordered_map<Correlation, Request> requests_;
  std::unordered_map<CallId, Correlation> by_call_;
  std::vector<Correlation> unsent_;
};

}  // namespace taskpipe::client
