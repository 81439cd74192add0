#include <utility>

#include "common/model/messages.hpp"

namespace taskpipe {

Message::Message() noexcept = default;
Message::Message(const Message& other) = default;
Message::Message(Message&& other) noexcept = default;
Message& Message::operator=(const Message& other) = default;
Message& Message::operator=(Message&& other) noexcept = default;
Message::~Message() = default;

template <AlternativeOf<MessageVariant> T>
Message::Message(T value) noexcept : MessageVariant(std::move(value)) {}

template Message::Message(Who) noexcept;
template Message::Message(Hello) noexcept;
template Message::Message(Welcome) noexcept;
template Message::Message(Ping) noexcept;
template Message::Message(Pong) noexcept;
template Message::Message(Bye) noexcept;
template Message::Message(ErrorReply) noexcept;
template Message::Message(Submit) noexcept;
template Message::Message(SubmitAck) noexcept;
template Message::Message(SubmitWorkflow) noexcept;
template Message::Message(WorkflowAck) noexcept;
template Message::Message(Wait) noexcept;
template Message::Message(Done) noexcept;
template Message::Message(Query) noexcept;
template Message::Message(Rows) noexcept;
template Message::Message(Resubmit) noexcept;
template Message::Message(ResubmitAck) noexcept;
template Message::Message(Cancel) noexcept;
template Message::Message(CancelAck) noexcept;
template Message::Message(Fetch) noexcept;
template Message::Message(Chunk) noexcept;
template Message::Message(ToolsRequest) noexcept;
template Message::Message(ToolsReply) noexcept;
template Message::Message(WorkersRequest) noexcept;
template Message::Message(WorkersReply) noexcept;
template Message::Message(HealthRequest) noexcept;
template Message::Message(HealthReply) noexcept;
template Message::Message(Reconcile) noexcept;
template Message::Message(Credit) noexcept;
template Message::Message(Tasks) noexcept;
template Message::Message(TasksAck) noexcept;
template Message::Message(Recall) noexcept;
template Message::Message(Returned) noexcept;
template Message::Message(Started) noexcept;
template Message::Message(Progress) noexcept;
template Message::Message(Log) noexcept;
template Message::Message(Result) noexcept;
template Message::Message(ResultAck) noexcept;
template Message::Message(Kill) noexcept;
template Message::Message(Drain) noexcept;
template Message::Message(Drained) noexcept;
template Message::Message(Events) noexcept;
template Message::Message(Watch) noexcept;
template Message::Message(WatchCredit) noexcept;
template Message::Message(Snapshot) noexcept;
template Message::Message(Snap) noexcept;
template Message::Message(BulkHello) noexcept;
template Message::Message(BulkWelcome) noexcept;
template Message::Message(Put) noexcept;
template Message::Message(PutState) noexcept;
template Message::Message(PutData) noexcept;
template Message::Message(Get) noexcept;
template Message::Message(GetData) noexcept;
template Message::Message(GetCredit) noexcept;
template Message::Message(BulkCancel) noexcept;

}  // namespace taskpipe
