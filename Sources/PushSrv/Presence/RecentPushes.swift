internal import Mailbox
internal import StoreAPI

/// The newest push of each mailbox in the last seconds, for sessions that come online: word of them
/// may be on its way while a message passes by. Bounded: when too much comes, it goes back less
/// far, and says so.
struct RecentPushes: Sendable {
    typealias Moment = ContinuousClock.Instant

    private struct Newest: Sendable {
        var epoch: Epoch
        var sequence: SequenceNumber
    }

    private struct Generation: Sendable {
        let began: Moment
        var count = 0
        var accounts: [Address: [Address: Newest]] = [:]
    }

    /// How long a generation lasts: what is asked for is one to two of them old.
    static let generation = Duration.seconds(5)
    /// It must go back at least so far to be believed.
    static let reach = Duration.seconds(2)

    private let countMaximum: Int
    private var current: Generation
    private var previous: Generation?

    /// - Parameter countMaximum: mailboxes of one generation.
    init(now: Moment, countMaximum: Int = 16_384) {
        self.countMaximum = countMaximum
        current = Generation(began: now)
    }

    /// Notes what is pushed.
    mutating func note(_ push: Push, now: Moment) {
        if now - current.began >= Self.generation || current.count >= countMaximum {
            previous = current
            current = Generation(began: now)
        }
        let (sender, receiver) = (push.mailbox.sender, push.mailbox.receiver)
        let known = current.accounts[receiver]?[sender]
        if let known, known.epoch == push.epoch, known.sequence >= push.sequence { return }
        if known == nil { current.count += 1 }
        current.accounts[receiver, default: [:]][sender] = Newest(
            epoch: push.epoch, sequence: push.sequence)
    }

    /// What was pushed to an account, as notices; nil when it does not go back far enough.
    func notices(to account: Address, now: Moment = .now) -> [Push]? {
        if let previous, now - previous.began < Self.reach { return nil }
        var newest = previous?.accounts[account] ?? [:]
        newest.merge(current.accounts[account] ?? [:]) { $1 }
        return newest.map { sender, newest in
            Push(
                mailbox: MailboxID(sender: sender, receiver: account), epoch: newest.epoch,
                content: .notice(max: newest.sequence))
        }
    }
}
