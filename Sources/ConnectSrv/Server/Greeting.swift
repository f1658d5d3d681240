/// What every welcome says of the services behind.
struct Greeting: Hashable, Sendable {
    /// The store's epoch.
    var epoch: UInt64
    /// The largest body that it takes.
    var bodyBytesMaximum: Int
}
