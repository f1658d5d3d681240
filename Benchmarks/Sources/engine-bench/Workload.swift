import CBench
import Mailbox

/// A small generator whose numbers are the same on every machine.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// The messages that every contestant stores: the same mailboxes in the same order, with the same
/// bodies.
struct Workload: Sendable {
    static let bodyBytes = 100
    private static let bodiesBytes = 1 << 20

    /// Each mailbox as the engine takes it.
    let mailboxes: [MailboxID]
    /// Each mailbox as the peers take it: receiver and sender with their lengths in front.
    private let keys: [UInt8]
    private let keyBytes: Int
    /// The mailbox of each message.
    private(set) var stream: [UInt32]
    /// How many of the stream's first messages are sent before the clock starts.
    var warmupCount: Int
    var secondsMaximum: Double
    private let bodies: [UInt8]

    /// The messages inside the timing.
    var messageCount: Int { stream.count - warmupCount }

    /// - Parameter stream: the mailbox of each message, given the generator to draw from.
    init(
        mailboxes count: Int, seed: UInt64, warmupCount: Int = 0, secondsMaximum: Double = 1e9,
        stream: (inout SplitMix64) -> [UInt32]
    ) throws {
        var generator = SplitMix64(seed: seed)
        bodies = (0..<Self.bodiesBytes / 8).flatMap { _ in
            withUnsafeBytes(of: generator.next()) { Array($0) }
        }
        var mailboxes: [MailboxID] = []
        var keys: [UInt8] = []
        mailboxes.reserveCapacity(count)
        for number in 0..<count {
            let (sender, receiver) = Self.names(number, of: count)
            mailboxes.append(try MailboxID(sender: sender, receiver: receiver))
            for name in [receiver, sender] {
                keys.append(UInt8(name.utf8.count))
                keys.append(contentsOf: name.utf8)
            }
        }
        self.mailboxes = mailboxes
        self.keys = keys
        keyBytes = keys.count / count
        self.stream = stream(&generator)
        self.warmupCount = warmupCount
        self.secondsMaximum = secondsMaximum
    }

    /// Messages into mailboxes drawn at random, of which a twentieth more are sent as a warm-up.
    static func random(
        mailboxes count: Int, messages: Int, seed: UInt64, secondsMaximum: Double = 1e9
    ) throws -> Workload {
        let warmup = messages / 20
        return try Workload(
            mailboxes: count, seed: seed, warmupCount: warmup, secondsMaximum: secondsMaximum
        ) { generator in
            (0..<messages + warmup).map { _ in
                UInt32.random(in: 0..<UInt32(count), using: &generator)
            }
        }
    }

    /// Ten senders for each receiver; all names of one workload are of one length.
    private static func names(_ number: Int, of count: Int) -> (sender: String, receiver: String) {
        let base = count > 100_000 ? 1_000_000 : 100_000
        func name(_ user: Int) -> String { "user" + String(base + user).dropFirst() }
        return (name(number * 48_271 % base), name(number / 10))
    }

    /// The body of message `index`: the same window as `bench_body` takes.
    @inline(__always)
    func body(_ index: Int) -> ArraySlice<UInt8> {
        let start = index * 61 % (Self.bodiesBytes - Self.bodyBytes)
        return bodies[start..<start + Self.bodyBytes]
    }

    /// Message `index` as the engine takes it.
    @inline(__always)
    func append(_ index: Int) -> Append {
        Append(mailboxes[Int(stream[index])], body: body(index))
    }

    /// The first part of the messages, for trying settings out.
    func shortened(to share: Double) -> Workload {
        var copy = self
        copy.stream.removeLast(Int(Double(messageCount) * (1 - share)))
        return copy
    }

    /// Lends the workload to a peer.
    func withPeerWorkload<Answer>(_ body: (UnsafePointer<bench_workload>) -> Answer) -> Answer {
        keys.withUnsafeBufferPointer { keys in
            stream.withUnsafeBufferPointer { stream in
                bodies.withUnsafeBufferPointer { bodies in
                    var workload = bench_workload()
                    workload.keys = keys.baseAddress
                    workload.key_bytes = keyBytes
                    workload.mailbox_count = mailboxes.count
                    workload.stream = stream.baseAddress
                    workload.warmup_count = warmupCount
                    workload.message_count = messageCount
                    workload.bodies = bodies.baseAddress
                    workload.bodies_bytes = bodies.count
                    workload.body_bytes = Self.bodyBytes
                    workload.seconds_maximum = secondsMaximum
                    return withUnsafePointer(to: &workload, body)
                }
            }
        }
    }
}
