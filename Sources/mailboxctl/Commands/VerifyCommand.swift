import ArgumentParser

/// `mailboxctl verify`
struct VerifyCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks every checksum, every sequence and every head.",
        usage: Self.usage("verify"),
        discussion: """
            Ends with exit code 1 when anything is wrong. The first 100 problems are listed.

            EXAMPLES
              mailboxctl verify mail && echo sound
              mailboxctl verify mail --json
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] { [] }

    func execute(_ console: Console) async throws {
        let report = try await location.withStore { store in
            try await Self.verify(store, console)
        }
        if output.json {
            try console.write(.object(report.jsonMembers))
        } else {
            for problem in report.problems { try console.write("problem: \(problem)") }
            try console.write(
                Table.facts([
                    ("mailboxes", Text.count(report.mailboxes)),
                    ("messages", Text.count(report.messages)),
                    ("body bytes", Text.bytes(report.bodyBytes)),
                    ("devices", Text.count(report.producers)),
                    ("problems", Text.count(report.problemCount)),
                ]))
        }
        guard report.isSound else {
            throw Failure(
                code: "problemsFound",
                message: "\(report.problemCount) problems in \(location.name); keep the "
                    + "directory as it is, and restore a backup beside it",
                status: .problems)
        }
    }

    /// Verifies with a progress line.
    static func verify(
        _ store: any OperatedStore, _ console: Console
    ) async throws -> VerifySummary {
        let meter = SharedMeter("verify", counting: "records", on: console)
        defer { meter.finish() }
        return try await store.verify { records, expected in
            let fraction = Double(records) / Double(max(1, expected))
            meter.update(count: records, fraction: min(1, fraction))
        }
    }
}

extension VerifySummary {
    var jsonMembers: [(key: String, value: JSON)] {
        [
            ("mailboxes", .number(mailboxes)),
            ("messages", .number(messages)),
            ("bodyBytes", .number(bodyBytes)),
            ("producers", .number(producers)),
            ("journalGroups", .number(journalGroups)),
            ("problemCount", .number(problemCount)),
            ("problems", .array(problems.map(JSON.string))),
        ]
    }
}
