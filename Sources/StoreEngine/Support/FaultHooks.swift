package import Mailbox

/// The places where a test can make the engine fail, or stop dead as in a crash.
package enum FaultPoint: String, Sendable, CaseIterable {
    case journalWrite
    case journalSync
    case journalSegmentCreate
    case journalTruncate
    case commitBeforeWrite
    case commitBeforePublish
    case checkpointBegin
    case checkpointBeforeCommit
    case checkpointAfterCommit
    case checkpointBeforePosition
    case checkpointBeforeTruncate
    case compactionBeforeCommit
    case compactionAfterCommit
    case manifestWrite
}

/// Called at each fault point; throwing makes the operation fail there.
///
/// An injected `StoreError(code: .failed)` stands for a failed sync or a crash: the shard stops for good and
/// writes nothing more. Any other code stands for an error that passes.
package struct FaultHooks: Sendable {
    package let reach: @Sendable (FaultPoint) throws(StoreError) -> Void

    package init(_ reach: @escaping @Sendable (FaultPoint) throws(StoreError) -> Void) {
        self.reach = reach
    }
}
