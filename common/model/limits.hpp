// Every bound of the system, by name. Sizes in bytes, durations in milliseconds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace taskpipe::limits {

// --- Wire ---------------------------------------------------------------------------------------
inline constexpr std::size_t kMaxFrameBytes = 4U << 20U;     // ZMQ_MAXMSGSIZE: one frame
inline constexpr std::size_t kMaxMessageBytes = 16U << 20U;  // all frames of one message
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
inline constexpr std::size_t kMaxFeatures = 64;             // in HELLO
inline constexpr std::size_t kMaxToolRows = 4096;           // in TOOLS_REPLY
inline constexpr std::size_t kMaxWarnings = 64;             // in HEALTH_REPLY
inline constexpr std::size_t kMaxStreams = 8192;            // positions in one heartbeat event

// --- Text fields --------------------------------------------------------------------------------
inline constexpr std::size_t kMaxNameBytes = 128;  // tool, label key, resource, host, user
inline constexpr std::size_t kMaxScriptNameBytes = 512;
inline constexpr std::size_t kMaxTextBytes = 1024;  // messages, reasons, descriptions
inline constexpr std::size_t kMaxPathBytes = 4096;  // files and folders in a report
inline constexpr std::size_t kSha256HexBytes = 64;
inline constexpr std::size_t kMaxLabels = 64;
inline constexpr std::size_t kMaxNamedResources = 32;
inline constexpr std::size_t kMaxMetrics = 64;       // in one progress report
inline constexpr std::size_t kMaxPlacements = 4096;  // nodes one attempt occupies

// --- Values (params, results) -------------------------------------------------------------------
inline constexpr std::size_t kMaxValueDepth = 32;
inline constexpr std::size_t kMaxValueElements = 1'000'000;  // in one payload, at every depth
inline constexpr std::size_t kMaxReportMetrics = 1024;

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

// --- Retries ------------------------------------------------------------------------------------
inline constexpr std::uint32_t kMaxTaskAttempts = 100;      // RetryPolicy::max_attempts
inline constexpr std::uint32_t kMaxTaskWorkerLosses = 100;  // RetryPolicy::max_worker_losses
inline constexpr std::uint32_t kMaxBackoffMs = 86'400'000;  // a day
inline constexpr std::uint64_t kMaxQueueTimeMs = 31'536'000'000ULL;  // a year
inline constexpr std::uint64_t kMaxNoProgressMs = kMaxQueueTimeMs;
inline constexpr std::size_t kMaxPastAttempts = 256;      // remembered of one task
inline constexpr std::size_t kMaxAlarmsPerTurn = 10'000;  // the others in the next

// --- Bulk port (artifacts and inputs) -----------------------------------------------------------
inline constexpr std::size_t kBulkChunkBytes = 256U << 10U;     // of one PUT_DATA or GET_DATA
inline constexpr std::uint64_t kBulkWindowBytes = 1ULL << 20U;  // that a transfer may be ahead
inline constexpr std::size_t kMaxBulkConnections = 8;    // of one session; the oldest gives way
inline constexpr std::size_t kMaxTransfersPerPeer = 16;  // then BUSY
inline constexpr std::size_t kMaxActivePuts = 64;        // of all peers; others wait for credit
inline constexpr std::uint64_t kMaxBulkQueueBytes = 32ULL << 20U;  // read, not on the network yet
inline constexpr int kBulkReceiveHighWater = 16;                   // messages of one peer, unread
inline constexpr std::uint32_t kBulkIdleMs = 60'000;  // a transfer without a sign of its peer
inline constexpr std::uint64_t kRehashSliceBytes = 8ULL << 20U;    // of a partial upload, per turn
inline constexpr std::uint64_t kBlobWritebackBytes = 8ULL << 20U;  // given to the disk at a time
inline constexpr std::uint32_t kArtifactQuotaShare = 2;  // of the file system's free space, 1/2
inline constexpr std::uint64_t kBlobHeadroomBytes = 256ULL << 20U;  // of the disk, left to others
inline constexpr std::uint32_t kBlobGraceMs = 600'000;  // after its last use nothing is evicted
inline constexpr std::uint32_t kBlobSweepMs = 60'000;   // between looks at what is too old
inline constexpr std::size_t kMaxEvictionBatch = 1000;  // candidates per question to the loop
inline constexpr std::uint64_t kMinPartialAgeMs = 86'400'000;  // an upload that nobody continued
inline constexpr std::uint32_t kUploadPatienceMs = 30'000;     // without any progress
inline constexpr std::uint32_t kBulkReplyMs = 20'000;          // silence until a peer connects anew
inline constexpr std::size_t kUploadThreads = 4;               // of a worker
inline constexpr std::size_t kTransfersInFlight = 8;           // that one peer runs at a time
inline constexpr std::size_t kMaxInputs = 256;                 // files of one task
inline constexpr std::uint64_t kInputCacheBytes = 10ULL << 30U;
inline constexpr std::size_t kMaxInlineScriptBytes = 1U << 20U;  // larger ones travel by hash

// --- Flow control -------------------------------------------------------------------------------
inline constexpr std::uint64_t kClientWindowItems = 65'536;  // submits in flight per session
inline constexpr std::uint64_t kClientWindowBytes = 64ULL << 20U;
inline constexpr std::uint64_t kWorkerWindowTasks = 4096;  // unstarted work a worker holds
inline constexpr std::uint64_t kWorkerWindowBytes = 32ULL << 20U;
inline constexpr std::uint32_t kPrefetchBelowMeanUs = 10'000;  // mean run time that allows prefetch
inline constexpr std::uint32_t kBusyRetryMs = 1000;
inline constexpr std::uint64_t kHistoryLagMaxTasks = 1'000'000;  // finished, not yet in history
inline constexpr std::uint32_t kHistoryLagRetryMs = 100;         // some thousand are, by then
inline constexpr std::size_t kHistoryTransactionTasks = 1024;    // about, of one transaction
// Larger ones take less of the processors, and longer at a time: for when submits would wait soon.
inline constexpr std::uint64_t kLongHistoryLagTasks = kHistoryLagMaxTasks / 8 * 7;
inline constexpr std::size_t kLargeHistoryTransactionTasks = 4096;
inline constexpr std::size_t kHistoryTasksPerTurn = 256;  // about, handed over by the loop
inline constexpr int kHistoryNiceness = 10;               // of its thread
inline constexpr std::size_t kMaxSessions = 20'000;
// Of the host's memory, one part of so many, unless the operator says.
inline constexpr std::uint32_t kMemoryShare = 2;
inline constexpr std::uint64_t kMinMemoryLimitBytes = 16ULL << 20U;
inline constexpr std::uint64_t kMaxPeerQueueBytes = 64ULL << 20U;  // sent, not on the network yet
inline constexpr std::size_t kUnmeteredBytes = 512;  // frames below are bounded by their number
inline constexpr int kPeerReceiveHighWater = 256;    // messages of one peer, unread
inline constexpr int kEventSendHighWater = 4000;     // messages for one subscriber, unsent
inline constexpr std::uint64_t kMaxEventQueueBytes = 256ULL << 20U;  // for all subscribers together
inline constexpr std::size_t kMaxWaitingEvents = 20'000;  // messages that wait for the journal
inline constexpr std::uint64_t kMaxUnreadAnswerBytes = 64ULL << 20U;  // of the history
inline constexpr std::size_t kMaxLookupsInFlight = 4096;
inline constexpr std::size_t kMaxHistoryPageBytes = 16U << 20U;  // params and reports of one page
inline constexpr std::size_t kMaxListBytes = 1U << 20U;          // of a page of tools or workers
inline constexpr std::size_t kMaxIdleSignatures = 1024;          // remembered with nothing queued
inline constexpr std::size_t kMaxPlacementLooks = 1024;          // queue heads per search for work
inline constexpr std::size_t kMaxRecallLooks = 64;               // workers looked at per idle one
inline constexpr std::uint64_t kMinRecallWaitUs = 50'000;        // or a RECALL is not worth it
inline constexpr std::size_t kMaxSpreadLooks = 65'536;           // workers per turn, for new tasks
inline constexpr std::uint64_t kArrivalStride = 1024;            // tasks per place in a listing
inline constexpr std::size_t kMaxQueryScan = 10'000;             // live tasks looked at per QUERY
inline constexpr std::size_t kMaxWatchedTasks = 100'000;         // `id.` topics subscribed to
inline constexpr std::size_t kMaxSubscribedTopics = 10'000;      // other topics
inline constexpr std::size_t kMaxWatches = 1024;                 // WATCHes open, in all
inline constexpr std::size_t kMaxWatchesPerSession = 16;
inline constexpr std::uint64_t kMaxWatchCredit = 64;      // EVENTS that a watch may be ahead
inline constexpr std::size_t kWatchScanPerTurn = 65'536;  // changes looked at, of all watches
inline constexpr std::size_t kWatchMessagesPerTurn = 32;  // EVENTS made, of all watches
inline constexpr std::size_t kMaxSnapshotRows = 1000;     // of one SNAP
inline constexpr std::size_t kMaxSnapshotScan = 10'000;   // tasks looked at per SNAPSHOT
inline constexpr std::uint64_t kEventRetentionBytes = 64ULL << 20U;  // of state changes, in memory
inline constexpr std::uint64_t kMinEventRetentionBytes = 4ULL << 10U;
inline constexpr std::uint64_t kMaxEventRetentionBytes = 64ULL << 30U;
inline constexpr std::size_t kMaxLogFollowers = 10'000;    // FETCHes that follow
inline constexpr std::size_t kMaxForwardedFetches = 4096;  // FETCHes asked of workers

// --- Security -----------------------------------------------------------------------------------
inline constexpr std::size_t kMaxKeyFileBytes = 16U << 10U;  // certificates and join files
inline constexpr std::size_t kMaxPeerKeys = 50'000;          // in one cluster folder
inline constexpr std::size_t kMaxSessionsPerUser = 4096;     // of one user's keys together
inline constexpr std::uint32_t kMaxAuditedPerMinute = 600;   // handshakes of each verdict
inline constexpr std::size_t kMaxUnwrittenAudits = 65'536;   // lines that wait for the disk
inline constexpr std::uint32_t kKeyReloadDelayMs = 100;  // so that a batch of files is one reload
inline constexpr std::uint32_t kMaxVagueHandshakes = 3;  // failures without a reason, in a row
inline constexpr std::size_t kMaxWatchProgress = 4096;   // tasks with unsent news, per watch

// --- Journal ------------------------------------------------------------------------------------
inline constexpr std::uint64_t kSegmentBytes = 64ULL << 20U;
inline constexpr std::uint64_t kMinSegmentBytes = 16ULL << 10U;
inline constexpr std::uint64_t kMaxSegmentBytes = 1ULL << 30U;
inline constexpr std::size_t kReserveSegments = 1;   // kept for results and cancels
inline constexpr std::size_t kMaxSpareSegments = 4;  // recycled ones beyond that are deleted
inline constexpr std::size_t kMaxRecordBytes = 1ULL << 30U;     // encoded; a larger one is refused
inline constexpr std::size_t kJournalBatchBytes = 1U << 20U;    // a batch is closed at this size
inline constexpr std::size_t kMaxIdleBufferBytes = 16U << 20U;  // of an empty journal buffer
inline constexpr std::uint64_t kMaxJournalBacklogBytes = 256ULL << 20U;  // appended, not written
inline constexpr std::uint64_t kZeroFillStepBytes = 256ULL << 10U;  // of a new segment, at a time
inline constexpr std::uint32_t kSpaceCheckMs = 1000;                // while space is short

// --- Execution ----------------------------------------------------------------------------------
inline constexpr std::uint32_t kDefaultGraceMs = 5000;  // SIGTERM → SIGKILL
inline constexpr std::uint32_t kMaxGraceMs = 3'600'000;
inline constexpr std::size_t kTailBytes = 16U << 10U;     // stdout/stderr tail in a result
inline constexpr std::size_t kMaxLineBytes = 8U << 10U;   // longer lines are cut for parsers
inline constexpr std::size_t kLogRingBytes = 64U << 10U;  // per stream of a running task
inline constexpr std::size_t kMaxArtifacts = 1000;
inline constexpr std::uint64_t kMaxLogFileBytes = 1ULL << 30U;  // stdout/stderr file of one attempt
inline constexpr std::uint32_t kProgressIntervalMs = 100;       // progress is coalesced to this
inline constexpr std::uint32_t kOutputIntervalMs = 100;         // live output, per stream
inline constexpr std::size_t kMaxPlanFiles = 1000;              // written before a start
inline constexpr std::size_t kMaxArtifactWalk = 100'000;        // entries looked at per attempt
inline constexpr std::uint64_t kMaxHashBytes = 64ULL << 30U;    // hashed per attempt
inline constexpr std::uint32_t kMaxSpawnerRestarts = 5;         // within kSpawnerRestartWindowMs
inline constexpr std::uint32_t kSpawnerRestartWindowMs = 60'000;
inline constexpr std::uint32_t kSpawnerStartMs = 10'000;  // until it reports ready
inline constexpr std::uint32_t kSpawnerEndMs = 15'000;    // until everything it started is gone

// --- Worker -------------------------------------------------------------------------------------
inline constexpr std::uint32_t kHelloIntervalMs = 1000;      // between two HELLOs of one link
inline constexpr std::uint32_t kLinkPatienceMs = 5000;       // for WHO or WELCOME; doubles, then
inline constexpr std::uint32_t kLinkPatienceMaxMs = 30'000;  // a fresh socket is opened
inline constexpr std::uint32_t kResultResendMs = 10'000;     // unacknowledged RESULT is sent again
inline constexpr std::uint64_t kMaxUnacknowledgedBytes = 256ULL << 20U;  // then nothing is started
inline constexpr std::size_t kHandlerPoolDepth = 1024;   // tasks handed to the handler pool
inline constexpr std::uint32_t kNewsLingerMs = 5;        // of a worker that has more to do
inline constexpr std::uint32_t kHandlerAnnounceMs = 20;  // a handler running longer is STARTED
inline constexpr std::uint64_t kMaxLogBytesInFlight = 4ULL << 20U;  // not covered by a PONG yet
inline constexpr std::uint64_t kLogBytesPerPing = 512ULL << 10U;    // then PING without waiting
inline constexpr std::uint32_t kStopPatienceMs = 10'000;  // for stopped attempts to end, at exit

// --- Tools (manifests) --------------------------------------------------------------------------
inline constexpr std::size_t kMaxManifestBytes = 1U << 20U;
inline constexpr std::uint32_t kDefaultProbeMs = 20'000;  // asking a program for its version
inline constexpr std::uint32_t kMaxProbeMs = 600'000;
inline constexpr std::size_t kMaxProbeOutputBytes = 256U << 10U;     // the rest is read and dropped
inline constexpr std::size_t kMaxScriptFolderEntries = 100'000;      // looked at while listing
inline constexpr std::size_t kMaxParamVariableBytes = 64U << 10U;    // larger: params.json only
inline constexpr std::size_t kMaxParamEnvironmentBytes = 1U << 20U;  // exec refuses about 2 MiB
inline constexpr std::size_t kMaxAnalysedScriptBytes = 256U << 10U;  // longer ones: not at all
inline constexpr std::size_t kMaxAnalysedCharacters = 2U << 20U;     // followed through loops
inline constexpr std::size_t kMaxControlDictBytes = 256U << 10U;

// --- Client -------------------------------------------------------------------------------------
inline constexpr std::uint32_t kConnectTimeoutMs = 5000;
inline constexpr std::uint32_t kResendFirstMs = 2000;
inline constexpr std::uint32_t kResendMaxMs = 30'000;
inline constexpr std::uint32_t kAttentionMs = 50;    // between two CallOptions::keep_waiting
inline constexpr std::size_t kMaxFollowedById = 64;  // beyond that a client follows whole tools
inline constexpr std::uint32_t kRequestTimeoutMs = 30'000;  // default of submits, queries, cancels
inline constexpr std::int64_t kMaxCallTimeoutMs = 315'360'000'000;  // ten years
inline constexpr std::uint32_t kClientLingerMs = 2000;              // default and most
inline constexpr std::size_t kMaxUnacknowledgedSubmits = 262'144;   // then submit_async waits
inline constexpr std::uint32_t kListPageRows = 500;                 // of one page of a listing
inline constexpr std::size_t kMaxQueuedEvents = 8192;  // messages waiting for a slow callback
inline constexpr std::uint64_t kFollowCredit = 32;     // EVENTS that a followed stream may be ahead
inline constexpr std::size_t kMaxSweepTasks = 1'000'000;      // combinations of one parameter sweep
inline constexpr std::size_t kMaxUnreadLogBytes = 1U << 20U;  // of a followed log, then it pauses
inline constexpr std::size_t kMaxWorkflowPartsInFlight =
    16;                                                  // unacknowledged parts of one workflow
inline constexpr std::uint32_t kHelloRetryMs = 1000;     // doubles up to the lease
inline constexpr std::size_t kMaxMessagesPerTurn = 512;  // received before the loop goes on

}  // namespace taskpipe::limits
