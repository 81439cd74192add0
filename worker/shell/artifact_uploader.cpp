#include "worker/shell/artifact_uploader.hpp"

#include <utility>

#include "common/model/limits.hpp"
#include "common/process/sha256.hpp"
#include "worker/exec/attempt_directory.hpp"

namespace taskpipe::worker {
namespace {

// The report has all of it, byte for byte.
bool is_in_report(const Artifact& artifact, const RunReport& report) {
  const std::string* tail = nullptr;
  if (artifact.name == kStdoutFile) tail = &report.stdout_tail;
  if (artifact.name == kStderrFile) tail = &report.stderr_tail;
  return tail != nullptr && tail->size() == artifact.size_bytes &&
         process::sha256_hex(*tail) == artifact.sha256;
}

bool is_below(const std::string& path, const std::string& folder) {
  return !folder.empty() && path.size() > folder.size() && path.starts_with(folder) &&
         path[folder.size()] == '/';
}

}  // namespace

std::vector<std::size_t> mark_artifacts(RunReport& report, const std::string& shared_dir) {
  std::vector<std::size_t> wanted;
  for (std::size_t i = 0; i < report.artifacts.size(); ++i) {
    Artifact& artifact = report.artifacts[i];
    if (is_below(artifact.path, shared_dir)) {
      artifact.shared = true;
    } else if (artifact.size_bytes == 0 || is_in_report(artifact, report)) {
      continue;
    } else if (artifact.sha256.empty()) {
      artifact.problem = "it could not be hashed, and stayed on its node";
    } else {
      wanted.push_back(i);
    }
  }
  return wanted;
}

ArtifactUploader::ArtifactUploader(UploaderOptions options, process::Logger& logger)
    : options_(std::move(options)), logger_(logger) {}

ArtifactUploader::~ArtifactUploader() { close(); }

void ArtifactUploader::open(net::Context& context, const bulk::AccessHolder& access) {
  const std::lock_guard lock(mutex_);
  open_ = true;
  for (std::size_t i = 0; i < limits::kUploadThreads; ++i) {
    threads_.emplace_back([this, &context, &access] { work(context, access); });
  }
}

void ArtifactUploader::close() {
  {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  ready_.notify_all();
  for (auto& thread : std::exchange(threads_, {})) thread.join();
  for (auto& job : std::exchange(queue_, {})) hand_back(std::move(job), "its worker stopped");
}

void ArtifactUploader::keep(FinishJob job, Done done) {
  std::vector<std::size_t> wanted = mark_artifacts(job.report, options_.shared_dir);
  if (!job.keep || wanted.empty()) return done(std::move(job));
  Job entry{std::move(job), std::move(done), std::move(wanted)};
  {
    const std::lock_guard lock(mutex_);
    if (open_) {
      uploading_.insert(entry.finish.run);
      queue_.push_back(std::move(entry));
      ready_.notify_one();
      return;
    }
  }
  hand_back(std::move(entry), "its worker stopped");
}

void ArtifactUploader::hand_back(Job job, const std::string& why) {
  for (const std::size_t i : job.wanted) {
    Artifact& artifact = job.finish.report.artifacts[i];
    if (!artifact.stored && artifact.problem.empty()) artifact.problem = why;
  }
  job.done(std::move(job.finish));
}

void ArtifactUploader::give_up(RunNumber run) {
  const std::lock_guard lock(mutex_);
  if (uploading_.contains(run)) given_up_.insert(run);
}

bool ArtifactUploader::is_wanted(RunNumber run) {
  const std::lock_guard lock(mutex_);
  return open_ && !given_up_.contains(run);
}

void ArtifactUploader::work(net::Context& context, const bulk::AccessHolder& access) {
  bulk::BulkPeer peer(context, [&access] { return access.get(); });
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return !open_ || !queue_.empty(); });
      if (!open_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    const RunNumber run = job.finish.run;
    upload(peer, job);
    {
      const std::lock_guard lock(mutex_);
      uploading_.erase(run);
      given_up_.erase(run);
    }
    hand_back(std::move(job), "its upload was given up");
  }
}

void ArtifactUploader::upload(bulk::BulkPeer& peer, Job& job) {
  std::vector<bulk::UploadFile> files;
  files.reserve(job.wanted.size());
  for (const std::size_t i : job.wanted) {
    const Artifact& artifact = job.finish.report.artifacts[i];
    files.push_back(
        {artifact.path, artifact.sha256, artifact.size_bytes,
         [directory = job.finish.report.directory, name = artifact.name, owner = job.finish.owner] {
           return process::open_beneath(directory, name, owner);
         }});
  }
  bulk::Patience patience;
  patience.without_progress = options_.patience;
  patience.keep_going = [this, run = job.finish.run] { return is_wanted(run); };
  const auto results = peer.put(std::move(files), patience);
  std::size_t failed = 0;
  for (std::size_t k = 0; k < results.size(); ++k) {
    Artifact& artifact = job.finish.report.artifacts[job.wanted[k]];
    artifact.stored = results[k].has_value();
    if (!artifact.stored) {
      ++failed;
      artifact.problem = results[k].error().text;
    }
  }
  if (failed == 0) return;
  logger_.warning("artifacts stay on this node",
                  {{"directory", job.finish.report.directory},
                   {"files", std::to_string(failed)},
                   {"why", job.finish.report.artifacts[job.wanted.front()].problem}});
}

}  // namespace taskpipe::worker
