/// What is measured; the raw values are the names that `--only` takes.
enum Scenario: String, CaseIterable, Sendable {
    case bulk = "append.bulk"
    case tasks = "append.tasks"
    case single = "append.single"
    case latency = "append.p999"
    case readBase = "read.base"
    case readTail = "read.tail"
    case recover
    case memory
    case sustained
    case peers

    /// The two that run for minutes and answer no line of the standard list are asked for by name.
    static let standard: [Scenario] = [
        .bulk, .tasks, .single, .latency, .readBase, .readTail, .recover, .memory,
    ]
}

/// The command line.
struct Options: Sendable {
    var scenarios = Scenario.standard
    var smoke = false
    var messages: Int?
    var rounds: Int?
    var directory = "."
    var seed: UInt64 = 20_26
    /// Set in a process that the benchmark started itself.
    var child: ChildRole?

    static let usage = """
        engine-bench: measures the storage engine against LMDB, RocksDB and the bare disk.

          --only NAME[,NAME]  \(Scenario.allCases.map(\.rawValue).joined(separator: ", "))
                              (without it: all but sustained and peers)
          --smoke             everything with tiny amounts, in less than a minute
          --messages N        messages per run, where a scenario appends a number of messages
          --rounds N          paired runs that the medians are taken of (3)
          --directory DIR     on a disk; the files go to DIR/.bench-tmp (the current directory)
          --seed N            of the random mailboxes and bodies
          --help              this

        Build it with `-c release`. Progress goes to standard error, figures to standard output.
        """

    init(_ arguments: [String]) throws(BenchError) {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            switch name {
            case "--smoke": smoke = true
            case "--only": scenarios = try Self.scenarios(try Self.value(of: name, &rest))
            case "--messages": messages = try Self.count(name, &rest)
            case "--rounds": rounds = try Self.count(name, &rest)
            case "--seed": seed = UInt64(try Self.count(name, &rest))
            case "--directory": directory = try Self.value(of: name, &rest)
            case "--child":
                let value = try Self.value(of: name, &rest)
                guard let role = ChildRole(rawValue: value) else {
                    throw BenchError("--child \(value) is for the benchmark itself")
                }
                child = role
            default: throw BenchError("\(name) is not an option; see --help")
            }
        }
        if smoke, !arguments.contains("--only") { scenarios = Scenario.allCases }
    }

    private static func value(
        of name: String, _ rest: inout ArraySlice<String>
    ) throws(BenchError) -> String {
        guard let value = rest.popFirst() else { throw BenchError("\(name) needs a value") }
        return value
    }

    private static func count(
        _ name: String, _ rest: inout ArraySlice<String>
    ) throws(BenchError) -> Int {
        let text = try value(of: name, &rest)
        guard let count = Int(text), count > 0 else {
            throw BenchError("\(name) needs a number from 1, not \(text)")
        }
        return count
    }

    private static func scenarios(_ text: String) throws(BenchError) -> [Scenario] {
        var chosen: [Scenario] = []
        for name in text.split(separator: ",") {
            guard let scenario = Scenario(rawValue: String(name)) else {
                let names = Scenario.allCases.map(\.rawValue).joined(separator: ", ")
                throw BenchError("--only takes \(names); not \(name)")
            }
            chosen.append(scenario)
        }
        return chosen
    }
}

/// Why a measurement could not be made.
struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
