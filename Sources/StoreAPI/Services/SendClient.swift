public import Mailbox

/// SendSrv behind a network: messages of all tasks share frames, in the order of the calls.
///
/// What is under way when a connection is lost is sent again to whichever instance answers next, in
/// front of everything newer; a message with a producer is never stored twice.
public final class SendClient: MessageSending, Sendable {
    private let client: StoreClient

    /// A client that connects when `run` is called.
    ///
    /// - Throws: `invalidArgument` when the target or the TLS files are none.
    public init(_ configuration: StoreClientConfiguration) throws(StoreError) {
        client = try StoreClient(configuration, routes: .send)
    }

    /// Keeps the connection until `close` is called, or the task is cancelled; once.
    public func run() async throws { try await client.run() }

    /// Takes no more calls, and lets `run` return when those that wait are answered.
    public func close() { client.close() }

    /// Hands over a message, and returns at once: see ``MessageSending``.
    public func send(
        _ append: Append,
        whenDone: @escaping @Sendable (Result<AppendResult, StoreError>) -> Void
    ) {
        do throws(StoreError) {
            try client.appends.submit([append]) { outcomes in whenDone(outcomes[0]) }
        } catch {
            whenDone(.failure(error))
        }
    }

    /// The last client sequence of a device that is stored in a mailbox.
    ///
    /// - Throws: as ``MessageSending`` says.
    public func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try await client.sendState(mailbox, device: device)
    }

    /// The largest body that the store takes, in bytes.
    ///
    /// - Throws: `unavailable`, `closed`.
    public var bodyBytesMaximum: Int {
        get async throws(StoreError) { try await client.info().messageBytesMaximum }
    }
}
