import Mailbox

/// The messages that are sent: bodies of 100 bytes into mailboxes drawn at random.
struct Traffic: Sendable {
    static let mailboxCount = 100_000
    static let bodyBytes = 100

    private let mailboxes: [MailboxID]
    private let bodies: [UInt8]

    init(mailboxes count: Int = Traffic.mailboxCount) throws {
        var generator = SystemRandomNumberGenerator()
        mailboxes = try (0..<count).map {
            try MailboxID(
                sender: "user\($0 &* 48_271 % 100_000)", receiver: "user\($0 / 10)")
        }
        bodies = (0..<65_536).map { _ in UInt8.random(in: 32...126, using: &generator) }
    }

    /// A message into the mailbox of a number.
    func append(to number: Int, _ generator: inout some RandomNumberGenerator) -> Append {
        let start = Int.random(in: 0...(bodies.count - Self.bodyBytes), using: &generator)
        return Append(mailboxes[number], body: bodies[start..<start + Self.bodyBytes])
    }

    /// A message into some mailbox.
    func append(_ generator: inout some RandomNumberGenerator) -> Append {
        append(to: Int.random(in: 0..<mailboxes.count, using: &generator), &generator)
    }

    subscript(number: Int) -> MailboxID { mailboxes[number] }
    var count: Int { mailboxes.count }
}

/// A small generator: drawing the traffic must not cost what is measured.
struct FastRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
