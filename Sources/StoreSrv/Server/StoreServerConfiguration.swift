public import ServiceHost

/// How a store is served. Every limit has a default that suits a small server.
@dynamicMemberLookup
public struct StoreServerConfiguration: Sendable {
    /// An address and a port.
    public typealias Endpoint = HostConfiguration.Endpoint
    /// A server's certificate, and whether clients need one.
    public typealias TLS = HostConfiguration.TLS

    /// Addresses, TLS, and the limits of connections and requests. Each is a member of this
    /// configuration, too.
    public var host = HostConfiguration()

    /// Appends of all streams that wait for the journal, in bytes; above it, no stream's next frame
    /// is taken. At most the store's `queueBytesMaximum`, or frames are refused with `overloaded`.
    public var appendBytesMaximum = 48 << 20
    /// Threads for calls that may wait for the disk.
    public var readThreads = 8
    /// Calls that wait for one of them; above it they get `overloaded`.
    public var readQueueMaximum = 4_096

    /// All defaults.
    public init() {}

    /// What `host` has.
    public subscript<Value>(dynamicMember member: WritableKeyPath<HostConfiguration, Value>)
        -> Value
    {
        get { host[keyPath: member] }
        set { host[keyPath: member] = newValue }
    }
}
