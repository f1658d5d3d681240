/// The table of settings as text.
enum SettingsPage {
    /// For `--help`.
    static func help(_ table: [Setting], role: String = "store") -> String {
        let example = table.first { $0.key == "log.level" }
        var lines = [
            "SETTINGS",
            "  Each may be a flag, a variable of the environment",
            "  (\(example?.variable(of: role) ?? "") for --log-level) or a key of",
            "  the YAML file that --config names (log: {level: …}).",
            "  A flag counts before a variable, a variable before the file.",
            "",
        ]
        for setting in table {
            let standard = setting.standard.isEmpty ? "" : " [\(setting.standard)]"
            lines.append("  \(setting.flag) <\(setting.allowed)>\(standard)")
            lines.append("      \(setting.help)")
        }
        return lines.joined(separator: "\n")
    }

    /// A table for the documentation.
    static func markdown(_ table: [Setting]) -> String {
        var lines = ["| key | allowed | default | meaning |", "|---|---|---|---|"]
        for setting in table {
            let standard = setting.standard.isEmpty ? "" : "`\(setting.standard)`"
            lines.append(
                "| `\(setting.key)` | \(setting.allowed) | \(standard) | \(setting.help) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A file that says the same as the values.
    static func yaml(_ table: [Setting], _ values: SettingValues) -> String {
        var text = ""
        var section: Substring?
        for setting in table {
            let parts = setting.key.split(separator: ".", maxSplits: 1)
            let value = quoted(values.text(setting.key))
            let note = values.isStandard(setting.key) ? "  # default" : ""
            if parts.count == 1 {
                text += "\(parts[0]): \(value)\(note)\n"
                continue
            }
            if section != parts[0] {
                section = parts[0]
                text += "\(parts[0]):\n"
            }
            text += "  \(parts[1]): \(value)\(note)\n"
        }
        return text
    }

    private static func quoted(_ value: String) -> String {
        let isPlain =
            !value.isEmpty
            && value.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            }
        if isPlain { return value }
        let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped)\""
    }
}
