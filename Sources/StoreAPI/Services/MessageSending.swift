public import Mailbox

/// What SendSrv does for whoever has a device's messages: ConnectSrv calls it in its own process,
/// or over gRPC, and sees no difference.
///
/// **Order.** Messages of one mailbox are stored in the order of the calls to `send(_:whenDone:)`,
/// and calls do not wait for one another: a connection hands over what it reads, as it reads it.
/// Two tasks that call at the same time have no order; one task, thread or event loop has.
///
/// **What an error means.** `invalidArgument`, `messageTooLarge`, `producerGap`,
/// `producerConflict`, `sequenceExhausted`: the message will never be accepted as it is.
/// `overloaded`, `storageFull`, `unavailable`, `closed`, `locked`, `failed`: it was not stored; the
/// same message may be sent again later. `unknown`: it is stored once, or not at all; with a
/// producer, the same message sent again is answered truly, without one it must not be sent again.
/// After a refusal the messages behind it in the same mailbox and of the same device are refused
/// with `producerGap`: the device sends again from the first one that was refused.
public protocol MessageSending: Sendable {
    /// Hands over a message, and returns at once.
    ///
    /// - Parameters:
    ///   - append: the message. Its sender is the account that a token named, never what a device
    ///     says of itself.
    ///   - whenDone: called once, when the message is durable or refused, on any thread, possibly
    ///     before this returns: it must be quick, and must not wait.
    func send(
        _ append: Append,
        whenDone: @escaping @Sendable (Result<AppendResult, StoreError>) -> Void)

    /// The last client sequence of `device` that is stored in `mailbox`, 0 when none is.
    ///
    /// - Throws: `unavailable`, `closed`, `failed`, `overloaded`; asking again does no harm.
    func sendState(_ mailbox: MailboxID, device: DeviceID) async throws(StoreError)
        -> ClientSequence

    /// The largest body that the store takes, in bytes.
    ///
    /// - Throws: `unavailable`, `closed`.
    var bodyBytesMaximum: Int { get async throws(StoreError) }
}

extension MessageSending {
    /// Stores one message, and answers when it is durable.
    ///
    /// The message has its place in the order as soon as this runs, not as soon as a task for it is
    /// made: to send several in order without waiting, use `send(_:whenDone:)`. Cancelling the task
    /// changes nothing: the answer is waited for.
    ///
    /// - Throws: as the protocol says.
    public func send(_ append: Append) async throws(StoreError) -> AppendResult {
        let outcome = await withCheckedContinuation { continuation in
            send(append) { continuation.resume(returning: $0) }
        }
        return try outcome.get()
    }
}
