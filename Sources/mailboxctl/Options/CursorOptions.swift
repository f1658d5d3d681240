import ArgumentParser
import Mailbox

/// What a receiver says that it holds.
struct CursorOptions: ParsableArguments {
    @Option(parsing: .unconditional, help: "Everything through this sequence is held.")
    var cursor: SequenceNumber = 0

    @Option(help: "The epoch that the cursor belongs to, as an earlier answer told it.")
    var epoch: String?

    /// The cursor, with its epoch where one was given.
    var value: Cursor {
        get throws(StoreError) {
            guard let epoch else { return Cursor(cursor, epoch: nil) }
            return Cursor(cursor, epoch: try Epoch(epoch))
        }
    }
}
