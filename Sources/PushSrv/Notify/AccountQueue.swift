internal import Mailbox
internal import Synchronization

/// Accounts that somebody is to look at: each once, however often it is added; one taker.
final class AccountQueue: Sendable {
    private let accounts: Mutex<Set<Address>> = Mutex([])
    private let countMaximum: Int
    private let alarm = Alarm()

    /// - Parameter countMaximum: accounts that may wait; above it they are forgotten.
    init(countMaximum: Int) { self.countMaximum = countMaximum }

    func add(_ account: Address) {
        accounts.withLock { accounts in
            if accounts.count < countMaximum { accounts.insert(account) }
        }
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
