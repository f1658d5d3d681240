public import Mailbox

/// One call on a store, or something that happens to it.
///
/// Said in terms of the state that it meets ("the device's next number", "a cursor in the middle"),
/// not in figures: a list of operations keeps its meaning when some of them are left out.
public enum Operation: Sendable {
    /// One append.
    case append(AppendPlan)
    /// Many appends, each for itself.
    case batch([AppendPlan])
    /// Many appends, all or none.
    case atomic([AppendPlan])
    /// Asks for a device's last number.
    case sendState(MailboxID, DeviceID)
    /// Confirms and reads.
    case fetch(MailboxID, CursorPlan, PageLimit)
    /// Reads a range; the bounds are in thousandths of the newest sequence, and a bit above it.
    case read(MailboxID, afterPermille: Int, throughPermille: Int?, PageLimit)
    /// Confirms.
    case acknowledge(MailboxID, CursorPlan)
    /// Asks for a head.
    case head(MailboxID)
    /// Lists a receiver's mailboxes.
    case inbox(Address, after: Address?, limit: Int)
    /// Fetches over all senders.
    case sync(Address, [Address: CursorPlan], PageLimit)
    /// Removes what a policy allows; nil is the store's own.
    case compact(RetentionPolicy?)
    /// The clock moves by so many milliseconds, either way.
    case moveClock(Int64)
    /// Writes what is durable to where it stays.
    case checkpoint
    /// A clean close, and an open.
    case restart
    /// A stop without warning, and an open.
    case crash
    /// A backup, restored in place of the store.
    case restore

    /// One message to append.
    public struct AppendPlan: Sendable, CustomStringConvertible {
        /// Where it goes.
        public var mailbox: MailboxID
        /// How it is numbered.
        public var numbering: Numbering
        /// How large its body is, when the numbering leaves it open.
        public var bodyBytes: Int
        /// What its body is made from.
        public var bodySeed: UInt64

        /// Where, which number, how many bytes.
        public var description: String { "\(mailbox) \(numbering) \(bodyBytes) B" }
    }

    /// How a message is numbered by its device.
    public enum Numbering: Sendable, CustomStringConvertible {
        /// Not at all.
        case none
        /// By the number that the device has next.
        case next(DeviceID)
        /// By an earlier number, `back` before its last one, with the same body.
        case again(DeviceID, back: UInt32)
        /// By an earlier number with another body.
        case conflict(DeviceID, back: UInt32)
        /// By a number that leaves out `count`.
        case skipping(DeviceID, count: UInt32)
        /// By 0.
        case zero(DeviceID)

        /// The kind, the device and the figure.
        public var description: String {
            switch self {
            case .none: "unnumbered"
            case .next(let device): "\(device)'s next"
            case .again(let device, let back): "\(device)'s last - \(back) again"
            case .conflict(let device, let back): "\(device)'s last - \(back) with other bytes"
            case .skipping(let device, let count): "\(device)'s next + \(count)"
            case .zero(let device): "\(device)'s 0"
            }
        }
    }

    /// What a receiver says that it holds.
    public enum CursorPlan: Sendable {
        /// Nothing, without an epoch.
        case nothing
        /// The acknowledged watermark.
        case acknowledged
        /// So many thousandths of what there is, rounded down.
        case permille(Int)
        /// So many more than there are.
        case ahead(by: UInt32)
        /// So many thousandths, of an epoch that never was.
        case otherEpoch(permille: Int)
        /// So many thousandths, without an epoch.
        case withoutEpoch(permille: Int)
    }
}
