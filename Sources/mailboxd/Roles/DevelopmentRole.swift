import ConnectSrv
import Foundation
import Mailbox

/// `mailboxd all --development`: everything for a first look. Its own defaults serve what one wants
/// to try; nobody but this machine reaches it; and its store goes when it ends, unless it is named.
struct DevelopmentRole: Role {
    static let name = AllRole.name
    static let abstract = AllRole.abstract
    static let settings = AllSettings.all.map { setting in
        guard let standard = defaults[setting.key] else { return setting }
        return Setting(setting.key, setting.kind, standard, setting.help)
    }

    /// Where it differs from `mailboxd all`.
    private static let defaults = [
        "tokens.demo": "true", "listen.tcp": "true", "log.level": "notice",
    ]

    static func check(_ values: SettingValues) throws {
        var values = values
        // The place of a temporary store is known when it is made.
        if values.optional("directory") == nil {
            values.set("directory", "temporary", isStandard: false)
        }
        try checkLoopback(values)
        try AllRole.check(values)
    }

    private static func checkLoopback(_ values: SettingValues) throws {
        var keys = ["connect.host"]
        if values.flag("listen.tcp") { keys.append("listen.host") }
        if values.flag("metrics.enabled") { keys.append("metrics.host") }
        let open = keys.filter {
            !ConnectServerConfiguration.Endpoint(host: values.text($0), port: 0).isLoopback
        }
        guard open.isEmpty else {
            throw Failure.configuration(
                open.map {
                    "\($0) is \(values.text($0)); with --development anybody may do everything, so "
                        + "it serves this machine alone: name a loopback address, or leave "
                        + "--development out"
                })
        }
    }

    static func run(_ values: SettingValues) async throws {
        guard values.optional("directory") == nil else {
            return try await run(values, isTemporary: false)
        }
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "mailbox-\(UUID().uuidString.prefix(8))")
        do {
            try FileManager.default.createDirectory(
                at: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure(
                code: "inputOutput", message: "no temporary directory can be made: \(error)",
                status: .inputOutput)
        }
        defer { try? FileManager.default.removeItem(at: directory) }
        var values = values
        let store = directory.appending(path: "store").path(percentEncoded: false)
        values.set("directory", store, isStandard: false)
        try await run(values, isTemporary: true)
    }

    private static func run(_ values: SettingValues, isTemporary: Bool) async throws {
        try await AllRole.run(values) { places in
            FirstSteps(values: values, places: places, isTemporary: isTemporary).text
        }
    }
}
