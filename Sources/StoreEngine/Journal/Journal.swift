package import Mailbox

/// The place of a group in a shard's log: 1, 2, 3 … without holes. 0 is "before the first".
package struct JournalPosition: Hashable, Comparable, Sendable {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static let zero = JournalPosition(0)
    /// No group's position is as high; what is read from disk is compared with it, so that `next`
    /// stays in range.
    package static let maximum = JournalPosition(1 << 63)
    package var next: JournalPosition { JournalPosition(rawValue + 1) }

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// The durable log in front of the data file: one per shard, one writer.
///
/// Free of files on purpose: an append names the position that it expects to follow and answers the
/// one it got, so that a replicated log (one stream per shard, compare and append) fits behind it
/// without a change to the engine.
///
/// A caller serialises `append`, `truncate` and `replay`; `sync` and `prepare` may run beside an
/// append.
package protocol Journal: AnyObject, Sendable {
    /// The newest group's position.
    var end: JournalPosition { get }
    /// The largest payload that fits into one group.
    var payloadBytesMaximum: Int { get }
    /// The bytes that the log takes on disk, spare room included, and the bytes in use since the
    /// last truncation.
    var usage: JournalUsage { get }

    /// Writes one group, and makes it durable when `synced`.
    ///
    /// - Parameters:
    ///   - payload: the group's records, not empty.
    ///   - expected: what the caller takes for `end`; a mismatch is `failed`, and nothing is
    ///   written.
    /// - Returns: the group's position, `expected.next`.
    /// - Throws: `storageFull` when there was no room (nothing is in the log; the same call may
    ///   succeed later); `failed` when a write or sync failed (the log takes nothing more).
    func append(
        _ payload: [UInt8], recordCount: Int, following expected: JournalPosition, synced: Bool
    ) throws(StoreError) -> JournalPosition

    /// Makes all that was appended durable.
    func sync() throws(StoreError)

    /// Hands out every durable group behind `position`, in order.
    ///
    /// - Throws: `corrupted` when a group is damaged that others follow, or missing.
    func replay(
        after position: JournalPosition,
        _ body: (JournalPosition, [UInt8]) throws(StoreError) -> Void
    ) throws(StoreError)

    /// Forgets every group through `position`; their room is used again.
    func truncate(through position: JournalPosition) throws(StoreError)

    /// Reads every group that the log still holds, and says what is wrong with them.
    func verify() -> JournalVerification

    /// The room made ahead is about to run out: `prepare` should be called soon.
    var wantsPreparation: Bool { get }

    /// Makes room ahead of need, away from the append path.
    func prepare() throws(StoreError)
}

/// What a journal takes on disk.
package struct JournalUsage: Sendable {
    /// Bytes of all segments, spare ones included.
    package var allottedBytes: Int
    /// Bytes of groups since the last truncation.
    package var usedBytes: Int
}

/// What a look at all groups of a journal found.
package struct JournalVerification: Sendable {
    package var groups = 0
    package var problems: [String] = []
}
