#include "worker/shell/input_fetcher.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace taskpipe::worker {

InputFetcher::InputFetcher(net::Context& context, const bulk::AccessHolder& access,
                           InputCache cache, Millis patience)
    : cache_(std::move(cache)),
      patience_(patience),
      thread_([this, &context, &access] { work(context, access); }) {}

InputFetcher::~InputFetcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_one();
  thread_.join();
}

void InputFetcher::fetch(const AttemptKey& attempt, TaskSpecPtr spec, Done done) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({attempt, std::move(spec), std::move(done)});
  }
  ready_.notify_one();
}

void InputFetcher::give_up(const AttemptKey& attempt) {
  const std::lock_guard lock(mutex_);
  if (fetching_ == attempt) fetching_ = AttemptKey{};
  std::erase_if(queue_, [&](const Job& job) { return job.attempt == attempt; });
}

bool InputFetcher::is_wanted(const AttemptKey& attempt) {
  const std::lock_guard lock(mutex_);
  return !stopping_ && fetching_ == attempt;
}

void InputFetcher::work(net::Context& context, const bulk::AccessHolder& access) {
  bulk::BulkPeer peer(context, [&access] { return access.get(); });
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      fetching_ = job.attempt;
    }
    Fetched fetched = fetch_now(peer, job);
    bool wanted = false;
    {
      const std::lock_guard lock(mutex_);
      wanted = !stopping_ && fetching_ == job.attempt;
      fetching_ = AttemptKey{};
    }
    if (wanted) {
      job.done(std::move(fetched));
    } else if (fetched) {
      for (const auto& input : *fetched) ::unlink(input.source.c_str());
    }
  }
}

InputFetcher::Fetched InputFetcher::fetch_now(bulk::BulkPeer& peer, const Job& job) {
  if (auto downloaded = download(peer, job); !downloaded) {
    return tl::unexpected(std::move(downloaded.error()));
  }
  std::vector<RunPlan::Input> inputs;
  for (const TaskInput& input : job.spec->inputs) {
    auto staged = cache_.stage(input);
    if (!staged) {
      for (const auto& earlier : inputs) ::unlink(earlier.source.c_str());
      return tl::unexpected(std::move(staged.error()));
    }
    inputs.push_back({input.name, std::move(*staged), input.sha256});
  }
  cache_.make_room(job.spec->inputs);
  return inputs;
}

tl::expected<void, Error> InputFetcher::download(bulk::BulkPeer& peer, const Job& job) {
  std::vector<const TaskInput*> missing;
  std::vector<bulk::DownloadFile> files;
  for (const TaskInput& input : job.spec->inputs) {
    const bool twice = std::any_of(missing.begin(), missing.end(), [&](const TaskInput* other) {
      return other->sha256 == input.sha256;
    });
    if (twice || cache_.has(input)) continue;
    auto place = cache_.place_for(input.sha256);
    if (!place) return tl::unexpected(std::move(place.error()));
    missing.push_back(&input);
    files.push_back({input.sha256, input.size_bytes, std::move(*place), false});
  }
  if (files.empty()) return {};
  bulk::Patience patience;
  patience.without_progress = patience_;
  patience.keep_going = [this, attempt = job.attempt] { return is_wanted(attempt); };
  const auto results = peer.get(std::move(files), patience);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i]) continue;
    return tl::unexpected(Error{results[i].error().code,
                                "input '" + missing[i]->name + "' (SHA-256 " + missing[i]->sha256 +
                                    ") could not be fetched: " + results[i].error().text,
                                "inputs." + missing[i]->name});
  }
  return {};
}

}  // namespace taskpipe::worker
