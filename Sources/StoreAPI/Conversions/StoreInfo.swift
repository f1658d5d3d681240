public import Mailbox

/// What a store says of itself: its epoch and its limits.
public struct StoreInfo: Hashable, Sendable {
    /// The identity of the store's history.
    public var epoch: Epoch
    /// The number of shards.
    public var shardCount: Int
    /// The level at which appends are answered.
    public var durability: Durability
    /// The largest body, in bytes.
    public var messageBytesMaximum: Int
    /// The most messages that one call or frame may append.
    public var batchMessagesMaximum: Int
    /// The most bytes that one request may have on the wire.
    public var requestBytesMaximum: Int
    /// The most messages in one answer.
    public var pageMessagesMaximum: Int
    /// The most body bytes in one answer.
    public var pageBytesMaximum: Int
    /// The server's version.
    public var version: String

    /// What a store says of itself.
    public init(
        epoch: Epoch, shardCount: Int, durability: Durability, messageBytesMaximum: Int,
        batchMessagesMaximum: Int, requestBytesMaximum: Int, pageMessagesMaximum: Int,
        pageBytesMaximum: Int, version: String
    ) {
        self.epoch = epoch
        self.shardCount = shardCount
        self.durability = durability
        self.messageBytesMaximum = messageBytesMaximum
        self.batchMessagesMaximum = batchMessagesMaximum
        self.requestBytesMaximum = requestBytesMaximum
        self.pageMessagesMaximum = pageMessagesMaximum
        self.pageBytesMaximum = pageBytesMaximum
        self.version = version
    }
}

extension Wire.GetStoreInfoResponse {
    /// What a store says of itself, as it goes over the wire.
    package init(_ info: StoreInfo) {
        self.init()
        epoch = info.epoch.rawValue
        shardCount = UInt32(clamping: info.shardCount)
        durability = Wire.Durability(info.durability)
        messageBytesMaximum = UInt64(clamping: info.messageBytesMaximum)
        batchMessagesMaximum = UInt32(clamping: info.batchMessagesMaximum)
        requestBytesMaximum = UInt64(clamping: info.requestBytesMaximum)
        pageMessagesMaximum = UInt32(clamping: info.pageMessagesMaximum)
        pageBytesMaximum = UInt64(clamping: info.pageBytesMaximum)
        version = info.version
    }
}

extension StoreInfo {
    /// What came over the wire.
    ///
    /// - Throws: `invalidArgument` when the epoch or the durability is none, or a limit is 0.
    package init(wire: Wire.GetStoreInfoResponse) throws(StoreError) {
        self.init(
            epoch: try Epoch(wire: wire.epoch), shardCount: Int(wire.shardCount),
            durability: try Durability(wire: wire.durability),
            messageBytesMaximum: Int(clamping: wire.messageBytesMaximum),
            batchMessagesMaximum: Int(wire.batchMessagesMaximum),
            requestBytesMaximum: Int(clamping: wire.requestBytesMaximum),
            pageMessagesMaximum: Int(wire.pageMessagesMaximum),
            pageBytesMaximum: Int(clamping: wire.pageBytesMaximum), version: wire.version)
        guard batchMessagesMaximum > 0 else { throw .missing("batch_messages_maximum") }
        guard requestBytesMaximum > 0 else { throw .missing("request_bytes_maximum") }
    }
}
