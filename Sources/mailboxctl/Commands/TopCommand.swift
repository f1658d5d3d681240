import ArgumentParser
import Mailbox
import StoreAPI

/// `mailboxctl top`
struct TopCommand: EndlessCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Shows live what a daemon does: rates, latencies, groups, busiest mailboxes.",
        usage: "mailboxctl top --connect ADDRESS [options]",
        discussion: """
            Rates are those since the last look, latencies those of the last ten seconds, as the \
            daemon measures them. On a terminal the screen is drawn anew, else each look is \
            written behind the last. Ends with Ctrl-C, --once or --count.

            EXAMPLES
              mailboxctl top --connect localhost:7180
              mailboxctl top --connect unix:/run/mailbox/store.socket --interval 5s
              mailboxctl top --connect localhost:7180 --once --json
            """)

    @OptionGroup var location: StoreLocation

    @Option(help: "The time between two looks: 100ms … 1h.")
    var interval = DurationArgument(seconds: 1)

    @Option(help: "End after this many looks.")
    var count: Int?

    @Flag(help: "End after one look.")
    var once = false

    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] { [] }

    mutating func validate() throws {
        guard location.connection.connect != nil else {
            throw ValidationError("top looks at a daemon: name it with --connect, no directory.")
        }
        try settle()
        guard (100...3_600_000).contains(interval.milliseconds) else {
            throw ValidationError("--interval must be 100ms to 1h.")
        }
        if let count, count < 1 {
            throw ValidationError("--count is \(count); it must be 1 or more.")
        }
        if once, count != nil { throw ValidationError("Name --once or --count, not both.") }
    }

    func execute(_ console: Console) async throws {
        guard let configuration = location.connection.configuration else { return }
        let looks = once ? 1 : count ?? .max
        try await withStoreClient(configuration) { client in
            let clock = ContinuousClock()
            var earlier = (statistics: try await client.statistics(), time: clock.now)
            for look in 0..<looks {
                try await Task.sleep(for: .milliseconds(interval.milliseconds))
                let statistics = try await client.statistics()
                let time = clock.now
                let frame = TopFrame(
                    target: configuration.target.description, earlier: earlier.statistics,
                    now: statistics, seconds: earlier.time.duration(to: time) / .seconds(1))
                try show(frame, isFirst: look == 0, on: console)
                earlier = (statistics, time)
            }
        }
    }

    private func show(_ frame: TopFrame, isFirst: Bool, on console: Console) throws {
        if output.json {
            try console.write(.object(frame.jsonMembers))
        } else if let size = console.screen {
            // Home, the lines with what was behind each of them cleared, then all below cleared.
            let lines = frame.lines(columns: size.columns, rows: size.rows - 1)
            let text = lines.map { $0 + "\u{1B}[K" }.joined(separator: "\n")
            try console.write((isFirst ? "\u{1B}[2J" : "") + "\u{1B}[H" + text + "\n\u{1B}[J")
        } else {
            if !isFirst { try console.write("") }
            for line in frame.lines(columns: .max, rows: .max) { try console.write(line) }
        }
        try console.flush()
    }
}
