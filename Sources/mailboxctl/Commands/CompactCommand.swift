import ArgumentParser
import Mailbox

/// `mailboxctl compact`
struct CompactCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact",
        abstract: "Removes confirmed messages that no policy keeps.",
        usage: Self.usage("compact"),
        discussion: """
            No policy removes a message that is not confirmed. Without one, the store's own \
            policy counts, which every command applies to what it changes. Sequences, \
            watermarks and devices' numbers survive the removal of every message. Durations: \
            30d, 12h, 45min, 90s, 500ms.

            EXAMPLES
              mailboxctl compact mail --keep-unacknowledged
              mailboxctl compact mail --keep-newest 100
              mailboxctl compact mail --keep-for 30d --json
            """)

    @OptionGroup var location: StoreLocation

    @Flag(help: "Keep nothing that is confirmed: store and forward.")
    var keepUnacknowledged = false

    @Option(parsing: .unconditional, help: "Keep this many newest messages of each mailbox.")
    var keepNewest: UInt32?

    @Option(parsing: .unconditional, help: "Keep confirmed messages until they are this old.")
    var keepFor: DurationArgument?

    @OptionGroup var output: OutputOptions

    private var policies: [RetentionPolicy] {
        var policies: [RetentionPolicy] = []
        if keepUnacknowledged { policies.append(.unacknowledged) }
        if let keepNewest { policies.append(.newest(keepNewest)) }
        if let keepFor { policies.append(.acknowledged(forMilliseconds: keepFor.milliseconds)) }
        return policies
    }

    static var positions: [Position<Self>] { [] }

    mutating func validate() throws {
        try settle()
        guard policies.count <= 1 else {
            throw ValidationError(
                "Name one of --keep-unacknowledged, --keep-newest and --keep-for.")
        }
    }

    func execute(_ console: Console) async throws {
        let policy = policies.first
        let report = try await location.withStore { store in
            try await store.messages.compact(policy)
        }
        if output.json {
            return try console.write(.object(report.jsonMembers))
        }
        try console.write(
            "removed \(Text.count(report.messagesRemoved)) messages "
                + "(\(Text.bytes(report.bodyBytesRemoved))) from "
                + "\(Text.count(report.mailboxesCompacted)) of "
                + "\(Text.count(report.mailboxesExamined)) mailboxes")
    }
}

extension CompactionReport {
    var jsonMembers: [(key: String, value: JSON)] {
        [
            ("mailboxesExamined", .number(mailboxesExamined)),
            ("mailboxesCompacted", .number(mailboxesCompacted)),
            ("messagesRemoved", .number(messagesRemoved)),
            ("bodyBytesRemoved", .number(bodyBytesRemoved)),
        ]
    }
}
