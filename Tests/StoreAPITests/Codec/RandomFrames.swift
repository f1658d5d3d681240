import Mailbox
import MailboxTesting
import StoreAPI

/// Random frames and answers, as a seed decides.
struct RandomFrames {
    var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func number<Integer: FixedWidthInteger & UnsignedInteger>(
        _ type: Integer.Type = Integer.self
    ) -> Integer {
        // All lengths of integers are as likely as each other.
        let bits = Int.random(in: 0...Integer.bitWidth, using: &random)
        return bits == 0
            ? 0 : Integer.random(in: 0...Integer.max, using: &random) >> (Integer.bitWidth - bits)
    }

    mutating func name() -> String {
        let pieces = ["a", "b", "zoë", "🦉", "-", "x1", "日本"]
        var name = ""
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            name += pieces[Int.random(in: 0..<pieces.count, using: &random)]
        }
        return name
    }

    mutating func mailbox() throws -> MailboxID {
        try MailboxID(sender: name(), receiver: name())
    }

    mutating func producer() throws -> Producer? {
        random.chance(50)
            ? Producer(device: try DeviceID(name()), clientSequence: number()) : nil
    }

    mutating func body() -> [UInt8] {
        let size =
            random.chance(5)
            ? Int.random(in: 0...20_000, using: &random) : Int.random(in: 0...200, using: &random)
        return random.chance(10) ? [] : random.bytes(size)
    }

    mutating func append() throws -> Append {
        Append(try mailbox(), producer: try producer(), body: body())
    }

    mutating func appends() throws -> [Append] {
        try (0..<Int.random(in: 0...20, using: &random)).map { _ in try append() }
    }

    mutating func fetch() throws -> FetchCall {
        let limit =
            random.chance(50)
            ? PageLimit.standard
            : PageLimit(
                messages: 1 + Int(number(UInt16.self)), bytes: 1 + Int(number(UInt32.self)))
        return FetchCall(
            try mailbox(), cursor: Cursor(number(), epoch: Epoch(rawValue: number())), limit: limit)
    }

    mutating func error() throws -> StoreError {
        let codes = StoreError.Code.ofStores
        var facts = StoreError.Facts()
        if random.chance(50) { facts.expectedClientSequence = number() }
        if random.chance(50) { facts.maxSequence = number() }
        if random.chance(50) { facts.currentEpoch = Epoch(rawValue: number()) }
        if random.chance(50) { facts.floor = number() }
        if random.chance(50) { facts.mailbox = try mailbox() }
        return StoreError(
            code: codes[Int.random(in: 0..<codes.count, using: &random)], message: name(),
            facts: facts)
    }

    mutating func appendOutcomes() throws -> [AppendOutcome] {
        try (0..<Int.random(in: 0...20, using: &random)).map { _ in
            if random.chance(20) { return .failure(try error()) }
            let sequence = number(UInt32.self)
            return .success(
                AppendResult(
                    sequence: sequence == 0 ? nil : sequence,
                    isDuplicate: sequence == 0 || random.chance(50),
                    durability: Durability.allCases[Int.random(in: 0...2, using: &random)],
                    timestampMilliseconds: random.chance(30)
                        ? nil : Int64(bitPattern: number(UInt64.self)),
                    epoch: Epoch(rawValue: number()), wasResent: random.chance(10)))
        }
    }

    mutating func head() -> Head {
        let max = number(UInt32.self)
        let acknowledged = UInt32.random(in: 0...max, using: &random)
        return Head(
            max: max, acknowledged: acknowledged,
            floor: UInt32.random(in: 0...acknowledged, using: &random), bodyBytes: number(),
            newestTimestampMilliseconds: Int64(bitPattern: number()))
    }

    mutating func fetchResult() throws -> FetchResult {
        let count = Int.random(in: 0...20, using: &random)
        let first = Swift.max(1, Swift.min(number(UInt32.self), .max - 20))
        let messages = try (0..<count).map { index in
            Message(
                sequence: first + UInt32(index),
                timestampMilliseconds: Int64(number(UInt64.self) >> 16), producer: try producer(),
                body: body()[...])
        }
        // Several stretches, as an engine hands them out.
        var batch = MessageBatch()
        var rest = messages[...]
        while !rest.isEmpty {
            let part = rest.prefix(Int.random(in: 1...rest.count, using: &random))
            rest = rest.dropFirst(part.count)
            let segment = MessageBatch(Array(part)).segments[0]
            batch.append(
                storage: [9, 9] + segment.storage, offset: 2, count: segment.count,
                bodyBytes: part.reduce(0) { $0 + $1.body.count })
        }
        let epoch = Epoch(rawValue: number()) ?? Epoch.mint()
        return FetchResult(
            messages: batch, hasMore: random.chance(50), head: head(), epoch: epoch)
    }

    mutating func fetchOutcomes() throws -> [FetchOutcome] {
        try (0..<Int.random(in: 0...6, using: &random)).map { _ in
            random.chance(20) ? .failure(try error()) : .success(try fetchResult())
        }
    }

    /// A field that nobody knows.
    mutating func unknownField() -> [UInt8] {
        let number = UInt8.random(in: 10...15, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return [number << 3, 0xFF, 0x01]
        case 1: return [number << 3 | 1] + random.bytes(8)
        case 2: return [number << 3 | 2, 3] + random.bytes(3)
        case 3: return [number << 3 | 3, 0x08, 0x05] + unknownField() + [number << 3 | 4]
        default: return [number << 3 | 5] + random.bytes(4)
        }
    }
}
