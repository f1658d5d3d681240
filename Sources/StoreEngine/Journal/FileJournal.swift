internal import Glibc
internal import Mailbox
internal import Synchronization

/// The journal as local files: preallocated segments, one frame per group, recycled behind
/// checkpoints.
final class FileJournal: Journal {
    struct Settings {
        var directory: String
        var shard: UInt32
        var segmentByteCount: Int
        /// The store's secret: goes into every checksum.
        var identity: UInt64
        var faults: FaultHooks?
    }

    struct State {
        var active: JournalSegment?
        /// Where the next frame goes in the active segment.
        var offset = 0
        /// Older segments that are still needed, oldest first.
        var sealed: [JournalSegment] = []
        /// Segments whose groups nobody needs.
        var free: [JournalSegment] = []
        var end = JournalPosition.zero
        var syncedThrough = JournalPosition.zero
        var newestGeneration: UInt64 = 0
        var nextFileNumber = 1
        var usedBytes = 0
        /// A header that was not written to its end may say that the active segment ends here:
        /// nothing more may go there.
        var mustBegin = false
        /// From the opening until the log's end is known. Whatever a checkpoint asks for meanwhile,
        /// segments stay as they are: the replay needs them, and says at its end which are free.
        var isReplaying = false
        /// The last try to make a segment ahead failed.
        var lacksRoom = false
        /// A write or sync that failed for good: nothing is taken any more.
        var failure: StoreError?
    }

    let settings: Settings
    let seed: UInt32
    let state: Mutex<State>
    /// One sync at a time. The kernel tells one of two that run beside each other of an error, and
    /// the other that all is well: it would take for durable what is lost.
    private let syncTurn = Mutex(())

    private init(settings: Settings, state: consuming sending State) {
        self.settings = settings
        seed = checksum(settings.identity)
        self.state = Mutex(state)
    }

    /// Makes the journal of a new store: one empty segment.
    static func create(_ settings: Settings) throws(StoreError) -> FileJournal {
        try Directory.make(settings.directory)
        let journal = FileJournal(settings: settings, state: State())
        try journal.begin(after: .zero)
        return journal
    }

    /// Opens the journal of a store that exists. `replay` must follow before the first append.
    static func open(_ settings: Settings) throws(StoreError) -> FileJournal {
        let journal = FileJournal(settings: settings, state: State())
        try journal.loadSegments()
        return journal
    }

    var end: JournalPosition { state.withLock { $0.end } }

    var payloadBytesMaximum: Int {
        settings.segmentByteCount - JournalFrame.blockByteCount - JournalFrame.headerByteCount
    }

    var usage: JournalUsage {
        state.withLock { state in
            let segments = state.sealed.count + state.free.count + (state.active == nil ? 0 : 1)
            return JournalUsage(
                allottedBytes: segments * settings.segmentByteCount, usedBytes: state.usedBytes)
        }
    }

    // MARK: Appending

    func append(
        _ payload: [UInt8], recordCount: Int, following expected: JournalPosition, synced: Bool
    ) throws(StoreError) -> JournalPosition {
        precondition(!payload.isEmpty && payload.count <= payloadBytesMaximum)
        let frameBytes = JournalFrame.byteCount(payload: payload.count)
        let place = try placeForFrame(byteCount: frameBytes, following: expected)
        let frame = JournalFrame(
            position: expected.next, generation: place.header.generation,
            syncedThrough: place.syncedThrough, recordCount: recordCount,
            payloadByteCount: payload.count)
        let pieces = frame.pieces(payload: payload, seed: seed)
        do throws(StoreError) {
            try settings.faults?.reach(.journalWrite)
            try place.file.write(pieces, at: place.offset)
            try settings.faults?.reach(.journalWriteEnd)
        } catch {
            if error.code == .storageFull { try takeBack(place) } else { fail(error) }
            throw error
        }
        if synced { try sync(place.file) }
        state.withLock { state in
            state.offset = place.offset + frameBytes
            state.end = expected.next
            if synced { state.syncedThrough = expected.next }
            state.usedBytes += frameBytes
        }
        return expected.next
    }

    /// Makes sure that a frame which found no room is not there. All of it but its padding may have
    /// been written: then the next open would take it for good, and its sender was told that
    /// nothing is stored.
    private func takeBack(_ place: Place) throws(StoreError) {
        let nothing = [UInt8](repeating: 0, count: JournalFrame.blockByteCount)
        do throws(StoreError) {
            try place.file.write([nothing], at: place.offset)
        } catch {
            throw fail(error)
        }
        try sync(place.file)
    }

    /// Syncs a file; whatever keeps it from that, even a lack of room, ends the log. What the
    /// kernel could not write it may have dropped, and a later sync that succeeds proves nothing.
    private func sync(_ file: File) throws(StoreError) {
        try syncTurn.withLock { _ throws(StoreError) in
            if let failure = state.withLock({ $0.failure }) { throw failure }
            do throws(StoreError) {
                try settings.faults?.reach(.journalSync)
                try file.syncData()
            } catch {
                throw fail(error)
            }
        }
    }

    /// Ends the log: it takes nothing more.
    @discardableResult
    private func fail(_ error: StoreError) -> StoreError {
        var failure = error
        if error.code != .failed {
            failure = StoreError(
                code: .failed,
                message:
                    "the journal could not be written or synced, and takes nothing more: check the "
                    + "disk, then open the store again", cause: error)
        }
        state.withLock { $0.failure = failure }
        return failure
    }

    private struct Place {
        let file: File
        let header: JournalSegment.Header
        let offset: Int
        let syncedThrough: JournalPosition
    }

    private func placeForFrame(
        byteCount: Int, following expected: JournalPosition
    ) throws(StoreError) -> Place {
        var attempt = 0
        while true {
            let place = try state.withLock { state throws(StoreError) -> Place? in
                if let failure = state.failure { throw failure }
                guard state.end == expected else {
                    throw StoreError(
                        code: .failed,
                        message:
                            "the journal ends at \(state.end.rawValue), not at "
                            + "\(expected.rawValue): "
                            + "another writer has it; open the store again")
                }
                guard !state.mustBegin, let active = state.active, let header = active.header,
                    state.offset + byteCount <= active.byteCount
                else { return nil }
                return Place(
                    file: active.file, header: header, offset: state.offset,
                    syncedThrough: state.syncedThrough)
            }
            if let place { return place }
            precondition(attempt == 0, "a fresh segment has room for any group")
            attempt += 1
            try begin(after: expected)
        }
    }

    func sync() throws(StoreError) {
        let (file, end) = try state.withLock { state throws(StoreError) in
            if let failure = state.failure { throw failure }
            return (state.active?.file, state.end)
        }
        if let file { try sync(file) }
        // A segment is synced before it is left, so all through `end` is durable now.
        state.withLock { $0.syncedThrough = max($0.syncedThrough, end) }
    }

    // MARK: Segments

    /// Begins a fresh segment for the group behind `position`: the first append after an open does,
    /// and the one that finds the segment full.
    ///
    /// Its header is durable before its first frame is written: so a header that cannot be read is
    /// damage, and never the trace of a power cut that kept the frame and lost the header.
    func begin(after position: JournalPosition) throws(StoreError) {
        let mustSync = state.withLock { $0.active != nil && $0.syncedThrough < $0.end }
        if mustSync { try sync() }
        var segment = try takeFreeSegment()
        let header = JournalSegment.Header(
            shard: settings.shard, segmentByteCount: settings.segmentByteCount,
            generation: state.withLock { $0.newestGeneration } + 1, firstPosition: position.next)
        do throws(StoreError) {
            try segment.file.write([JournalSegment.headerBlock(header, seed: seed)], at: 0)
            try settings.faults?.reach(.journalHeaderEnd)
        } catch {
            guard error.code == .storageFull else { throw fail(error) }
            let unused = segment
            state.withLock { state in
                // Perhaps it is there all the same, and ends what came before.
                state.newestGeneration += 1
                state.mustBegin = true
                state.free.append(unused)
            }
            throw error
        }
        try sync(segment.file)
        segment.header = header
        segment.lastPosition = nil
        let begun = segment
        state.withLock { state in
            state.newestGeneration += 1
            if let active = state.active {
                // A segment in which nothing was written holds nothing to keep.
                if state.offset == JournalFrame.blockByteCount {
                    state.free.append(active)
                } else {
                    state.sealed.append(active)
                }
            }
            state.active = begun
            state.mustBegin = false
            state.offset = JournalFrame.blockByteCount
            state.end = position
            state.syncedThrough = position
        }
    }

    private func takeFreeSegment() throws(StoreError) -> JournalSegment {
        if let segment = state.withLock({ $0.free.popLast() }) { return segment }
        return try createSegment()
    }

    private func createSegment() throws(StoreError) -> JournalSegment {
        try settings.faults?.reach(.journalSegmentCreate)
        let number = state.withLock { state in
            defer { state.nextFileNumber += 1 }
            return state.nextFileNumber
        }
        do throws(StoreError) {
            return try JournalSegment.create(
                "\(settings.directory)/\(Self.fileName(number))",
                byteCount: settings.segmentByteCount, directory: settings.directory)
        } catch  where error.code == .invalidArgument {
            // The path was good when the store was opened: what became of it is no caller's
            // argument.
            throw StoreError(code: .failed, message: error.message, cause: error)
        }
    }

    static func fileName(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".journal"
    }

    var wantsPreparation: Bool {
        state.withLock { state in
            state.free.isEmpty && state.failure == nil && !state.lacksRoom && !state.isReplaying
                && (state.active == nil || state.offset > settings.segmentByteCount / 4)
        }
    }

    func prepare() throws(StoreError) {
        guard wantsPreparation else { return }
        do throws(StoreError) {
            let segment = try createSegment()
            state.withLock { $0.free.append(segment) }
        } catch {
            // Not again until a truncation: each try would take the disk's last room for a while.
            state.withLock { $0.lacksRoom = true }
            throw error
        }
    }

    func truncate(through position: JournalPosition) throws(StoreError) {
        try settings.faults?.reach(.journalTruncate)
        let misfits = state.withLock { state -> [JournalSegment]? in
            guard
                !state.isReplaying || PlantedBug.truncateWhileReplaying.isMade
                    || PlantedBug.truncateBeforeReplayed.isMade
            else { return nil }
            var misfits: [JournalSegment] = []
            state.lacksRoom = false
            // A sealed segment ends where the next one begins.
            while let oldest = state.sealed.first {
                let next = state.sealed.count > 1 ? state.sealed[1] : state.active
                // The newest one ends with the log, when the first append after an open is still to
                // come.
                let end = next?.header?.firstPosition ?? state.end.next
                guard end <= position.next else { break }
                // The last readable header on disk stays until another is there.
                if next == nil, oldest.byteCount != settings.segmentByteCount { break }
                state.sealed.removeFirst()
                // Of another size when the configuration changed since.
                if oldest.byteCount == settings.segmentByteCount {
                    state.free.append(oldest)
                } else {
                    misfits.append(oldest)
                }
            }
            state.usedBytes =
                state.sealed.count * settings.segmentByteCount
                + max(0, state.offset - JournalFrame.blockByteCount)
            return misfits
        }
        guard let misfits else { return }
        for segment in misfits { try Directory.remove(segment.file.path) }
        try trimFreeSegments()
    }

    /// Gives back the room of segments that a quiet journal does not need: two spare ones stay.
    private func trimFreeSegments() throws(StoreError) {
        while true {
            let surplus = state.withLock { state -> JournalSegment? in
                // Only what is far above the working set goes, so that a steady load keeps
                // recycling.
                let keep =
                    PlantedBug.truncateBeforeReplayed.isMade ? 0 : max(2, state.sealed.count + 2)
                return state.free.count > keep ? state.free.removeFirst() : nil
            }
            guard let surplus else { return }
            try Directory.remove(surplus.file.path)
        }
    }
}
