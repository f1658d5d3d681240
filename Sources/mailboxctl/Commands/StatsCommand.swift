import ArgumentParser
import StoreEngine

/// `mailboxctl stats`
struct StatsCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Shows what the store holds and how it stands.",
        discussion: """
            EXAMPLES
              mailboxctl stats mail
              mailboxctl stats mail --json
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var output: OutputOptions

    func execute(_ console: Console) async throws {
        let statistics = try await location.withStore { store in try store.statistics() }
        _ = statistics
    }
}
