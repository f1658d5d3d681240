internal import Mailbox

/// The records of a group's payload: results, not requests, so that replaying them twice changes
/// nothing.
///
/// ```
///  append:       1 | key bytes | key … | message (MessageEncoding)
///  acknowledge:  2 | key bytes | key … | through
/// ```
/// One byte for the kind, one for the key's length.
enum JournalRecord {
    static let appendKind: UInt8 = 1
    static let acknowledgeKind: UInt8 = 2

    static func appendByteCount(_ append: borrowing Append) -> Int {
        4 + append.mailbox.receiver.utf8Count + append.mailbox.sender.utf8Count
            + MessageEncoding.byteCount(
                producer: append.producer, bodyByteCount: append.body.count)
    }

    /// Appends what stands in front of a message's encoding.
    @inline(__always)
    static func beginAppend(_ key: MailboxKey, to payload: inout [UInt8]) {
        // Both bytes in one step: each step checks the buffer for its owner and its room.
        payload.appendLittleEndian(UInt16(appendKind) | UInt16(key.count) << 8)
        key.append(to: &payload)
    }

    static func encodeAcknowledge(
        _ key: MailboxKey, through sequence: SequenceNumber, to payload: inout [UInt8]
    ) {
        payload.append(acknowledgeKind)
        payload.append(key.count)
        key.append(to: &payload)
        payload.appendLittleEndian(sequence)
    }

    /// A record, decoded as far as it must be to apply it.
    enum Decoded {
        /// The message begins at `offset` of the payload.
        case append(MailboxKey, header: MessageEncoding.Header, offset: Int)
        case acknowledge(MailboxKey, through: SequenceNumber)
    }

    /// The records of a payload, in order.
    ///
    /// - Throws: `corrupted` when a record is none: its frame's checksum held, so a program wrote
    ///   it so.
    static func decode(
        _ payload: [UInt8], at position: JournalPosition
    ) throws(StoreError) -> [Decoded] {
        let bytes = payload.span
        var records: [Decoded] = []
        var offset = 0
        while offset < bytes.count {
            guard let (record, next) = decode(bytes, at: offset) else {
                throw .corrupted(
                    "group \(position.rawValue) of the journal has no record at byte \(offset) "
                        + "that this "
                        + "program knows; use the program that wrote it, or a newer one")
            }
            records.append(record)
            offset = next
        }
        return records
    }

    private static func decode(
        _ bytes: borrowing Span<UInt8>, at offset: Int
    ) -> (Decoded, Int)? {
        guard offset + 2 <= bytes.count else { return nil }
        let keyEnd = offset + 2 + Int(bytes[offset + 1])
        guard keyEnd <= bytes.count,
            let key = MailboxKey(bytes: bytes.extracting((offset + 2)..<keyEnd))
        else { return nil }
        switch bytes[offset] {
        case appendKind:
            guard let header = MessageEncoding.header(in: bytes, at: keyEnd), header.sequence > 0
            else { return nil }
            return (.append(key, header: header, offset: keyEnd), keyEnd + header.byteCount)
        case acknowledgeKind:
            guard keyEnd + 4 <= bytes.count else { return nil }
            return (.acknowledge(key, through: bytes.littleEndian(keyEnd)), keyEnd + 4)
        default:
            return nil
        }
    }
}
