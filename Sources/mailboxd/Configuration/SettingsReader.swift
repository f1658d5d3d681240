import Configuration
import Foundation
import Yams

/// Where settings come from: flags, then the environment, then a file, then the table's defaults.
struct SettingsReader {
    /// Whose settings: what the variables' prefix names.
    var role = "store"
    /// Flags as they came: `--listen-port 0`, or `--listen-port=0`.
    var arguments: [String] = []
    /// The whole environment: what begins with the role's prefix (`MAILBOX_STORE_`) counts.
    var environment: [String: String] = [:]
    /// A YAML file's path.
    var file: String?

    /// Reads all settings, and checks them against the table.
    ///
    /// - Throws: `Failure` with everything that is wrong, each on a line of its own.
    func read(_ table: [Setting]) async throws -> SettingValues {
        var problems: [String] = []
        let flags = checkedFlags(table, &problems)
        let variables = checkedVariables(table, &problems)
        let saysSomething = try file.map {
            checkKeys(of: try Self.contents(of: $0), table, &problems)
        }
        guard problems.isEmpty else { throw Failure.configuration(problems) }

        var providers: [(origin: String, provider: any ConfigProvider)] = [
            ("the command line", InMemoryProvider(name: "flags", values: flags)),
            (
                "the environment",
                EnvironmentVariablesProvider(environmentVariables: variables)
                    .prefixKeys(with: ConfigKey(["mailbox", role]))
            ),
        ]
        if let file, saysSomething == true {
            providers.append((file, try await Self.provider(of: file)))
        }
        let values = value(of: table, providers, &problems)
        guard problems.isEmpty else { throw Failure.configuration(problems) }
        return values
    }

    private static func provider(of file: String) async throws -> any ConfigProvider {
        let place = InMemoryProvider(values: [
            "filePath": ConfigValue(.string(file), isSecret: false)
        ])
        do {
            return try await FileProvider<YAMLSnapshot>(config: ConfigReader(provider: place))
        } catch {
            throw Failure.configuration(["\(file) is not YAML of keys and values"])
        }
    }

    private func value(
        of table: [Setting], _ providers: [(origin: String, provider: any ConfigProvider)],
        _ problems: inout [String]
    ) -> SettingValues {
        let reader = ConfigReader(providers: providers.map(\.provider))
        var values = SettingValues()
        for setting in table {
            let key = ConfigKey(setting.key)
            guard let text = reader.string(forKey: key) else {
                values.set(setting.key, setting.standard, isStandard: true)
                continue
            }
            if let normalized = setting.normalized(text) {
                values.set(setting.key, normalized, isStandard: false)
                continue
            }
            let origin = providers.first {
                ConfigReader(providers: [$0.provider]).string(forKey: key) != nil
            }
            problems.append(
                "\(setting.key) is '\(text)' (from \(origin?.origin ?? "the configuration")); "
                    + "it must be: \(setting.allowed)")
        }
        return values
    }

    // MARK: Unknown keys

    /// The flags' values, by the keys that they stand for.
    private func checkedFlags(
        _ table: [Setting], _ problems: inout [String]
    ) -> [AbsoluteConfigKey: ConfigValue] {
        let known = Dictionary(uniqueKeysWithValues: table.map { ($0.flag, $0) })
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        var left = arguments[...]
        while let argument = left.popFirst() {
            guard argument.hasPrefix("--") else {
                problems.append("'\(argument)' is no flag; mailboxd \(role) --help lists them")
                continue
            }
            let parts = argument.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard let setting = known[name] else {
                problems.append(unknown(name, among: table.map(\.flag), "flag"))
                if let next = left.first, !next.hasPrefix("--") { left.removeFirst() }
                continue
            }
            guard let value = parts.count == 2 ? String(parts[1]) : left.popFirst() else {
                problems.append("\(name) needs a value: \(setting.allowed)")
                continue
            }
            let key = AbsoluteConfigKey(setting.key.split(separator: ".").map(String.init))
            let previous = values.updateValue(
                ConfigValue(.string(value), isSecret: false), forKey: key)
            if previous != nil { problems.append("\(name) comes twice") }
        }
        return values
    }

    private func checkedVariables(
        _ table: [Setting], _ problems: inout [String]
    ) -> [String: String] {
        let known = table.map { $0.variable(of: role) }
        let prefix = Setting.variablePrefix(of: role)
        let own = environment.filter { $0.key.hasPrefix(prefix) }
        for name in own.keys.sorted() where !known.contains(name) {
            problems.append(unknown(name, among: known, "variable"))
        }
        return own
    }

    private static func contents(of path: String) throws -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw Failure(
                code: "invalidConfiguration", message: "cannot read \(path)", status: .usage)
        }
    }

    /// - Returns: false when the file says nothing: it has comments alone, perhaps.
    private func checkKeys(
        of text: String, _ table: [Setting], _ problems: inout [String]
    ) -> Bool {
        let name = file ?? "the file"
        let keys: [String]
        do {
            guard let root = try Yams.compose(yaml: text) else { return false }
            keys = try Self.leaves(of: root, [])
        } catch {
            let words = String(describing: error).split(separator: "\n").first ?? ""
            problems.append("\(name) is not YAML of keys and values: \(words)")
            return true
        }
        for key in keys where !table.contains(where: { $0.key == key }) {
            problems.append("\(name): " + unknown(key, among: table.map(\.key), "key"))
        }
        return true
    }

    private struct NotScalar: Error, CustomStringConvertible {
        let key: String
        var description: String { "\(key) has no single value" }
    }

    /// The paths of all values, with dots between.
    private static func leaves(of node: Node, _ path: [String]) throws -> [String] {
        switch node {
        case .mapping(let mapping):
            return try mapping.flatMap { key, value in
                guard let name = key.string else {
                    throw NotScalar(key: path.joined(separator: "."))
                }
                return try leaves(of: value, path + [name])
            }
        case .scalar where !path.isEmpty: return [path.joined(separator: ".")]
        default: throw NotScalar(key: path.isEmpty ? "the top" : path.joined(separator: "."))
        }
    }

    private func unknown(_ name: String, among known: [String], _ what: String) -> String {
        let near = known.min { name.distance(to: $0) < name.distance(to: $1) }
        guard let near, name.distance(to: near) <= max(3, near.count / 4) else {
            return "'\(name)' is no \(what); allowed are: \(known.joined(separator: ", "))"
        }
        return "'\(name)' is no \(what); did you mean '\(near)'? Allowed are: "
            + known.joined(separator: ", ")
    }
}

/// What was read: every key of the table, with its value.
struct SettingValues: Sendable {
    private var values: [String: String] = [:]
    private var standard: Set<String> = []

    mutating func set(_ key: String, _ value: String, isStandard: Bool) {
        values[key] = value
        if isStandard { standard.insert(key) }
    }

    /// The value as text; empty for "none".
    func text(_ key: String) -> String { values[key] ?? "" }
    /// The value as text; nil for "none".
    func optional(_ key: String) -> String? { text(key).isEmpty ? nil : text(key) }
    func flag(_ key: String) -> Bool { text(key) == "true" }
    func integer(_ key: String) -> Int { Int(text(key)) ?? 0 }
    func bytes(_ key: String) -> Int { ByteCount.parse(text(key)) ?? 0 }
    func isStandard(_ key: String) -> Bool { standard.contains(key) }
}

extension String {
    /// How many characters must be put in, left out or changed to make the other of this one.
    fileprivate func distance(to other: String) -> Int {
        let a = Array(self)
        let b = Array(other)
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let next = Swift.min(row[j] + 1, row[j + 1] + 1, diagonal + (x == y ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }
}
