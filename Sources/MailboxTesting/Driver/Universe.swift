public import Mailbox

/// The few senders, receivers and devices that random operations are about.
public struct Universe: Sendable {
    /// Who sends.
    public let senders: [Address]
    /// Who receives.
    public let receivers: [Address]
    /// What they send with.
    public let devices: [DeviceID]
    /// Every sender with every receiver.
    public let mailboxes: [MailboxID]

    private static let kinds: [[String]] = [
        ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"],
        ["a", "aa", "ab", "aaa", "b", "ba", "aab", "bb"],
        ["é", "e\u{301}", "e", "E", "É", "日本語", "👩‍👩‍👧", "z"],
        (0..<8).map { String(repeating: "x", count: 63) + "\($0)" },
    ]

    /// - Parameter seed: decides how many there are and what they are called.
    public init(seed: UInt64) {
        var random = SeededRandom(seed: seed ^ 0x756E_6976)
        let names = Self.kinds[Int.random(in: 0..<Self.kinds.count, using: &random)]
        let addresses = names.compactMap { try? Address($0) }
        let senders = addresses.prefix(Int.random(in: 1...8, using: &random))
        let receivers = addresses.reversed().prefix(Int.random(in: 1...4, using: &random))
        self.senders = Array(senders)
        self.receivers = Array(receivers)
        devices = names.prefix(3).compactMap { try? DeviceID($0) }
        mailboxes = receivers.flatMap { receiver in
            senders.map { MailboxID(sender: $0, receiver: receiver) }
        }
    }
}
