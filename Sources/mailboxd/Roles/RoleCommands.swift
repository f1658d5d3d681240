import ArgumentParser

/// `mailboxd store`: serves a store over gRPC.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = commandConfiguration(
        StoreRole.self, usage: "mailboxd store --directory <path> [--config <file>] [settings …]")

    @OptionGroup var options: RoleOptions

    func run() async throws { try await options.run(StoreRole.self) }
}

/// `mailboxd send`: SendSrv.
struct SendCommand: AsyncParsableCommand {
    static let configuration = commandConfiguration(SendRole.self)

    @OptionGroup var options: RoleOptions

    func run() async throws { try await options.run(SendRole.self) }
}

/// `mailboxd recv`: RecvSrv.
struct RecvCommand: AsyncParsableCommand {
    static let configuration = commandConfiguration(RecvRole.self)

    @OptionGroup var options: RoleOptions

    func run() async throws { try await options.run(RecvRole.self) }
}

/// `mailboxd push`: PushSrv.
struct PushCommand: AsyncParsableCommand {
    static let configuration = commandConfiguration(PushRole.self)

    @OptionGroup var options: RoleOptions

    func run() async throws { try await options.run(PushRole.self) }
}

/// `mailboxd connect`: ConnectSrv.
struct ConnectCommand: AsyncParsableCommand {
    static let configuration = commandConfiguration(ConnectRole.self)

    @OptionGroup var options: RoleOptions

    func run() async throws { try await options.run(ConnectRole.self) }
}

/// `mailboxd all`: everything in one process.
struct AllCommand: AsyncParsableCommand {
    static let configuration = commandConfiguration(
        AllRole.self,
        usage: """
            mailboxd all --directory <path> [--config <file>] [settings …]
            mailboxd all --development [settings …]
            """)

    @Flag(
        help: """
            For a first look: a temporary store unless --directory names one, tokens for whoever \
            asks, the store over gRPC, and all of it on loopback alone.
            """)
    var development = false

    @OptionGroup var options: RoleOptions

    func run() async throws {
        if development {
            try await options.run(DevelopmentRole.self)
        } else {
            try await options.run(AllRole.self)
        }
    }
}

private func commandConfiguration<Chosen: Role>(
    _ role: Chosen.Type, usage: String? = nil
) -> CommandConfiguration {
    CommandConfiguration(
        commandName: role.name, abstract: role.abstract,
        usage: usage ?? "mailboxd \(role.name) [--config <file>] [settings …]",
        discussion: SettingsPage.help(role.settings, role: role.name))
}
