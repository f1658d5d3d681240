import ArgumentParser
import StoreEngine

/// `mailboxctl verify`
struct VerifyCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks every checksum, every sequence and every head.",
        discussion: """
            Ends with exit code 1 when anything is wrong. The first 100 problems are listed.

            EXAMPLES
              mailboxctl verify mail && echo sound
              mailboxctl verify mail --json
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var output: OutputOptions

    func execute(_ console: Console) async throws {
        let report = try await location.withStore { store in
            try Self.verify(store, console)
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
                message: "\(report.problemCount) problems in \(location.store); keep the "
                    + "directory as it is, and restore a backup beside it",
                status: .problems)
        }
    }

    /// Verifies with a progress line.
    static func verify(_ store: MailboxStore, _ console: Console) throws -> VerifyReport {
        var meter = ProgressMeter("verify", counting: "records", on: console)
        let report = try store.verify { progress in
            let expected = Double(max(1, progress.recordsExpected))
            meter.update(
                count: progress.records, fraction: min(1, Double(progress.records) / expected))
        }
        meter.finish()
        return report
    }
}

extension VerifyReport {
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
