import Glibc

/// `crash-test killpoints` and `crash-test faults`: all operations, on all processors.
struct SweepCommand {
    private let name: String
    private let options: Options

    init(_ command: String, _ options: Options) {
        name = command.hasPrefix("faults") ? "faults" : "killpoints"
        self.options = options
    }

    func run() throws {
        let parts = Processors.count
        let scratch = Shares.scratch(name)
        let stride = try options.number("stride", else: 1)
        let start = Shares.seconds
        let counts = try Shares.run(parts, scratch: scratch) { part in
            (
                [
                    "\(name)-part", "--part", String(part), "--parts", String(parts),
                    "--stride", String(stride), "--scratch", "\(scratch)/part-\(part)", "--shim",
                    options.text("shim", else: ""),
                ], [:]
            )
        }
        var total = 0
        for (key, value) in counts.sorted(by: { $0.key < $1.key })
        where key != "\(name).violations" {
            print("\(key): \(value)")
            // What else is counted is no kill or fault.
            if !key.contains("reads_ended") { total += value }
        }
        print("\(name).total: \(total)")
        print("\(name).seconds: \(Int(Shares.seconds - start))")
        let violations = counts["\(name).violations"] ?? 0
        print("\(name).violations: \(violations)")
        if violations > 0 { throw Failure("promises were broken") }
    }

    func runPart() throws {
        let part = try options.number("part", else: 0)
        let parts = try options.number("parts", else: 1)
        try Files.makeDirectory(try options.text("scratch"))
        if name == "faults" {
            try InputOutputFaults(options: options, part: part, parts: parts).run()
        } else {
            try KillPoints(options: options, part: part, parts: parts).run()
        }
    }
}
