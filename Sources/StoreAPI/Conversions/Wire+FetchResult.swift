public import Mailbox

/// A fetch among several.
public struct FetchCall: Hashable, Sendable {
    /// Which mailbox.
    public var mailbox: MailboxID
    /// What the receiver holds, durably: it is confirmed by this call.
    public var cursor: Cursor
    /// How much the answer may hold.
    public var limit: PageLimit

    /// A fetch from a mailbox.
    public init(_ mailbox: MailboxID, cursor: Cursor, limit: PageLimit = .standard) {
        self.mailbox = mailbox
        self.cursor = cursor
        self.limit = limit
    }
}

/// What became of one fetch among several.
package typealias FetchOutcome = Result<FetchResult, StoreError>

extension Wire.FetchRequest {
    /// The fetch as it goes over the wire. Precondition: its limit is valid.
    package init(_ call: FetchCall) {
        self.init()
        mailbox = Wire.MailboxID(call.mailbox)
        cursor = Wire.Cursor(call.cursor)
        if call.limit != .standard { limit = Wire.PageLimit(call.limit) }
    }
}

extension FetchCall {
    /// The fetch that came over the wire.
    ///
    /// - Throws: `invalidArgument` when a part is missing or none.
    package init(wire: Wire.FetchRequest) throws(StoreError) {
        self.init(
            try MailboxID(wire: wire.hasMailbox ? wire.mailbox : nil),
            cursor: try Cursor(wire: wire.hasCursor ? wire.cursor : nil),
            limit: PageLimit(wire: wire.hasLimit ? wire.limit : nil))
    }
}

extension Wire.FetchResponse {
    /// The answer as it goes over the wire.
    package init(_ result: FetchResult) {
        self.init()
        messages = result.messages.map { Wire.Message($0) }
        hasMore_p = result.hasMore
        head = Wire.Head(result.head)
        epoch = result.epoch.rawValue
    }
}

extension Wire.ReadResponse {
    /// The answer as it goes over the wire.
    package init(_ result: FetchResult) {
        self.init()
        messages = result.messages.map { Wire.Message($0) }
        hasMore_p = result.hasMore
        head = Wire.Head(result.head)
        epoch = result.epoch.rawValue
    }
}

extension FetchResult {
    /// The answer that came over the wire.
    ///
    /// - Throws: `invalidArgument` when a part is missing or none.
    package init(wire: Wire.FetchResponse) throws(StoreError) {
        self.init(
            messages: try MessageBatch(wire: wire.messages), hasMore: wire.hasMore_p,
            head: try Head(wire: wire.hasHead ? wire.head : nil),
            epoch: try Epoch(wire: wire.epoch))
    }

    /// The answer that came over the wire.
    ///
    /// - Throws: `invalidArgument` when a part is missing or none.
    package init(wire: Wire.ReadResponse) throws(StoreError) {
        self.init(
            messages: try MessageBatch(wire: wire.messages), hasMore: wire.hasMore_p,
            head: try Head(wire: wire.hasHead ? wire.head : nil),
            epoch: try Epoch(wire: wire.epoch))
    }
}

extension Wire.FetchOutcome {
    /// The outcome as it goes over the wire.
    package init(_ outcome: FetchOutcome) {
        self.init()
        switch outcome {
        case .success(let result): self.outcome = .response(Wire.FetchResponse(result))
        case .failure(let error): self.outcome = .error(Wire.ErrorDetail(error))
        }
    }

    /// The outcome that came over the wire.
    ///
    /// - Throws: `invalidArgument` when it is neither an answer nor an error, or a part is none.
    package func decoded() throws(StoreError) -> FetchOutcome {
        switch outcome {
        case .response(let response): .success(try FetchResult(wire: response))
        case .error(let detail): .failure(StoreError(wire: detail))
        case nil: throw .missing("outcome")
        }
    }
}
