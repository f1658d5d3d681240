/// How a client reaches its server: one connection that carries whole messages both ways.
///
/// The library brings `WebSocketTransport`; an app may bring another one.
public protocol ClientTransport: Sendable {
    /// Begins to open a connection, and returns at once.
    ///
    /// - Parameter report: is called with what happens, one call after the other, on any thread:
    ///   `opened` at most once and first, then messages, then `closed` exactly once.
    /// - Returns: the connection, which may be used when `opened` came.
    func connect(_ report: @escaping @Sendable (TransportEvent) -> Void) -> any ClientConnection
}

/// One connection.
public protocol ClientConnection: Sendable {
    /// Sends messages, in order. What cannot be sent is dropped, and `closed` is reported.
    func send(_ messages: [[UInt8]])

    /// Closes the connection after what was sent; `closed` is reported if it was not before.
    func close()
}

/// What happens on a connection.
public enum TransportEvent: Sendable {
    /// Messages can be sent.
    case opened
    /// Messages came, in order.
    case messages([[UInt8]])
    /// The connection is no more; why, for logs.
    case closed(String)
}
