internal import ClientWire

extension ConnectionStateMachine {
    /// A message came for this account. To a device that is behind, or for a body that is too
    /// large, only a notice goes.
    mutating func push(_ pushed: Pushed) -> [Action] {
        guard state == .open else { return [] }
        if isWritable, pushed.message.body.count <= limits.pushBodyBytesMaximum {
            return [.write(ServerFrame(0, .pushed(pushed)))]
        }
        return notice(
            sender: pushed.sender, epoch: pushed.epoch, maxSequence: pushed.message.sequence)
    }

    /// Messages wait for this account.
    mutating func notice(sender: String, epoch: UInt64, maxSequence: UInt32) -> [Action] {
        guard state == .open else { return [] }
        notices.add(sender: sender, epoch: epoch, maxSequence: maxSequence)
        return writeNotices()
    }

    /// What waits for the device fell below the bound, or rose above it.
    mutating func writabilityChanged(_ isWritable: Bool, now: Int64) -> [Action] {
        guard self.isWritable != isWritable else { return [] }
        self.isWritable = isWritable
        stalledAt = isWritable ? nil : now
        // What it said meanwhile was not read.
        heardAt = max(heardAt, now)
        guard isWritable else { return [] }
        return writeNotices() + startReads()
    }

    /// More waits for the device than may.
    mutating func overflowed(now: Int64) -> [Action] {
        end(Ending(.slow, "too much waited for this device; fetch again"), now)
    }

    private mutating func writeNotices() -> [Action] {
        guard isWritable, state == .open, !notices.isEmpty else { return [] }
        return notices.take().map { .write(ServerFrame(0, .notice($0))) }
    }
}
