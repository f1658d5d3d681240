internal import Glibc
internal import Mailbox
internal import Synchronization

extension FileJournal {
    /// Finds the segments and reads their headers; sorts out which hold groups that nobody has
    /// superseded.
    func loadSegments() throws(StoreError) {
        var segments: [JournalSegment] = []
        var highestNumber = 0
        for name in try Directory.list(settings.directory) where name.hasSuffix(".journal") {
            guard let number = Int(name.dropLast(8)) else { continue }
            highestNumber = max(highestNumber, number)
            let path = "\(settings.directory)/\(name)"
            let file = try File(path, flags: O_RDWR)
            let byteCount = try file.byteCount()
            let block = try file.read(at: 0, count: JournalFrame.blockByteCount)
            let header = try JournalSegment.parseHeader(block, seed: seed, path: path)
            if let header {
                guard header.shard == settings.shard, header.segmentByteCount == byteCount else {
                    throw .corrupted(
                        "\(path) has \(byteCount) bytes and says shard \(header.shard), "
                            + "\(header.segmentByteCount) bytes; restore the file or the store "
                            + "from a backup"
                    )
                }
            }
            segments.append(JournalSegment(file: file, byteCount: byteCount, header: header))
        }
        guard segments.contains(where: { $0.header != nil }) else {
            throw .corrupted(
                "\(settings.directory) has no readable journal segment; restore the store from a "
                    + "backup"
            )
        }
        let loaded = segments
        state.withLock { state in
            state.isReplaying = true
            state.nextFileNumber = highestNumber + 1
            state.sealed = loaded.filter { $0.header != nil }
                .sorted { $0.header!.generation < $1.header!.generation }
            state.free = loaded.filter { $0.header == nil }
            state.newestGeneration = state.sealed.last?.header?.generation ?? 0
        }
    }

    func replay(
        after position: JournalPosition,
        _ body: (JournalPosition, [UInt8]) throws(StoreError) -> Void
    ) throws(StoreError) {
        let (sealed, blank) = state.withLock { ($0.sealed, $0.free) }
        var end = position
        var needed: [JournalSegment] = []
        var passed: [JournalSegment] = []
        for (ordinal, var segment) in sealed.enumerated() {
            // What a later generation begins with or before, this one no longer says.
            let limit = sealed[(ordinal + 1)...].map { $0.header!.firstPosition }.min()
            let header = segment.header!
            if let limit, limit <= end.next || limit <= header.firstPosition {
                passed.append(segment)
                continue
            }
            guard header.firstPosition <= end.next else {
                throw .corrupted(
                    "the journal misses group \(end.rawValue + 1): \(segment.file.path) begins "
                        + "with "
                        + "\(header.firstPosition.rawValue); restore the missing file or the "
                        + "store from a backup"
                )
            }
            let last = try replay(segment, from: end, limit: limit, body)
            segment.lastPosition = last
            needed.append(segment)
            end = max(end, last)
        }
        try rejectLostSegments(blank, end: end)
        try settle(end: end, needed: needed, unneeded: passed + blank)
    }

    /// Hands out one segment's groups behind `end`.
    ///
    /// - Returns: the position of its last group; `end` or less when it has none to hand out.
    private func replay(
        _ segment: JournalSegment, from end: JournalPosition, limit: JournalPosition?,
        _ body: (JournalPosition, [UInt8]) throws(StoreError) -> Void
    ) throws(StoreError) -> JournalPosition {
        let header = segment.header!
        let bytes = try readDurable(segment)
        var expected = header.firstPosition
        var offset = JournalFrame.blockByteCount
        while offset < bytes.count, limit.map({ expected < $0 }) ?? true,
            let frame = JournalFrame.parse(bytes.span, at: offset, seed: seed),
            frame.generation == header.generation || PlantedBug.framesWithoutGeneration.isMade,
            frame.position == expected
        {
            if expected > end {
                let start = offset + JournalFrame.headerByteCount
                try body(expected, [UInt8](bytes[start..<start + frame.payloadByteCount]))
            }
            expected = expected.next
            offset += frame.byteCount
        }
        let last = JournalPosition(expected.rawValue - 1)
        if let limit, expected >= limit { return last }
        // The log ends here. A torn last group is legitimate; a good frame behind says whether this
        // one was synced.
        if let witness = newestFrame(in: bytes, from: offset, generation: header.generation),
            witness.position > expected, witness.syncedThrough >= expected
        {
            throw .corrupted(
                "\(segment.file.path) is damaged at byte \(offset) (group \(expected.rawValue)): "
                    + "newer groups "
                    + "follow, so this is no torn end; restore the store from a backup")
        }
        // A segment is synced before it is left, so a later one always begins where this one ends.
        if let limit {
            throw .corrupted(
                "\(segment.file.path) ends before group \(expected.rawValue), but a later "
                    + "segment begins "
                    + "with \(limit.rawValue); restore the store from a backup")
        }
        return last
    }

    /// The newest valid frame of a generation at a block boundary from `offset` on.
    private func newestFrame(
        in bytes: [UInt8], from offset: Int, generation: UInt64?
    ) -> JournalFrame? {
        var newest: JournalFrame?
        var offset = offset
        while offset + JournalFrame.headerByteCount <= bytes.count {
            if let frame = JournalFrame.parse(bytes.span, at: offset, seed: seed),
                generation == nil || frame.generation == generation,
                newest.map({ $0.position < frame.position }) ?? true
            {
                newest = frame
            }
            offset += JournalFrame.blockByteCount
        }
        return newest
    }

    /// A segment without a readable header is a spare one, unless it has groups that the log lacks.
    private func rejectLostSegments(
        _ segments: [JournalSegment], end: JournalPosition
    ) throws(StoreError) {
        for segment in segments {
            let bytes = try segment.file.read(at: 0, count: segment.byteCount)
            if let frame = newestFrame(
                in: bytes, from: JournalFrame.blockByteCount, generation: nil),
                frame.position > end
            {
                throw .corrupted(
                    "the header of \(segment.file.path) is damaged, and the segment has group "
                        + "\(frame.position.rawValue), which is nowhere else; restore the store "
                        + "from a backup"
                )
            }
        }
    }

    /// Reads a segment, and answers what the disk has of it.
    ///
    /// What a killed process wrote and never synced may only be in the page cache: it is synced
    /// first. And after a sync that failed, the cache may hold what the disk does not, as pages
    /// that count as written: so the read goes past it where it can. Where it cannot, what was read
    /// is written anew, or the groups that follow would stand behind a hole after a power cut.
    private func readDurable(_ segment: JournalSegment) throws(StoreError) -> [UInt8] {
        try segment.file.syncData()
        if let direct = try? File(segment.file.path, flags: O_RDONLY | File.direct),
            let bytes = direct.readDirect(count: segment.byteCount)
        {
            return bytes
        }
        let bytes = try segment.file.read(at: 0, count: segment.byteCount)
        if !PlantedBug.pageCacheBelieved.isMade {
            try segment.file.write([bytes], at: 0)
            try segment.file.syncData()
        }
        return bytes
    }

    /// Makes sure of a segment that was never used: the process that made it may have died with a
    /// sync of it that failed, or in front of the sync of its name. Its last block is written anew,
    /// so that a sync covers its length.
    private func secure(_ spare: JournalSegment) throws(StoreError) {
        let offset = spare.byteCount - JournalFrame.blockByteCount
        let block = try spare.file.read(at: offset, count: JournalFrame.blockByteCount)
        try spare.file.write([block], at: offset)
        try spare.file.syncData()
        try Directory.sync(settings.directory)
    }

    /// The log's end is known: what lies in front of the checkpoint is room for new groups.
    private func settle(
        end: JournalPosition, needed: [JournalSegment], unneeded: [JournalSegment]
    ) throws(StoreError) {
        // Segments of another size (the configuration changed) are not used again; nor spare ones
        // that the disk takes nothing for: the first append makes one.
        let free = unneeded.filter { segment in
            segment.byteCount == settings.segmentByteCount
                && (segment.header != nil || (try? secure(segment)) != nil)
        }
        let misfits = unneeded.filter { segment in !free.contains { $0.file === segment.file } }
        state.withLock { state in
            // The first append begins a fresh segment, so a store opens without room for one.
            state.isReplaying = false
            state.active = nil
            state.offset = 0
            state.end = end
            state.syncedThrough = end
            state.sealed = needed
            let given = PlantedBug.truncateWhileReplaying.isMade ? state.free : []
            state.free = given + free
            state.usedBytes = needed.count * settings.segmentByteCount
        }
        for segment in misfits { try Directory.remove(segment.file.path) }
    }
}

extension File {
    /// `O_DIRECT` of open(2), which the C library hides from Swift.
    #if arch(x86_64) || arch(i386)
        static let direct: CInt = 0o40000
    #else
        static let direct: CInt = 0o200000
    #endif

    /// Reads the first `count` bytes of a file that was opened with O_DIRECT.
    ///
    /// - Returns: nil when the file system does not do that.
    func readDirect(count: Int) -> [UInt8]? {
        let alignment = 4_096
        var memory: UnsafeMutableRawPointer?
        let chunkCount = 1 << 20
        guard unsafe posix_memalign(&memory, alignment, chunkCount) == 0, let chunk = unsafe memory
        else { return nil }
        defer { unsafe free(chunk) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let wanted = min(chunkCount, count - bytes.count)
            let got = retrying {
                unsafe pread(descriptor, chunk, wanted, off_t(bytes.count))
            }
            guard got == wanted else { return nil }
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: chunk, count: got))
        }
        return bytes
    }
}
