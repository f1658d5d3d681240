import Mailbox

/// What all heads of a store add up to.
struct Census: Equatable {
    private static let pageCount = 10_000

    var mailboxes = 0
    /// Messages that the store has.
    var messages = 0
    /// Messages that wait for a confirmation.
    var waiting = 0
    var bodyBytes: UInt64 = 0
    var newestTimestampMilliseconds: Int64 = 0

    /// Counts every mailbox, a page at a time.
    init(of store: any OperatedStore) async throws {
        var after: MailboxID?
        repeat {
            let page = try await store.mailboxes(after: after, limit: Self.pageCount)
            for entry in page.entries {
                mailboxes += 1
                messages += Int(entry.head.storedCount)
                waiting += Int(entry.head.waitingCount)
                bodyBytes += entry.head.bodyBytes
                newestTimestampMilliseconds = max(
                    newestTimestampMilliseconds, entry.head.newestTimestampMilliseconds)
            }
            after = page.next
        } while after != nil
    }
}
