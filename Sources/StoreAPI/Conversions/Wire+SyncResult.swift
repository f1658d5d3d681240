package import Mailbox
internal import SwiftProtobuf

extension Wire.SyncRequest {
    /// The request as it goes over the wire. Precondition: the limit is valid.
    package init(_ receiver: Address, cursors: [Address: Cursor], limit: PageLimit) {
        self.init()
        self.receiver = receiver.description
        self.cursors = cursors.map { sender, cursor in
            .with {
                $0.sender = sender.description
                $0.cursor = Wire.Cursor(cursor)
            }
        }
        self.limit = Wire.PageLimit(limit)
    }

    /// The cursors that came over the wire.
    ///
    /// - Throws: `invalidArgument` when a part is missing or none, or a sender comes twice.
    package func decodedCursors() throws(StoreError) -> [Address: Cursor] {
        var decoded: [Address: Cursor] = [:]
        for entry in cursors {
            let sender = try Address(wire: entry.sender, field: "cursors.sender")
            let cursor = try Cursor(
                wire: entry.hasCursor ? entry.cursor : nil, field: "cursors.cursor")
            guard decoded.updateValue(cursor, forKey: sender) == nil else {
                throw .invalidArgument("cursors.sender: \(sender) comes twice")
            }
        }
        return decoded
    }
}

extension Wire.SyncResponse {
    /// The answer as it goes over the wire.
    package init(_ result: SyncResult) {
        self.init()
        entries = result.entries.map { entry in
            .with {
                $0.sender = entry.sender.description
                $0.messages = entry.result.messages.map { Wire.Message($0) }
                $0.hasMore_p = entry.result.hasMore
                $0.head = Wire.Head(entry.result.head)
            }
        }
        hasMore_p = result.hasMore
        epoch = result.epoch.rawValue
    }
}

extension SyncResult {
    /// The answer that came over the wire.
    ///
    /// - Throws: `invalidArgument` when a part is missing or none.
    package init(wire: Wire.SyncResponse) throws(StoreError) {
        let epoch = try Epoch(wire: wire.epoch)
        var entries: [Entry] = []
        for entry in wire.entries {
            let result = FetchResult(
                messages: try MessageBatch(wire: entry.messages, field: "entries.messages"),
                hasMore: entry.hasMore_p,
                head: try Head(wire: entry.hasHead ? entry.head : nil, field: "entries.head"),
                epoch: epoch)
            entries.append(
                Entry(
                    sender: try Address(wire: entry.sender, field: "entries.sender"),
                    result: result))
        }
        self.init(entries: entries, hasMore: wire.hasMore_p, epoch: epoch)
    }
}
