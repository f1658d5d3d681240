import ArgumentParser
import Mailbox

/// `mailboxctl replay`
struct ReplayCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Appends every message of a trace.",
        usage: Self.usage("replay", "[FILE]"),
        discussion: """
            A line is four columns, separated by tabs: sender, receiver, unix seconds, body. gzip \
            is recognised. Creates the store when the directory is missing or empty. Every \
            message is numbered by --device within its mailbox, so replaying a trace again, also \
            after a failure in its middle, stores only what is missing.

            EXAMPLES
              mailboxctl replay mail messages.tsv.gz
              zcat messages.tsv.gz | mailboxctl replay mail - --device import-2026
              mailboxctl replay mail --generate 1000000 --json
            """)

    @OptionGroup var location: StoreLocation

    @Argument(help: "The trace; - is standard input.", completion: .file())
    var file: String?

    @OptionGroup var options: ReplayOptions
    @OptionGroup(title: "Without a file") var generator: GeneratorOptions
    @OptionGroup var creation: CreationOptions
    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] {
        [Position(argument: \.file, name: "FILE", isRequired: false)]
    }

    mutating func validate() throws {
        try settle()
        try creation.check(location)
        guard (file == nil) == (generator.generate != nil) else {
            throw ValidationError("Name a trace's file, or --generate a number of messages.")
        }
    }

    func execute(_ console: Console) async throws {
        _ = try DeviceID(options.device)
        if let file, file != "-" {
            // Before the store is created: a wrong name leaves nothing behind.
            _ = try FileSource(path: file)
        }
        let clock = TraceClock()
        let report = try await location.withStore(creating: creation, clock: clock) { store in
            try await options.replay(
                path: file, else: generator.generator(count: generator.generate ?? 0),
                into: store, clock: clock, on: console)
        }
        if output.json {
            try console.write(.object(report.jsonMembers))
        } else {
            try console.write(Table.facts(report.facts))
        }
    }
}

extension ReplayReport {
    var jsonMembers: [(key: String, value: JSON)] {
        [
            ("messages", .number(messages)),
            ("stored", .number(stored)),
            ("duplicates", .number(duplicates)),
            ("skippedLines", .number(skippedLines)),
            ("mailboxes", .number(mailboxes)),
            ("bodyBytes", .number(bodyBytes)),
            ("seconds", .decimal(seconds)),
        ]
    }

    var facts: [(name: String, value: String)] {
        var facts = [
            (name: "messages", value: "\(Text.count(messages)), \(Text.bytes(bodyBytes))"),
            (name: "mailboxes", value: Text.count(mailboxes)),
            (name: "stored", value: Text.count(stored)),
            (name: "stored before", value: Text.count(duplicates)),
        ]
        if skippedLines > 0 { facts.append(("bad lines", Text.count(skippedLines))) }
        facts.append(
            ("took", "\(Text.duration(seconds: seconds)), \(Text.rate(messages, seconds: seconds))")
        )
        return facts
    }
}
