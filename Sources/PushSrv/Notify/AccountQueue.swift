internal import Mailbox
internal import Synchronization

/// Accounts that somebody is to look at: each once, however often it is added; one taker. Those
/// that are added are online, so that they are no more than the table of presence holds.
final class AccountQueue: Sendable {
    private let accounts: Mutex<Set<Address>> = Mutex([])
    private let alarm = Alarm()

    func add(_ account: Address) { add([account]) }

    func add(_ added: some Sequence<Address>) {
        accounts.withLock { $0.formUnion(added) }
        alarm.ring()
    }

    /// The next account; nil when the task is cancelled.
    func next() async -> Address? {
        while !Task.isCancelled {
            if let account = accounts.withLock({ $0.popFirst() }) { return account }
            await alarm.wait(until: nil)
        }
        return nil
    }
}
