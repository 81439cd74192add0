// Every bound of the system, by name. Sizes in bytes, durations in milliseconds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace taskpipe::limits {

// --- Wire ---------------------------------------------------------------------------------------
inline constexpr std::size_t kMaxFrameBytes = 4U << 20U;  // ZMQ_MAXMSGSIZE: one frame
inline constexpr std::size_t kMaxPayloadBytes =
    (4U << 20U) - 1024;                                      // params, inline script, result
inline constexpr std::size_t kMaxInlinePayloadBytes = 4096;  // larger ones travel as a blob frame
inline constexpr std::size_t kMaxResultBytes = 1U << 20U;    // a larger result becomes an artifact
inline constexpr std::size_t kMaxBatchItems = 256;           // items in one message
inline constexpr std::size_t kMaxBatchBytes = 256U << 10U;   // body and blobs, before one more item
inline constexpr std::size_t kMaxBlobs = 64;                 // blob frames in one message
inline constexpr std::size_t kMaxBodyDepth = 8;              // nesting of a body
inline constexpr std::size_t kMaxHelloAttempts = 16384;      // running + unacknowledged in HELLO
inline constexpr std::size_t kMaxToolsPerWorker = 1024;
inline constexpr std::size_t kMaxScriptsPerTool = 1024;
inline constexpr std::size_t kMaxQueryRows = 1000;
inline constexpr std::size_t kMaxLogChunkBytes = 64U << 10U;
inline constexpr std::size_t kMaxTopicBytes = 200;          // longer ones corrupt subscriptions
inline constexpr std::size_t kMaxMalformedPerSession = 10;  // then BYE

// --- Text fields --------------------------------------------------------------------------------
inline constexpr std::size_t kMaxNameBytes = 128;  // tool, label key, resource, host, user
inline constexpr std::size_t kMaxScriptNameBytes = 512;
inline constexpr std::size_t kMaxTextBytes = 1024;  // messages, reasons, descriptions
inline constexpr std::size_t kMaxLabels = 64;
inline constexpr std::size_t kMaxNamedResources = 32;
inline constexpr std::size_t kMaxMetrics = 64;       // in one progress report
inline constexpr std::size_t kMaxPlacements = 4096;  // nodes one attempt occupies

// --- Values (params, results) -------------------------------------------------------------------
inline constexpr std::size_t kMaxValueDepth = 32;

// --- Workflows ----------------------------------------------------------------------------------
inline constexpr std::size_t kMaxWorkflowTasks = 100'000;
inline constexpr std::size_t kMaxDependenciesPerTask = 1024;
inline constexpr std::size_t kMaxWorkflowDependencies = 4'000'000;  // of all its tasks together
inline constexpr std::size_t kMaxWorkflowBytes = 32U << 20U;  // params and scripts of one workflow
inline constexpr std::size_t kMaxPartialWorkflows = 64;       // per session, parts still missing

// --- Liveness -----------------------------------------------------------------------------------
inline constexpr std::uint32_t kHeartbeatMs = 2000;
inline constexpr std::uint32_t kLeaseMs = 30'000;
inline constexpr std::uint32_t kMissedBeatsUntilSuspect = 3;
inline constexpr std::uint32_t kMaxWorkerLosses = 3;  // of one task; then it ends in `error`

// --- Flow control -------------------------------------------------------------------------------
inline constexpr std::uint64_t kClientWindowItems = 65'536;  // submits in flight per session
inline constexpr std::uint64_t kClientWindowBytes = 64ULL << 20U;
inline constexpr std::uint64_t kWorkerWindowTasks = 4096;  // unstarted work a worker holds
inline constexpr std::uint64_t kWorkerWindowBytes = 32ULL << 20U;
inline constexpr std::uint32_t kPrefetchBelowMeanUs = 10'000;  // mean run time that allows prefetch
inline constexpr std::uint32_t kBusyRetryMs = 1000;
inline constexpr std::uint64_t kHistoryLagMaxTasks = 2'000'000;  // finished, not yet in history
inline constexpr std::size_t kMaxSessions = 20'000;
inline constexpr std::size_t kMaxLookupsInFlight = 4096;
inline constexpr std::size_t kMaxHistoryPageBytes = 16U << 20U;  // params and reports of one page
inline constexpr std::size_t kMaxSignatures = 65'536;            // distinct requirements queued
inline constexpr std::size_t kMaxQueryScan = 10'000;             // live tasks looked at per QUERY
inline constexpr std::size_t kMaxWatchedTasks = 100'000;         // `id.` topics subscribed to
inline constexpr std::size_t kMaxSubscribedTopics = 10'000;      // other topics
inline constexpr std::size_t kMaxLogFollowers = 10'000;          // FETCHes that follow
inline constexpr std::size_t kMaxForwardedFetches = 4096;        // FETCHes asked of workers

// --- Execution ----------------------------------------------------------------------------------
inline constexpr std::uint32_t kDefaultGraceMs = 5000;  // SIGTERM → SIGKILL
inline constexpr std::uint32_t kMaxGraceMs = 3'600'000;
inline constexpr std::size_t kTailBytes = 16U << 10U;     // stdout/stderr tail in a result
inline constexpr std::size_t kMaxLineBytes = 8U << 10U;   // longer lines are cut for parsers
inline constexpr std::size_t kLogRingBytes = 64U << 10U;  // per stream of a running task
inline constexpr std::size_t kMaxArtifacts = 1000;
inline constexpr std::uint64_t kMaxLogFileBytes = 1ULL << 30U;  // stdout/stderr file of one attempt
inline constexpr std::uint32_t kProgressIntervalMs = 100;       // progress is coalesced to this

// --- Client -------------------------------------------------------------------------------------
inline constexpr std::uint32_t kConnectTimeoutMs = 5000;
inline constexpr std::uint32_t kResendFirstMs = 2000;
inline constexpr std::uint32_t kResendMaxMs = 30'000;
inline constexpr std::size_t kMaxFollowedById = 64;  // beyond that a client follows whole tools

}  // namespace taskpipe::limits
