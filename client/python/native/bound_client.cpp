#include "client/python/native/bound_client.hpp"

#include <unistd.h>

#include <utility>

namespace taskpipe::python {

BoundClient::BoundClient(ClientOptions options)
    : options_(std::move(options)), slot_(fresh_slot()) {}

BoundClient::~BoundClient() {
  Slot* const slot = slot_.load();
  if (slot->process == ::getpid()) delete slot;
}

BoundClient::Slot* BoundClient::fresh_slot() const {
  return new Slot{::getpid(), std::make_shared<Client>(options_)};
}

std::shared_ptr<Client> BoundClient::client() {
  Slot* slot = slot_.load();
  if (slot->process != ::getpid()) {
    Slot* const fresh = fresh_slot();
    if (closed_) fresh->client->close();
    // Another thread of this child may have been faster; then its slot counts.
    if (slot_.compare_exchange_strong(slot, fresh)) return fresh->client;
    delete fresh;
  }
  return slot->client;
}

void BoundClient::close() {
  closed_ = true;
  client()->close();
}

}  // namespace taskpipe::python
