#include "worker/exec/finisher.hpp"

#include <algorithm>
#include <utility>

#include "common/process/sha256.hpp"
#include "common/protocol/value_codec.hpp"
#include "worker/exec/artifacts.hpp"

namespace taskpipe::worker {
namespace {

constexpr std::size_t kHashSliceBytes = 16U << 20U;

// What the task brought along and left as it was.
bool was_there_before(const FinishJob& job, const Artifact& artifact) {
  const auto is_input = [&](const RunPlan::Input& input) {
    return input.name == artifact.name && input.sha256 == artifact.sha256;
  };
  const auto is_file = [&](const RunPlan::File& file) {
    return file.name == artifact.name && file.content.size() == artifact.size_bytes &&
           process::sha256_hex(file.content.text()) == artifact.sha256;
  };
  return std::any_of(job.inputs.begin(), job.inputs.end(), is_input) ||
         std::any_of(job.files.begin(), job.files.end(), is_file);
}

}  // namespace

Payload encode_fitting(RunReport& report) {
  while (true) {
    auto encoded = protocol::encode_report(report);
    if (encoded) return std::move(*encoded);
    if (!report.artifacts.empty()) {
      report.artifacts.resize(report.artifacts.size() / 2);
    } else if (!report.stdout_tail.empty() || !report.stderr_tail.empty()) {
      report.stdout_tail.clear();
      report.stderr_tail.clear();
    } else {
      return {};
    }
  }
}

// A job that has been looked at: its artifacts are known, their hashes are being made.
struct Finisher::Active {
  explicit Active(FinishJob from)
      : job(std::move(from)), hasher(job.report.artifacts, job.report.directory, job.owner) {
    job.report.artifacts = find_artifacts(job.report.directory, job.artifact_globs, job.owner);
  }
  FinishJob job;
  ArtifactHasher hasher;
};

Finisher::Finisher(Done done, ArtifactKeeper* keeper)
    : done_(std::move(done)), keeper_(keeper), thread_([this] { run(); }) {}

Finisher::~Finisher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Finisher::submit(FinishJob job) {
  {
    const std::lock_guard lock(mutex_);
    submitted_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Finisher::run() {
  std::deque<std::unique_ptr<Active>> active;
  std::deque<FinishJob> fresh;
  bool stopping = false;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return !active.empty() || !submitted_.empty() || stopping_; });
      fresh.swap(submitted_);
      stopping = stopping_;
    }
    if (stopping && active.empty() && fresh.empty()) return;
    for (; !fresh.empty(); fresh.pop_front()) {
      active.push_back(std::make_unique<Active>(std::move(fresh.front())));
    }
    // A slice for each in turn; new jobs are looked at in between.
    for (std::size_t turns = active.size(); turns > 0; --turns) {
      auto job = std::move(active.front());
      active.pop_front();
      if (!stopping && job->hasher.step(kHashSliceBytes)) {
        active.push_back(std::move(job));
      } else {
        deliver(*job);
      }
    }
  }
}

void Finisher::deliver(Active& active) {
  std::erase_if(active.job.report.artifacts,
                [&](const Artifact& artifact) { return was_there_before(active.job, artifact); });
  auto deliver = [done = done_](FinishJob job) {
    job.outcome.report = encode_fitting(job.report);
    done(job.run, std::move(job.outcome));
  };
  if (keeper_ != nullptr) {
    keeper_->keep(std::move(active.job), std::move(deliver));
  } else {
    deliver(std::move(active.job));
  }
}

}  // namespace taskpipe::worker
