import Glibc
import Mailbox

/// The mailboxes, devices and bodies of the workload, each known by numbers alone.
enum Universe {
    static let mailboxCount = 6
    static let deviceCount = 2
    static let mailboxes: [MailboxID] = (0..<mailboxCount).compactMap {
        try? MailboxID(sender: "sender\($0)", receiver: "receiver\($0 % 2)")
    }
    static let devices: [DeviceID] = (0..<deviceCount).compactMap { try? DeviceID("device\($0)") }

    /// Who wrote a message: enough to tell its body.
    struct Origin: Hashable {
        var device: Int
        var clientSequence: ClientSequence
        /// Which run of the workload: what a cut took back is written again by another.
        var run: Int
    }

    private static let headerByteCount = 16

    /// A body that says where it comes from, and is wrong everywhere when it is wrong anywhere.
    static func body(_ mailbox: Int, _ origin: Origin, byteCount: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(max(byteCount, headerByteCount))
        let words = [
            UInt32(mailbox), UInt32(origin.device), origin.clientSequence, UInt32(origin.run),
        ]
        for word in words {
            for shift in [0, 8, 16, 24] as [UInt32] {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        bytes.append(
            contentsOf: repeatElement(fill(origin), count: max(0, byteCount - bytes.count)))
        return bytes
    }

    private static func fill(_ origin: Origin) -> UInt8 {
        UInt8(truncatingIfNeeded: Int(origin.clientSequence) &* 31 &+ origin.run &* 7 | 1)
    }

    /// The origin that a message of a mailbox says it has, nil when its body is not whole.
    static func origin(_ message: Message, mailbox: Int) -> Origin? {
        guard message.body.count >= headerByteCount, let producer = message.producer else {
            return nil
        }
        return message.body.withUnsafeBytes { bytes -> Origin? in
            func word(_ index: Int) -> Int {
                Int(bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
            }
            let origin = Origin(
                device: word(1), clientSequence: UInt32(word(2)), run: word(3))
            guard word(0) == mailbox, devices.indices.contains(origin.device),
                devices[origin.device] == producer.device,
                origin.clientSequence == producer.clientSequence
            else { return nil }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[headerByteCount...])
            guard let first = rest.first else { return origin }
            // Each byte is the next one, so all are the first.
            guard first == fill(origin),
                memcmp(rest.baseAddress!, rest.baseAddress! + 1, rest.count - 1) == 0
            else { return nil }
            return origin
        }
    }
}
