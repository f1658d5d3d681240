/// One mailbox of the load: what its only sending device sent and heard, and what its only
/// receiving device holds.
final class Lane {
    /// A message that is under way.
    struct Message {
        /// When it was due, in nanoseconds.
        let due: Int64
        var isAccepted = false
        var isReceived = false
        var isDone: Bool { isAccepted && isReceived }
    }

    unowned let sender: Device
    unowned let receiver: Device
    /// Messages from client sequence `first` on: those before it are done.
    private var messages: [Message] = []
    private var first: UInt32 = 1
    /// What the receiver holds: everything through it.
    private(set) var held: UInt32 = 0
    /// What the server confirmed as acknowledged.
    private(set) var acknowledged: UInt32 = 0
    var isAcknowledging = false
    var isFetching = false

    init(from sender: Device, to receiver: Device) {
        self.sender = sender
        self.receiver = receiver
    }

    /// The last client sequence that was sent.
    var sent: UInt32 { first + UInt32(messages.count) - 1 }
    var isQuiet: Bool { messages.isEmpty && acknowledged == held }

    func send(due: Int64) -> UInt32 {
        messages.append(Message(due: due))
        return sent
    }

    /// - Returns: when the message was due, and whether it is done with that; nil when it was
    ///   accepted before.
    func accepted(_ clientSequence: UInt32) -> (due: Int64, isDone: Bool)? {
        note(clientSequence, \.isAccepted)
    }

    /// The receiver holds one more message.
    ///
    /// - Returns: as `accepted`.
    func received(_ clientSequence: UInt32) -> (due: Int64, isDone: Bool)? {
        held += 1
        return note(clientSequence, \.isReceived)
    }

    /// - Returns: how many messages more are acknowledged.
    func confirmed(_ sequence: UInt32) -> Int {
        guard sequence > acknowledged else { return 0 }
        defer { acknowledged = sequence }
        return Int(sequence - acknowledged)
    }

    private func note(
        _ clientSequence: UInt32, _ mark: WritableKeyPath<Message, Bool>
    ) -> (due: Int64, isDone: Bool)? {
        guard clientSequence >= first, clientSequence <= sent else { return nil }
        let place = Int(clientSequence - first)
        guard !messages[place][keyPath: mark] else { return nil }
        messages[place][keyPath: mark] = true
        let message = messages[place]
        let done = messages.prefix { $0.isDone }.count
        messages.removeFirst(done)
        first += UInt32(done)
        return (message.due, message.isDone)
    }
}
