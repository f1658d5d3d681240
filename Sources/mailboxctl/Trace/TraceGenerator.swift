import Glibc
import Mailbox

/// A trace out of nothing: few mailboxes have most of the messages, most have a few. The same seed
/// gives the same trace.
struct TraceGenerator: TraceSource {
    private static let words = [
        "ok", "see", "you", "at", "the", "station", "tomorrow", "morning", "thanks", "for",
        "dinner", "yesterday", "grüße", "from", "lisbon", "running", "late", "again", "call", "me",
        "when", "home", "did", "anna", "write", "back", "yes", "no", "maybe", "later", "👍", "café",
    ]
    /// 2004-04-15, where the real trace begins too.
    private static let firstMilliseconds: Int64 = 1_082_040_961_000

    private let count: Int
    private let mailboxCount: Int
    private let userCount: UInt64
    private var random: SplitMix64
    private var produced = 0
    private var timeMilliseconds = Self.firstMilliseconds
    let skippedLines = 0

    /// - Parameters:
    ///   - count: how many messages, from 0.
    ///   - mailboxCount: among how many mailboxes at most, from 1.
    init(count: Int, mailboxCount: Int, seed: UInt64) {
        self.count = count
        self.mailboxCount = mailboxCount
        userCount = max(2, UInt64(Double(mailboxCount).squareRoot() * 4))
        random = SplitMix64(state: seed)
    }

    var fraction: Double? { count == 0 ? nil : Double(produced) / Double(count) }

    mutating func next() throws(Failure) -> TraceRecord? {
        guard produced < count else { return nil }
        produced += 1
        timeMilliseconds += Int64(random.next() % 20_000)
        do {
            return TraceRecord(
                mailbox: try mailbox(rank: rank()), timeMilliseconds: timeMilliseconds,
                body: body())
        } catch {
            throw Failure(store: error)
        }
    }

    /// 0 … mailboxCount - 1, rank r about 1/(r + 1) as often as rank 0.
    private mutating func rank() -> Int {
        let position = exp(random.unit() * log(Double(mailboxCount) + 1))
        return min(Int(position) - 1, mailboxCount - 1)
    }

    private func mailbox(rank: Int) throws(StoreError) -> MailboxID {
        var mixer = SplitMix64(state: UInt64(rank))
        let sender = mixer.next() % userCount
        let receiver = (sender + 1 + mixer.next() % (userCount - 1)) % userCount
        return try MailboxID(sender: "user\(sender + 1)", receiver: "user\(receiver + 1)")
    }

    /// One to some dozens of words, 70 bytes or so in the middle.
    private mutating func body() -> ArraySlice<UInt8> {
        let wordCount = 1 + Int(-log(1 - random.unit()) * 13)
        var bytes: [UInt8] = []
        for index in 0..<min(wordCount, 200) {
            if index > 0 { bytes.append(UInt8(ascii: " ")) }
            bytes += Self.words[Int(random.next() % UInt64(Self.words.count))].utf8
        }
        return bytes[...]
    }
}

/// A small generator whose whole state is one number (Steele, Lea and Flood's SplitMix64).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// 0 up to but not 1.
    mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
}
