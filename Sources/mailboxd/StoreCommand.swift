import ArgumentParser
import Foundation

/// `mailboxd store`: serves a store over gRPC.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Serves a store over gRPC.",
        usage: "mailboxd store --directory <path> [--config <file>] [settings …]",
        discussion: SettingsPage.help(StoreSettings.all))

    enum Page: String, ExpressibleByArgument, CaseIterable {
        case yaml
        case markdown
    }

    @Option(help: ArgumentHelp("A YAML file of settings.", valueName: "file"))
    var config: String?

    @Flag(help: "Check the configuration, and end.")
    var checkConfiguration = false

    @Option(help: "Print the configuration as it would count, or the table of all settings.")
    var printConfiguration: Page?

    @Argument(parsing: .allUnrecognized, help: .hidden)
    var settings: [String] = []

    func run() async throws {
        do {
            let reader = SettingsReader(
                arguments: settings, environment: ProcessInfo.processInfo.environment,
                file: config)
            if printConfiguration == .markdown {
                Output.write(SettingsPage.markdown(StoreSettings.all))
                return
            }
            let values = try await reader.read(StoreSettings.all)
            if printConfiguration == .yaml {
                Output.write(SettingsPage.yaml(StoreSettings.all, values))
                return
            }
            try values.check()
            if checkConfiguration {
                Output.write("the configuration is sound\n")
                return
            }
            try await StoreRole(values).run()
        } catch {
            let failure = Failure(error)
            FileHandle.standardError.write(Data((failure.line + "\n").utf8))
            throw ExitCode(failure.status.rawValue)
        }
    }
}

/// Standard output.
enum Output {
    static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}
