internal import LMDB
internal import Mailbox

extension BaseWriter {
    struct Removed {
        var messages = 0
        var bodyBytes: UInt64 = 0
        /// Everything through it is gone.
        var through: SequenceNumber = 0
    }

    /// The most runs of one mailbox that one transaction removes: the library leaks pages of
    /// transactions that are too large for its memory.
    static let runsPerTrim = 16_384

    /// How far the policy lets the floor rise: never above the acknowledged watermark, never down.
    func floor(
        _ snapshot: MailboxSnapshot, _ prefix: [UInt8], _ cursor: inout WriteCursor
    ) throws(LMDBError) -> SequenceNumber {
        let allowed: SequenceNumber
        switch retention {
        case .unacknowledged:
            allowed = snapshot.acknowledged
        case .newest(let kept):
            allowed = min(snapshot.acknowledged, snapshot.max > kept ? snapshot.max - kept : 0)
        case .acknowledged(let milliseconds):
            let (cutoff, overflow) = now.subtractingReportingOverflow(milliseconds)
            allowed = overflow ? 0 : try aged(snapshot, prefix, cutoff: cutoff, &cursor)
        }
        return max(snapshot.floor, allowed)
    }

    /// The newest acknowledged sequence that was stored at `cutoff` or before, with all before it.
    private func aged(
        _ snapshot: MailboxSnapshot, _ prefix: [UInt8], cutoff: Int64, _ cursor: inout WriteCursor
    ) throws(LMDBError) -> SequenceNumber {
        var reached = snapshot.floor
        if snapshot.isInBase, reached < snapshot.baseMax {
            let start = BaseKey.run(prefix, first: 0)
            var isThere = try cursor.seek(to: start.span)
            while isThere, let first = BaseKey.firstSequence(cursor.key, prefix: prefix.span) {
                _ = try RunRecord.header(cursor.value, key: cursor.key, first: first)
                let isPassed = try Self.advance(
                    &reached, in: cursor.value, from: RunRecord.headerByteCount,
                    to: cursor.value.count, acknowledged: snapshot.acknowledged, cutoff: cutoff)
                if !isPassed { return reached }
                isThere = try cursor.next()
            }
        }
        for message in snapshot.tail {
            let header = message.header
            guard header.sequence <= snapshot.acknowledged, header.timestampMilliseconds <= cutoff
            else { return reached }
            reached = max(reached, header.sequence)
        }
        return reached
    }

    /// - Returns: false at the first message that must stay.
    private static func advance(
        _ reached: inout SequenceNumber, in value: borrowing Span<UInt8>, from start: Int,
        to end: Int, acknowledged: SequenceNumber, cutoff: Int64
    ) throws(LMDBError) -> Bool {
        var offset = start
        while offset < end {
            guard let header = MessageEncoding.header(in: value, at: offset) else {
                throw .corrupted("a run holds bytes that are no message")
            }
            guard header.sequence <= acknowledged, header.timestampMilliseconds <= cutoff else {
                return false
            }
            reached = max(reached, header.sequence)
            offset += header.byteCount
        }
        return true
    }

    /// Removes the mailbox's messages through `sequence`, or as many as one transaction may; a run
    /// that goes on behind it is written anew.
    func trim(
        _ prefix: [UInt8], through sequence: SequenceNumber, _ cursor: inout WriteCursor
    ) throws(LMDBError) -> Removed {
        var removed = Removed(through: sequence)
        var runs = 0
        let start = BaseKey.run(prefix, first: 0)
        while try cursor.seek(to: start.span),
            let first = BaseKey.firstSequence(cursor.key, prefix: prefix.span), first <= sequence
        {
            if runs == Self.runsPerTrim {
                removed.through = first - 1
                break
            }
            runs += 1
            let header = try RunRecord.header(cursor.value, key: cursor.key, first: first)
            var kept: [UInt8] = []
            if header.last > sequence { kept.append(copying: cursor.value) }
            // The cursor means nothing after a deletion: every turn seeks again.
            try cursor.deleteCurrent()
            if kept.isEmpty {
                removed.messages += header.count
                removed.bodyBytes += UInt64(header.bodyBytes)
            } else {
                try rewrite(kept, header, prefix, above: sequence, &removed, &cursor)
            }
        }
        return removed
    }

    private func rewrite(
        _ run: [UInt8], _ header: RunRecord.Header, _ prefix: [UInt8],
        above sequence: SequenceNumber, _ removed: inout Removed, _ cursor: inout WriteCursor
    ) throws(LMDBError) {
        var offset = RunRecord.headerByteCount
        var bodyBytes = header.bodyBytes
        var count = header.count
        guard
            RunRecord.isWhole(
                run.span, offset..<run.count, from: UInt64(header.first), count: count,
                bodyBytes: bodyBytes)
        else { throw .corrupted("a run's messages are not those that it says") }
        while let message = MessageEncoding.header(in: run.span, at: offset),
            message.sequence <= sequence
        {
            offset += message.byteCount
            bodyBytes -= message.bodyByteCount
            count -= 1
            removed.messages += 1
            removed.bodyBytes += UInt64(message.bodyByteCount)
        }
        guard count > 0, offset < run.count else {
            throw .corrupted("a run holds bytes that are no message")
        }
        var record = RunRecord.begin()
        record.append(contentsOf: run[offset...])
        let key = BaseKey.run(prefix, first: sequence + 1)
        RunRecord.seal(&record, key: key, count: count, bodyBytes: bodyBytes)
        try cursor.put(key: key.span, value: record.span)
    }
}
