/// What came and is not confirmed by the app: see `MailboxClient.messages`.
public struct IncomingMessages: AsyncSequence, Sendable {
    let client: MailboxClient

    /// Begins with the oldest message that is not confirmed.
    public func makeAsyncIterator() -> Iterator { Iterator(client: client) }

    /// Goes on from message to message; ends when the client is shut down or the task is cancelled.
    public struct Iterator: AsyncIteratorProtocol {
        let client: MailboxClient
        private var page: ArraySlice<StoredMessage> = []
        private var last: Int64 = 0

        init(client: MailboxClient) { self.client = client }

        /// The next message; waits until there is one.
        public mutating func next() async -> StoredMessage? {
            if page.isEmpty {
                guard let next = await client.unconfirmed(after: last) else { return nil }
                page = next[...]
            }
            let message = page.removeFirst()
            last = message.id
            return message
        }
    }
}
