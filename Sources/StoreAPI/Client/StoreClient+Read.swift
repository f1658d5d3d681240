public import Mailbox
internal import SwiftProtobuf

extension StoreClient {
    /// The identity of the store's history, asked for anew: a server that was just replaced by one
    /// with a restored store tells the new one. Every fetch tells it, too.
    ///
    /// - Throws: `unavailable`, `closed`.
    public var epoch: Epoch {
        get async throws(StoreError) {
            try await call { options in try await self.askStoreInfo(options).epoch }
        }
    }

    /// The last client sequence of a device that was stored in a mailbox; 0 when none was. What is
    /// greater is to be sent again.
    ///
    /// - Throws: what a store throws; `unavailable`.
    public func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try await call { options in
            try await self.service.getSendState(
                .with {
                    $0.mailbox = Wire.MailboxID(mailbox)
                    $0.device = device.description
                }, options: options
            ).lastClientSequence
        }
    }

    /// Confirms everything through the cursor, and answers what comes after it. Fetches of many
    /// tasks share frames.
    ///
    /// - Throws: what a store throws; `unavailable`. Nothing is lost when the same fetch is made
    ///   again.
    public func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try limit.check()
        let outcomes = try await fetches.perform([
            FetchCall(mailbox, cursor: cursor, limit: limit)
        ])
        return try outcomes[0].get()
    }

    /// Makes many fetches at once, each answered for itself, in the order given.
    ///
    /// - Throws: `overloaded`, `closed`, `invalidArgument` when a limit is none.
    public func fetch(
        batch: [FetchCall]
    ) async throws(StoreError) -> [Result<FetchResult, StoreError>] {
        for call in batch { try call.limit.check() }
        try checkOpen()
        guard !batch.isEmpty else { return [] }
        return try await fetches.perform(batch)
    }

    /// Reads the messages above `after`, through `through` when it is given, without confirming
    /// anything.
    ///
    /// - Throws: `trimmed` when that begins below the floor; what a store throws; `unavailable`.
    public func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try limit.check()
        return try await call { options in
            let request = Wire.ReadRequest.with {
                $0.mailbox = Wire.MailboxID(mailbox)
                $0.after = after
                if let through { $0.through = through }
                $0.limit = Wire.PageLimit(limit)
            }
            return try FetchResult(wire: try await self.service.read(request, options: options))
        }
    }

    /// Confirms everything through the cursor without reading.
    ///
    /// - Returns: the mailbox's head after it.
    /// - Throws: `epochChanged`, `cursorAhead`; what a store throws; `unavailable`. Doing it again
    ///   does no harm.
    @discardableResult
    public func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        try await call { options in
            let response = try await self.service.acknowledge(
                .with {
                    $0.mailbox = Wire.MailboxID(mailbox)
                    $0.cursor = Wire.Cursor(cursor)
                }, options: options)
            return try Head(wire: response.hasHead ? response.head : nil)
        }
    }

    /// What the store knows of a mailbox; all zero when nobody wrote to it.
    ///
    /// - Throws: what a store throws; `unavailable`.
    public func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        try await call { options in
            let response = try await self.service.getHead(
                .with { $0.mailbox = Wire.MailboxID(mailbox) }, options: options)
            return try Head(wire: response.hasHead ? response.head : nil)
        }
    }

    /// A receiver's mailboxes in order of sender, above `after`, at most `limit` (1 … 10 000).
    ///
    /// - Throws: `invalidArgument` when the limit is none; what a store throws; `unavailable`.
    public func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        try Self.checkPage(limit)
        return try await call { options in
            let response = try await self.service.listInbox(
                .with {
                    $0.receiver = receiver.description
                    $0.after = after?.description ?? ""
                    $0.limit = UInt32(limit)
                }, options: options)
            return try InboxPage(wire: response)
        }
    }

    /// - Throws: `invalidArgument`. On the wire a limit of 0 asks for the default.
    static func checkPage(_ limit: Int) throws(StoreError) {
        guard (1...10_000).contains(limit) else {
            throw .invalidArgument("the limit is \(limit) mailboxes; it must be 1 to 10000")
        }
    }

    /// One fetch over all senders: confirms each cursor that is given, and answers every mailbox
    /// that has something waiting.
    ///
    /// - Throws: what a store throws; `unavailable`. Nothing is lost when the same is asked again.
    public func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        try limit.check()
        return try await call { options in
            let request = Wire.SyncRequest(receiver, cursors: cursors, limit: limit)
            return try SyncResult(wire: try await self.service.sync(request, options: options))
        }
    }
}
