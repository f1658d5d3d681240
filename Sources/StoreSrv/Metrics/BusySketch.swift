internal import Mailbox
internal import Synchronization

/// The mailboxes that are written to most, about: a bounded number of counters, of which a newcomer
/// takes the smallest and its count (the space-saving sketch). A count is never too small, and too
/// large by at most the smallest one.
///
/// Two windows of ten seconds: the one that fills, and the one before it.
final class BusySketch: Sendable {
    struct Entry {
        var mailbox: MailboxID
        var appendsPerSecond: Double
    }

    private struct Window {
        /// Which window it is: seconds divided by ten.
        var number: Int64 = .min
        var counts: [MailboxID: UInt64] = [:]
        /// Appends that were offered, sampled or not.
        var offered: UInt64 = 0
    }

    private struct State {
        var current = Window()
        var previous = Window()
        /// Where the next sample is taken, in appends from here.
        var untilSample = 0
    }

    static let windowSeconds: Int64 = 10
    static let capacity = 256
    /// Above so many appends in a window, one of `stride` is looked at, at random distances: what
    /// comes in a regular order would be seen from one side alone.
    private static let unsampledMaximum: UInt64 = 4_096
    private static let stride = 64

    private let state = Mutex(State())

    /// Counts appends. Cheap for many: a sample is looked at.
    func record(_ appends: [Append], second: Int64) {
        state.withLock { state in
            Self.turn(&state, to: second / Self.windowSeconds)
            var place = state.untilSample
            while place < appends.count {
                let isSampled = state.current.offered >= Self.unsampledMaximum
                let weight = isSampled ? Self.stride : 1
                Self.count(appends[place].mailbox, UInt64(weight), &state.current.counts)
                state.current.offered += UInt64(weight)
                place += isSampled ? Int.random(in: 1..<2 * Self.stride) : 1
            }
            state.untilSample = place - appends.count
        }
    }

    /// The busiest mailboxes, busiest first.
    func busiest(_ count: Int, second: Int64) -> [Entry] {
        let (current, previous) = state.withLock { state in
            Self.turn(&state, to: second / Self.windowSeconds)
            return (state.current.counts, state.previous.counts)
        }
        // Of the window before, as much as lies within the last ten seconds.
        let share =
            1 - Double(second % Self.windowSeconds + 1) / Double(Self.windowSeconds)
        var rates: [MailboxID: Double] = [:]
        for (mailbox, count) in current { rates[mailbox, default: 0] += Double(count) }
        for (mailbox, count) in previous { rates[mailbox, default: 0] += Double(count) * share }
        return rates.filter { $0.value > 0 }
            .sorted { ($0.value, $1.key) > ($1.value, $0.key) }.prefix(count)
            .map {
                Entry(
                    mailbox: $0.key,
                    appendsPerSecond: $0.value / Double(Self.windowSeconds))
            }
    }

    private static func turn(_ state: inout State, to number: Int64) {
        guard state.current.number != number else { return }
        state.previous =
            state.current.number == number - 1 ? state.current : Window(number: number - 1)
        state.current = Window(number: number)
    }

    private static func count(
        _ mailbox: MailboxID, _ weight: UInt64, _ counts: inout [MailboxID: UInt64]
    ) {
        if counts[mailbox] == nil, counts.count >= capacity,
            let smallest = counts.min(by: { $0.value < $1.value })
        {
            counts[smallest.key] = nil
            counts[mailbox] = smallest.value
        }
        counts[mailbox, default: 0] += weight
    }
}
