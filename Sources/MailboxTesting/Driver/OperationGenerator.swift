internal import Mailbox

/// Draws random operations: the same seed, the same list.
///
/// Each seed has a character of its own (how often it compacts, crashes, sends in batches): a
/// thousand seeds of a hundred operations go to more corners than one of a hundred thousand.
public struct OperationGenerator {
    private var random: SeededRandom
    private let universe: Universe
    private let bodyBytesMaximum: Int
    private let choices: [(weight: Int, kind: Kind)]
    private let totalWeight: Int

    private enum Kind: CaseIterable {
        case append, batch, atomic, sendState, fetch, read, acknowledge, head, inbox, sync
        case compact, clock, checkpoint, restart, crash, restore

        var usualWeight: Int {
            switch self {
            case .append: 200
            case .batch: 70
            case .atomic: 40
            case .fetch: 130
            case .read, .acknowledge: 60
            case .sync: 40
            case .sendState, .head, .inbox: 25
            case .compact: 15
            case .clock: 30
            case .checkpoint: 15
            case .restart: 6
            case .crash: 10
            case .restore: 1
            }
        }
    }

    /// - Parameters:
    ///   - seed: decides everything.
    ///   - universe: what the operations are about.
    ///   - bodyBytesMaximum: the store's largest body.
    public init(seed: UInt64, universe: Universe, bodyBytesMaximum: Int) {
        var random = SeededRandom(seed: seed)
        choices = Kind.allCases.map { kind in
            let factors = [0, 1, 2, 4, 4, 4, 8, 16]
            let factor = factors[Int.random(in: 0..<factors.count, using: &random)]
            return (kind == .append ? max(200, 50 * factor) : kind.usualWeight * factor / 4, kind)
        }
        totalWeight = choices.reduce(0) { $0 + $1.weight }
        self.random = random
        self.universe = universe
        self.bodyBytesMaximum = bodyBytesMaximum
    }

    /// So many operations.
    public mutating func operations(_ count: Int) -> [Operation] {
        (0..<count).map { _ in next() }
    }

    private mutating func next() -> Operation {
        var ticket = Int.random(in: 0..<totalWeight, using: &random)
        for (weight, kind) in choices {
            ticket -= weight
            if ticket < 0 { return operation(kind) }
        }
        return .head(mailbox())
    }

    private mutating func operation(_ kind: Kind) -> Operation {
        switch kind {
        case .append: return .append(plan(bodyBytes: bodyBytes()))
        case .batch: return .batch(plans())
        case .atomic: return .atomic(plans())
        case .sendState: return .sendState(mailbox(), device())
        case .fetch: return .fetch(mailbox(), cursor(), limit())
        case .read:
            let through = random.chance(50) ? Int.random(in: 0...1_100, using: &random) : nil
            return .read(
                mailbox(), afterPermille: Int.random(in: 0...1_050, using: &random),
                throughPermille: through, limit())
        case .acknowledge: return .acknowledge(mailbox(), cursor())
        case .head: return .head(mailbox())
        case .inbox:
            return .inbox(
                receiver(), after: random.chance(50) ? sender() : nil,
                limit: random.chance(5) ? 0 : Int.random(in: 1...10, using: &random))
        case .sync: return sync()
        case .compact: return .compact(policy())
        case .clock:
            let day: Int64 = 86_400_000
            return .moveClock(
                random.chance(90)
                    ? Int64.random(in: 0...10_000, using: &random)
                    : Int64.random(in: -day...day, using: &random))
        case .checkpoint: return .checkpoint
        case .restart: return .restart
        case .crash: return .crash
        case .restore: return .restore
        }
    }
}

extension OperationGenerator {
    private mutating func mailbox() -> MailboxID {
        universe.mailboxes[random.skewedIndex(below: universe.mailboxes.count)]
    }

    private mutating func receiver() -> Address {
        universe.receivers[random.skewedIndex(below: universe.receivers.count)]
    }

    private mutating func sender() -> Address {
        universe.senders[random.skewedIndex(below: universe.senders.count)]
    }

    private mutating func device() -> DeviceID {
        universe.devices[random.skewedIndex(below: universe.devices.count)]
    }

    private mutating func bodyBytes() -> Int {
        switch Int.random(in: 0..<200, using: &random) {
        case 0: bodyBytesMaximum + 1
        case 1: bodyBytesMaximum
        case 2..<30: Int.random(in: 0...min(5_000, bodyBytesMaximum), using: &random)
        case 30..<100: Int.random(in: 0...min(500, bodyBytesMaximum), using: &random)
        default: Int.random(in: 0...min(40, bodyBytesMaximum), using: &random)
        }
    }

    private mutating func plan(bodyBytes: Int) -> Operation.AppendPlan {
        let numbering: Operation.Numbering =
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<35: .none
            case 35..<80: .next(device())
            case 80..<92: .again(device(), back: UInt32(random.skewedIndex(below: 64)))
            case 92..<95: .conflict(device(), back: UInt32(random.skewedIndex(below: 8)))
            case 95..<99: .skipping(device(), count: UInt32(random.skewedIndex(below: 100) + 1))
            default: .zero(device())
            }
        return Operation.AppendPlan(
            mailbox: mailbox(), numbering: numbering, bodyBytes: bodyBytes, bodySeed: random.next())
    }

    private mutating func plans() -> [Operation.AppendPlan] {
        let isLong = random.chance(10)
        let count = isLong ? 120 : Int.random(in: 0...12, using: &random)
        return (0..<count).map { _ in
            plan(
                bodyBytes: isLong ? Int.random(in: 0...60, using: &random) : min(bodyBytes(), 2_000)
            )
        }
    }

    private mutating func cursor() -> Operation.CursorPlan {
        let permille = Int.random(in: 0...1_000, using: &random)
        return switch Int.random(in: 0..<100, using: &random) {
        case 0..<15: .nothing
        case 15..<30: .acknowledged
        case 30..<65: .permille(permille)
        case 65..<88: .permille(1_000)
        case 88..<92: .ahead(by: UInt32(random.skewedIndex(below: 1_000) + 1))
        case 92..<96: .otherEpoch(permille: permille)
        default: .withoutEpoch(permille: permille)
        }
    }

    private mutating func limit() -> PageLimit {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: PageLimit(messages: 0)
        case 1: PageLimit(bytes: 1)
        case 2..<5: PageLimit(messages: .max, bytes: .max)
        case 5..<9: .standard
        default:
            PageLimit(
                messages: Int.random(in: 1...30, using: &random),
                bytes: Int.random(in: 1...5_000, using: &random))
        }
    }

    private mutating func sync() -> Operation {
        var cursors: [Address: Operation.CursorPlan] = [:]
        for sender in universe.senders where random.chance(40) {
            // Mostly good ones: one that is refused makes the whole call refused.
            cursors[sender] = random.chance(3) ? cursor() : .permille(1_000)
        }
        return .sync(receiver(), cursors, limit())
    }

    private mutating func policy() -> RetentionPolicy? {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4: nil
        case 4..<6: .unacknowledged
        case 6..<8: .newest(UInt32.random(in: 0...30, using: &random))
        case 8: .acknowledged(forMilliseconds: Int64.random(in: 0...60_000, using: &random))
        default: .acknowledged(forMilliseconds: random.chance(20) ? -1 : .max)
        }
    }
}
