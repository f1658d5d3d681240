package import Mailbox
internal import SwiftProtobuf

extension Wire.ListInboxResponse {
    /// The page as it goes over the wire.
    package init(_ page: InboxPage, epoch: Epoch) {
        self.init()
        entries = page.entries.map { entry in
            .with {
                $0.sender = entry.sender.description
                $0.head = Wire.Head(entry.head)
            }
        }
        next = page.next?.description ?? ""
        self.epoch = epoch.rawValue
    }
}

extension InboxPage {
    /// The page that came over the wire.
    ///
    /// - Throws: `invalidArgument` when a part is missing or none.
    package init(wire: Wire.ListInboxResponse) throws(StoreError) {
        var entries: [Entry] = []
        for entry in wire.entries {
            entries.append(
                Entry(
                    sender: try Address(wire: entry.sender, field: "entries.sender"),
                    head: try Head(wire: entry.hasHead ? entry.head : nil)))
        }
        var next: Address?
        if !wire.next.isEmpty { next = try Address(wire: wire.next, field: "next") }
        self.init(entries: entries, next: next)
    }
}
