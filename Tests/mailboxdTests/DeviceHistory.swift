import Mailbox
import NIOCore
import NIOPosix
import Synchronization

/// What the people at the devices saw, kept outside of everything that is tested; and what it
/// breaks, of the oracle of FAILURES.
final class DeviceHistory: Sendable {
    /// Who writes to whom, by their numbers.
    struct Pair: Hashable, Sendable, CustomStringConvertible {
        let sender: Int
        let receiver: Int
        var description: String { "\(sender)→\(receiver)" }
    }

    /// What was seen.
    struct Seen: Sendable {
        /// By pair: the number of messages given to the sender's client.
        var sent: [Pair: Int] = [:]
        /// By pair: how many the sender was told are accepted.
        var accepted: [Pair: Int] = [:]
        /// By pair: the last one that the receiver saw.
        var received: [Pair: Int] = [:]
        /// By pair: the last one that the receiver confirmed to its client.
        var confirmed: [Pair: Int] = [:]
        /// Of those that were accepted: how many with their sequence.
        var acceptedWithSequence = 0
        var violations: [String] = []

        var acceptedCount: Int { accepted.values.reduce(0, +) }
        /// Whether all that was sent is with its receiver, who has nothing more to do.
        var isComplete: Bool { sent == received && sent == accepted && sent == confirmed }

        /// Whether each device was told something new since then: of a message of its own, and of
        /// one of another's.
        func isNewer(than before: Seen, devices: Int) -> Bool {
            (0..<devices).allSatisfy { device in
                accepted.contains {
                    $0.key.sender == device && $0.value > before.accepted[$0.key] ?? 0
                }
                    && received.contains {
                        $0.key.receiver == device && $0.value > before.received[$0.key] ?? 0
                    }
            }
        }
    }

    private struct Waiter {
        let check: @Sendable (Seen) -> Bool
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var seen = Seen()
        var waiters: [Int: Waiter] = [:]
        var nextWaiter = 0
    }

    private let state = Mutex(State())

    var seen: Seen { state.withLock { $0.seen } }

    // MARK: What happens

    func sent(_ pair: Pair, _ number: Int) { note { $0.sent[pair] = number } }

    /// One device writes each mailbox, in order: a message's number is its sequence.
    func accepted(_ pair: Pair, _ number: Int, sequence: UInt32?) {
        note { seen in
            seen.accepted[pair, default: 0] += 1
            guard let sequence else { return }
            seen.acceptedWithSequence += 1
            if Int(sequence) != number {
                seen.violations.append("\(pair) \(number) was accepted as \(sequence)")
            }
        }
    }

    func received(_ pair: Pair, _ number: Int, sequence: UInt32?) {
        note { seen in
            let last = seen.received[pair] ?? 0
            if number != last + 1 {
                seen.violations.append("\(pair): \(number) came behind \(last)")
            }
            if sequence.map(Int.init) != number {
                seen.violations.append("\(pair) \(number) came as \(sequence ?? 0)")
            }
            seen.received[pair] = number
        }
    }

    func confirmed(_ pair: Pair, _ number: Int) { note { $0.confirmed[pair] = number } }

    func violated(_ text: String) { note { $0.violations.append(text) } }

    private func note(_ change: (inout Seen) -> Void) {
        let ready = state.withLock { state -> [Waiter] in
            change(&state.seen)
            let ready = state.waiters.filter { $0.value.check(state.seen) }
            for key in ready.keys { state.waiters[key] = nil }
            return Array(ready.values)
        }
        for waiter in ready { waiter.continuation.resume(returning: true) }
    }

    // MARK: Waiting

    /// Waits until something is so.
    ///
    /// - Throws: when it is not after so many seconds, with what is missing.
    func wait(
        for what: String, seconds: Int64 = 60, until check: @escaping @Sendable (Seen) -> Bool
    ) async throws {
        let isThere = await withCheckedContinuation {
            (continuation: CheckedContinuation<Bool, Never>) in
            let number = state.withLock { state -> Int? in
                if check(state.seen) { return nil }
                state.nextWaiter += 1
                state.waiters[state.nextWaiter] = Waiter(check: check, continuation: continuation)
                return state.nextWaiter
            }
            guard let number else { return continuation.resume(returning: true) }
            MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .seconds(seconds)) {
                self.giveUp(number)
            }
        }
        guard !isThere else { return }
        let seen = seen
        throw TextSocket.Failed(
            message: "no \(what) in \(seconds) s; sent \(seen.sent), accepted \(seen.accepted), "
                + "received \(seen.received), violations \(seen.violations.prefix(5))")
    }

    private func giveUp(_ number: Int) {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
        waiter?.continuation.resume(returning: false)
    }
}
