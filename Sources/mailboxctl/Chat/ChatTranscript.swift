import MailboxClient

/// What was said between this device and one peer, as a chat shows it. No I/O.
///
/// `delivered` is the chats' own: a chat answers what it showed with a receipt, which is a message
/// whose body is the byte 6 (ACK) and the sequence, in decimal, through which all was shown. So a
/// receipt is no more lost than a message, and one stands for all before it.
struct ChatTranscript {
    /// How far an outgoing message is.
    enum Mark: Equatable {
        case saved
        /// On the server; its number in the mailbox when that is known.
        case accepted(UInt32?)
        /// Shown by a chat of the receiver.
        case delivered
        /// Never to be accepted.
        case refused(String)
    }

    enum Entry: Equatable {
        case incoming(sequence: UInt32, text: String)
        case outgoing(id: Int64, text: String, mark: Mark)
        /// What the chat itself has to say.
        case note(String)
    }

    /// The oldest are forgotten beyond it.
    private static let entriesMaximum = 1_000
    private static let receiptMark: UInt8 = 6

    let peer: String
    private(set) var entries: [Entry] = []
    /// Accepted messages that are not delivered, by sequence.
    private var undelivered: [(sequence: UInt32, id: Int64)] = []
    /// Everything through it was shown by the receiver.
    private var deliveredThrough: UInt32 = 0

    init(peer: String) { self.peer = peer }

    /// The body that says that everything through a sequence was shown.
    static func receipt(through sequence: UInt32) -> [UInt8] {
        [receiptMark] + Array(String(sequence).utf8)
    }

    /// What a body says was shown; nil when it is no receipt.
    static func receiptSequence(_ body: [UInt8]) -> UInt32? {
        guard body.first == receiptMark, body.count <= 11 else { return nil }
        let digits = body.dropFirst()
        guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return UInt32(String(decoding: digits, as: UTF8.self))
    }

    /// Takes a message of the local history, oldest first.
    mutating func recall(_ message: StoredMessage) {
        switch message.direction {
        case .incoming: _ = receive(message)
        case .outgoing(let state):
            guard Self.receiptSequence(message.body) == nil else { return }
            _ = send(message.id, Text.body(message.body[...]))
            _ = settle(message.id, state)
        }
    }

    /// A message was saved.
    ///
    /// - Returns: what is to be said of it, line by line; so do the others.
    mutating func send(_ id: Int64, _ text: String) -> [String] {
        add(.outgoing(id: id, text: text, mark: .saved))
        return ["> \(id) saved"]
    }

    /// It is known what became of a message.
    mutating func settle(_ id: Int64, _ state: OutgoingState) -> [String] {
        switch state {
        case .saved: return []
        case .accepted(let sequence):
            guard mark(id, .accepted(sequence)) else { return [] }
            let lines = ["> \(id) accepted" + (sequence.map { " \($0)" } ?? "")]
            guard let sequence else { return lines }
            undelivered.append((sequence, id))
            return lines + deliver(through: deliveredThrough)
        case .refused(let reason):
            return mark(id, .refused("\(reason)")) ? ["> \(id) refused \(reason)"] : []
        }
    }

    /// A message of the peer came: what it said, or a receipt.
    mutating func receive(_ message: StoredMessage) -> [String] {
        if let sequence = Self.receiptSequence(message.body) { return deliver(through: sequence) }
        let text = Text.body(message.body[...])
        let sequence = message.sequence ?? 0
        add(.incoming(sequence: sequence, text: text))
        return ["\(peer) \(sequence): \(text)"]
    }

    /// The chat itself has something to say.
    mutating func note(_ text: String) -> [String] {
        add(.note(text))
        return ["* \(text)"]
    }

    private mutating func deliver(through sequence: UInt32) -> [String] {
        deliveredThrough = max(deliveredThrough, sequence)
        let reached = undelivered.filter { $0.sequence <= deliveredThrough }
        undelivered.removeAll { $0.sequence <= deliveredThrough }
        return reached.filter { mark($0.id, .delivered) }.map { "> \($0.id) delivered" }
    }

    private mutating func add(_ entry: Entry) {
        entries.append(entry)
        if entries.count > Self.entriesMaximum { entries.removeFirst() }
    }

    /// - Returns: false when the mark was there, or the message is forgotten.
    private mutating func mark(_ id: Int64, _ mark: Mark) -> Bool {
        for index in entries.indices.reversed() {
            guard case .outgoing(id, let text, let old) = entries[index] else { continue }
            guard old != mark, old != .delivered else { return false }
            entries[index] = .outgoing(id: id, text: text, mark: mark)
            return true
        }
        return false
    }
}
