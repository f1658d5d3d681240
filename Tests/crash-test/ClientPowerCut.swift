import Glibc

/// Holds a client's database to what was promised; a process of the client's own code opens it.
struct ClientJudge: CutJudge {
    var history: ClientHistory
    let worker: Talker

    var lineCount: Int { history.lineCount }
    var complaints: [String] { history.complaints }

    mutating func hear(_ line: Substring) { history.hear(line) }

    func check(_ directory: String, _ random: inout SeededRandom) throws(Failure) {
        try history.check(try worker.ask("\(directory)/client.db"))
    }
}

/// `crash-test client-powercut`: the power cut simulator over the client's SQLite files. The client
/// is a program of another build: crash-test asks it.
struct ClientPowerCut {
    /// Mistakes that must show: syncs that do nothing, what `send` says said before it, and cursors
    /// that the server hears of before their messages are stored.
    static let planted = ["no-sync", "promise-before-save", "cursor-before-store"]
    private static let statesOfARun = 3_000
    private static let plantedStates = 20_000

    private let options: Options
    private let scratch: String
    private let seed: Int

    init(_ options: Options) throws(Failure) {
        self.options = options
        scratch = options.text("scratch", else: Shares.scratch("client-powercut"))
        seed = try options.number("seed", else: Int.random(in: 1...(1 << 40)))
    }

    func run() throws {
        print("client-powercut: seed \(seed)")
        let plants = try Shares.run(Self.planted.count, scratch: scratch) { part in
            (
                words(part, states: Self.plantedStates) + ["--planted", Self.planted[part]],
                ["CLIENT_PLANTED_BUG": Self.planted[part]]
            )
        }
        let states = try options.number("states", else: 10_000)
        let parts = Processors.count
        let start = Shares.seconds
        let counts = try Shares.run(parts, scratch: scratch) { part in
            (words(10 + part, states: (states + parts - 1) / parts), [:])
        }
        let rate = Double(counts["client_powercut.states"] ?? 0) / max(1, Shares.seconds - start)
        for name in ["runs", "cuts", "states", "violations"] {
            print("client_powercut.\(name): \(counts["client_powercut.\(name)"] ?? 0)")
        }
        print("client_powercut.states_per_second: \(Int(rate))")
        let caught = plants["caught"] ?? 0
        print("client_powercut.planted_caught: \(caught)/\(Self.planted.count)")
        guard counts["client_powercut.violations"] == 0 else {
            throw Failure("promises were broken")
        }
        guard caught == Self.planted.count else { throw Failure("planted bugs went unseen") }
    }

    private func words(_ part: Int, states: Int) -> [String] {
        [
            "client-powercut-part", "--states", String(states), "--seed", String(seed + part),
            "--scratch", "\(scratch)/part-\(part)", "--shim", options.text("shim", else: ""),
            "--worker", options.text("worker", else: ""), "--keep",
            options.text("keep", else: ""),
        ]
    }

    // MARK: A part

    func runPart() throws {
        let planted = options.text("planted", else: "")
        let states = try options.number("states", else: 1_000)
        var random = SeededRandom(seed: UInt64(seed))
        var total = CutSummary()
        var runs = 0
        var history = ClientHistory()
        let base = "\(scratch)/base"
        try Files.remove(scratch)
        try Files.makeDirectory(scratch)
        try Files.makeDirectory(base)
        let directory = try StateDirectory(path: "\(scratch)/state")
        let worker = try Talker(try options.text("worker"), ["check"])
        while total.states < states, total.violations.isEmpty {
            runs += 1
            try Files.remove("\(scratch)/heir")
            let work = "\(scratch)/root"
            try Files.remove(work)
            try Files.copy(base, to: work)
            let trace = try trace(work, history, run: runs, planted, seed: random.next() >> 1)
            var enumerator = try CutEnumerator(
                trace, root: work, base: base, judge: ClientJudge(history: history, worker: worker),
                directory: directory, keep: planted.isEmpty ? options.text("keep", else: "") : "",
                violationsMaximum: 1, seed: random.next())
            try enumerator.run(
                states: min(Self.statesOfARun, states - total.states), heir: "\(scratch)/heir")
            total.states += enumerator.summary.states
            total.cuts += enumerator.summary.cuts
            total.violations += enumerator.summary.violations.map {
                "seed \(seed), run \(runs): \($0)"
            }
            try Files.remove(base)
            if let next = enumerator.heirJudge, random.chance(70) {
                history = next.history
                guard rename("\(scratch)/heir", base) == 0 else { throw Failure("no heir") }
            } else {
                history = ClientHistory()
                try Files.makeDirectory(base)
            }
        }
        try Files.remove(scratch)
        say(total, runs: runs, planted)
    }

    private func say(_ total: CutSummary, runs: Int, _ planted: String) {
        if planted.isEmpty {
            for violation in total.violations { print("violation: \(violation)") }
            print("client_powercut.runs: \(runs)")
            print("client_powercut.cuts: \(total.cuts)")
            print("client_powercut.states: \(total.states)")
            print("client_powercut.violations: \(total.violations.count)")
        } else if let first = total.violations.first {
            print("planted bug \(planted): caught after \(total.states) states: \(first)")
            print("caught: 1")
        } else {
            print("planted bug \(planted): NOT caught in \(total.states) states")
        }
    }

    private func trace(
        _ root: String, _ history: ClientHistory, run: Int, _ planted: String, seed: UInt64
    ) throws(Failure) -> Trace {
        let (path, past) = ("\(scratch)/trace", "\(scratch)/past")
        try Files.remove(path)
        try Files.replace(past, Array(history.lines.joined(separator: "\n").utf8))
        var environment = [
            "LD_PRELOAD": try options.text("shim"), "FILE_SHIM_ROOT": root,
            "FILE_SHIM_TRACE": path, "FILE_SHIM_DELAY": "150",
        ]
        if planted == "no-sync" { environment["FILE_SHIM_NO_SYNC"] = "1" }
        let worker = try options.text("worker")
        let ending = try Processors.unpinned { () throws(Failure) in
            try Child(
                ["work", "\(root)/client.db", String(seed), String(run), past],
                environment: environment, executable: worker
            ).wait()
        }
        guard ending == .exit(0) else { throw Failure("the client ended with \(ending)") }
        return try Trace(path: path)
    }
}
