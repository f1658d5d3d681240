/// Whether the client is connected, as an app shows it.
public enum ConnectionState: Hashable, Sendable {
    /// Not started, or shut down.
    case stopped
    /// Waits before it tries again.
    case waiting
    /// Fetches a token, connects, or says who it is.
    case connecting
    /// Messages go and come.
    case connected
    /// Another connection of this device took over, or the database belongs to another account: it
    /// does not connect again before `start()` is called again.
    case replaced
}
