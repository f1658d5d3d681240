internal import Mailbox
internal import Synchronization

extension FileJournal {
    func verify() -> JournalVerification {
        var verification = JournalVerification()
        // What is appended meanwhile lies behind the end that was taken here.
        let (segments, end) = state.withLock { state in
            (state.sealed + (state.active.map { [$0] } ?? []), state.end)
        }
        for (ordinal, segment) in segments.enumerated() {
            guard let header = segment.header else { continue }
            let next = ordinal + 1 < segments.count ? segments[ordinal + 1].header : nil
            let last =
                segment.lastPosition
                ?? next.map { JournalPosition($0.firstPosition.rawValue - 1) } ?? end
            do throws(StoreError) {
                let groups = try verify(segment, header, through: last)
                verification.groups += groups
            } catch {
                verification.problems.append(error.message)
            }
        }
        return verification
    }

    /// - Returns: the number of groups.
    private func verify(
        _ segment: JournalSegment, _ header: JournalSegment.Header, through last: JournalPosition
    ) throws(StoreError) -> Int {
        guard header.firstPosition <= last else { return 0 }
        let bytes = try segment.file.read(at: 0, count: segment.byteCount)
        guard try JournalSegment.parseHeader(bytes, seed: seed, path: segment.file.path) == header
        else {
            throw .corrupted("the header of \(segment.file.path) is damaged")
        }
        var expected = header.firstPosition
        var offset = JournalFrame.blockByteCount
        while expected <= last {
            // Truncated and taken for another generation since: nothing to verify.
            let isHeld = state.withLock { state in
                state.active?.header == header || state.sealed.contains { $0.header == header }
            }
            guard isHeld else { return 0 }
            guard let frame = JournalFrame.parse(bytes.span, at: offset, seed: seed),
                frame.generation == header.generation, frame.position == expected
            else {
                throw .corrupted(
                    "\(segment.file.path) is damaged at byte \(offset) (group \(expected.rawValue))"
                )
            }
            offset += frame.byteCount
            expected = expected.next
        }
        return Int(last.rawValue - header.firstPosition.rawValue) + 1
    }
}
