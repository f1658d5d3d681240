internal import ClientWire

/// What a device that is behind is still to be told: who wrote, and how far. At most so many
/// senders; above it, one notice stands for all.
struct PendingNotices {
    private struct Entry {
        let sender: String
        var epoch: UInt64
        var maxSequence: UInt32
    }

    private let maximum: Int
    private var entries: [Entry] = []
    private var isForAll = false

    init(maximum: Int) { self.maximum = maximum }

    var isEmpty: Bool { entries.isEmpty && !isForAll }

    /// A sender has messages through this one.
    mutating func add(sender: String, epoch: UInt64, maxSequence: UInt32) {
        guard !isForAll else { return }
        if let place = entries.firstIndex(where: { $0.sender == sender }) {
            let isNewer = entries[place].epoch != epoch || entries[place].maxSequence < maxSequence
            if isNewer {
                entries[place].epoch = epoch
                entries[place].maxSequence = maxSequence
            }
        } else if entries.count < maximum {
            entries.append(Entry(sender: sender, epoch: epoch, maxSequence: maxSequence))
        } else {
            entries = []
            isForAll = true
        }
    }

    /// The notices, in the order in which their senders first wrote; none is left.
    mutating func take() -> [Notice] {
        defer {
            entries = []
            isForAll = false
        }
        if isForAll { return [Notice()] }
        return entries.map { entry in
            var notice = Notice()
            notice.sender = entry.sender
            notice.epoch = entry.epoch
            notice.maxSequence = entry.maxSequence
            return notice
        }
    }
}
