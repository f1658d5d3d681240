/// One key of the configuration: its name, what it may be, and what it means.
struct Setting: Sendable {
    /// What a value may be.
    enum Kind: Sendable {
        case text
        case path
        case boolean
        case integer(ClosedRange<Int>)
        /// A number, with `KiB`, `MiB`, `GiB` or `TiB` behind it where that is shorter.
        case bytes(ClosedRange<Int>)
        case choice([String])
        /// Addresses with commas between: `HOST:PORT` or `unix:PATH`.
        case addresses
        /// `unacknowledged`, `acknowledged:SECONDS` or `newest:COUNT`.
        case retention
    }

    /// As it stands in a file, with dots between the levels: `listen.port`.
    let key: String
    let kind: Kind
    /// Empty for "none".
    let standard: String
    let help: String

    init(_ key: String, _ kind: Kind, _ standard: String, _ help: String) {
        self.key = key
        self.kind = kind
        self.standard = standard
        self.help = help
    }

    /// As it stands on the command line: `--listen-port`.
    var flag: String { "--" + words.joined(separator: "-") }

    /// As it stands in the environment of a role: `MAILBOX_STORE_LISTEN_PORT`.
    func variable(of role: String) -> String {
        Self.variablePrefix(of: role) + words.map { $0.uppercased() }.joined(separator: "_")
    }

    /// What the variables of a role begin with.
    static func variablePrefix(of role: String) -> String { "MAILBOX_\(role.uppercased())_" }

    /// The words of the key, in small letters.
    private var words: [String] {
        var words: [String] = [""]
        for character in key {
            switch character {
            case ".": words.append("")
            case _ where character.isUppercase: words.append(character.lowercased())
            default: words[words.count - 1].append(character)
            }
        }
        return words
    }

    /// What a value may be, for people.
    var allowed: String {
        switch kind {
        case .text: "text"
        case .path: "a path"
        case .boolean: "true or false"
        case .integer(let range): "\(range.lowerBound) … \(range.upperBound)"
        case .bytes(let range):
            "\(ByteCount.text(range.lowerBound)) … \(ByteCount.text(range.upperBound))"
        case .choice(let names): names.joined(separator: ", ")
        case .addresses: "HOST:PORT or unix:PATH, with commas between"
        case .retention: "unacknowledged, acknowledged:SECONDS, newest:COUNT"
        }
    }

    /// Checks a value, and brings it into the form in which it is shown.
    ///
    /// - Returns: nil when it is none.
    func normalized(_ text: String) -> String? {
        switch kind {
        case .text, .path: return text
        case .boolean: return ["true", "false"].contains(text) ? text : nil
        case .integer(let range):
            guard let value = Int(text), range.contains(value) else { return nil }
            return String(value)
        case .bytes(let range):
            guard let value = ByteCount.parse(text), range.contains(value) else { return nil }
            return ByteCount.text(value)
        case .choice(let names): return names.contains(text) ? text : nil
        case .addresses: return text.isEmpty || PeerAddresses.parse(text) != nil ? text : nil
        case .retention:
            return text.isEmpty || Retention.parse(text) != nil ? text : nil
        }
    }
}

/// Numbers of bytes as people write them.
enum ByteCount {
    private static let units: [(name: String, shift: Int)] = [
        ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0),
    ]

    /// - Returns: nil when the text is none, or too large.
    static func parse(_ text: String) -> Int? {
        for (name, shift) in units where text.hasSuffix(name) {
            let number = text.dropLast(name.count)
            guard let value = Int(number.drop { $0 == " " }), value >= 0,
                value <= Int.max >> shift
            else { return nil }
            return value << shift
        }
        guard let value = Int(text), value >= 0 else { return nil }
        return value
    }

    /// In the largest unit of which it is a whole number.
    static func text(_ value: Int) -> String {
        for (name, shift) in units.dropLast() where value != 0 && value % (1 << shift) == 0 {
            return "\(value >> shift)\(name)"
        }
        return String(value)
    }
}
