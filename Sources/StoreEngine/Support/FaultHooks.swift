package import Mailbox

/// The places where a test can make the engine fail, or stop dead as in a crash.
package enum FaultPoint: String, Sendable, CaseIterable {
    case journalWrite
    /// Behind a group's last byte, in front of its sync: no room here stands for a write that was
    /// cut short anywhere.
    case journalWriteEnd
    case journalSync
    case journalSegmentCreate
    /// Behind a segment header's last byte, in front of its sync.
    case journalHeaderEnd
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

/// Asked at each fault point; an error that it answers is what the operation fails with there.
///
/// An injected `StoreError(code: .failed)` stands for a failed sync or a crash: the shard stops for
/// good and writes nothing more. Any other code stands for an error that passes.
package struct FaultHooks: Sendable {
    private let fault: @Sendable (FaultPoint) -> StoreError?

    package init(_ fault: @escaping @Sendable (FaultPoint) -> StoreError?) {
        self.fault = fault
    }

    func reach(_ point: FaultPoint) throws(StoreError) {
        if let error = fault(point) { throw error }
    }

    /// A point behind a durable write: only a crash can come in between, never an error that
    /// passes.
    func crash(at point: FaultPoint) throws(StoreError) {
        if let error = fault(point) {
            throw StoreError(code: .failed, message: error.message, cause: error)
        }
    }

    func error(at point: FaultPoint) -> StoreError? { fault(point) }
}
