import ArgumentParser
import Foundation

/// One way to run the daemon.
protocol Role {
    /// The subcommand, and the middle of its variables' prefix.
    static var name: String { get }
    /// What it does, in one line.
    static var abstract: String { get }
    /// Every key, in the order in which they are shown.
    static var settings: [Setting] { get }
    /// - Throws: `Failure` when the values do not fit together.
    static func check(_ values: SettingValues) throws
    /// Runs until a signal says otherwise.
    ///
    /// - Throws: `Failure`, and what becomes one, when it cannot start, or cannot end well.
    static func run(_ values: SettingValues) async throws
}

extension Role {
    /// A line for each metric, by name.
    static func help(
        _ descriptions: [(name: String, kind: String, help: String)]...
    ) -> [String: String] {
        Dictionary(
            descriptions.joined().map { ($0.name, $0.help) },
            uniquingKeysWith: { first, _ in first })
    }
}

/// What every role's command line has, beside the settings.
struct RoleOptions: ParsableArguments {
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

    /// Reads the settings, and runs the role with them, or does what was asked for instead.
    ///
    /// - Throws: the process's exit code, after its one line on standard error.
    func run<Chosen: Role>(_ role: Chosen.Type) async throws {
        do {
            let reader = SettingsReader(
                role: role.name, arguments: settings,
                environment: ProcessInfo.processInfo.environment, file: config)
            if printConfiguration == .markdown {
                Output.write(SettingsPage.markdown(role.settings))
                return
            }
            let values = try await reader.read(role.settings)
            if printConfiguration == .yaml {
                Output.write(SettingsPage.yaml(role.settings, values))
                return
            }
            try role.check(values)
            if checkConfiguration {
                Output.write("the configuration is sound\n")
                return
            }
            try await role.run(values)
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
