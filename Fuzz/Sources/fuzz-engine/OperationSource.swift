import Fuzzing

@testable import Mailbox
@testable import MailboxTesting

/// Reads operations from bytes: two to ten bytes each, so that a small change of an input is a
/// small change of the list.
struct OperationSource {
    var bytes: ByteReader
    let universe: Universe

    static let operationsMaximum = 120

    mutating func operations() -> [Operation] {
        var operations: [Operation] = []
        while !bytes.isAtEnd, operations.count < Self.operationsMaximum {
            operations.append(next())
        }
        return operations
    }

    private mutating func next() -> Operation {
        switch bytes.byte() % 32 {
        case 0..<8: .append(plan())
        case 8, 9: .batch(plans())
        case 10: .atomic(plans())
        case 11: .sendState(mailbox(), device())
        case 12..<16: .fetch(mailbox(), cursor(), limit())
        case 16, 17:
            .read(
                mailbox(), afterPermille: permille(),
                throughPermille: bytes.byte() < 128 ? permille() : nil, limit())
        case 18, 19: .acknowledge(mailbox(), cursor())
        case 20: .head(mailbox())
        case 21: .inbox(receiver(), after: bytes.byte() < 128 ? sender() : nil, limit: 5)
        case 22, 23: sync()
        case 24, 25: .compact(policy())
        case 26: .moveClock(Int64(Int8(bitPattern: bytes.byte())) * 1_000)
        case 27, 28: .checkpoint
        case 29: .restart
        case 30: .crash
        default: bytes.byte() < 64 ? .restore : .crash
        }
    }

    private mutating func mailbox() -> MailboxID {
        universe.mailboxes[bytes.number(below: universe.mailboxes.count)]
    }
    private mutating func receiver() -> Address {
        universe.receivers[bytes.number(below: universe.receivers.count)]
    }
    private mutating func sender() -> Address {
        universe.senders[bytes.number(below: universe.senders.count)]
    }
    private mutating func device() -> DeviceID {
        universe.devices[bytes.number(below: universe.devices.count)]
    }
    private mutating func permille() -> Int { Int(bytes.byte()) * 4 }

    private mutating func plan() -> Operation.AppendPlan {
        let mailbox = mailbox()
        let kind = bytes.byte()
        let back = UInt32(kind >> 4)
        let numbering: Operation.Numbering =
            switch kind % 16 {
            case 0..<4: .none
            case 4..<11: .next(device())
            case 11, 12: .again(device(), back: back)
            case 13: .conflict(device(), back: back)
            case 14: .skipping(device(), count: back + 1)
            default: .zero(device())
            }
        let size = Int(bytes.byte())
        return Operation.AppendPlan(
            mailbox: mailbox, numbering: numbering,
            bodyBytes: size < 200 ? size : size < 254 ? 20 * size : 19_746 + size,
            bodySeed: UInt64(kind))
    }

    private mutating func plans() -> [Operation.AppendPlan] {
        (0..<bytes.number(below: 6)).map { _ in plan() }
    }

    private mutating func cursor() -> Operation.CursorPlan {
        let kind = bytes.byte()
        return switch kind % 8 {
        case 0: .nothing
        case 1: .acknowledged
        case 2, 3: .permille(permille())
        case 4, 5: .permille(1_000)
        case 6: .ahead(by: 1 + UInt32(kind >> 3))
        default:
            kind & 8 == 0
                ? .otherEpoch(permille: permille()) : .withoutEpoch(permille: permille())
        }
    }

    private mutating func limit() -> PageLimit {
        let size = bytes.byte()
        return size < 64
            ? .standard : PageLimit(messages: Int(size) % 8, bytes: 1 + Int(size) * 16)
    }

    private mutating func sync() -> Operation {
        let receiver = receiver()
        var cursors: [Address: Operation.CursorPlan] = [:]
        let chosen = bytes.byte()
        for (index, sender) in universe.senders.enumerated() where chosen >> index & 1 != 0 {
            cursors[sender] = .permille(1_000)
        }
        return .sync(receiver, cursors, limit())
    }

    private mutating func policy() -> RetentionPolicy? {
        let kind = bytes.byte()
        return switch kind % 5 {
        case 0, 1: nil
        case 2: .unacknowledged
        case 3: .newest(UInt32(kind >> 3))
        default: .acknowledged(forMilliseconds: Int64(kind >> 3) * 1_000)
        }
    }
}
