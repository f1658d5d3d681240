import Glibc

/// `crash-test simulate`: so many seeds of `Simulation`, on all processors; and that the planted
/// bugs show in it, and seeds repeat themselves.
struct SimulateCommand {
    /// Those that short runs of single steps show: the others need readers beside a sync, or
    /// segments that are used again and again.
    private static let planted = [
        "acknowledge-before-sync", "position-before-data", "no-directory-sync",
        "sync-error-ignored", "truncate-before-replayed", "page-cache-believed",
    ]
    /// Seeds in which a planted bug must show.
    private static let plantedSeeds = 2_000
    /// Every so many seeds, one is run once more, to see whether it does the same.
    private static let repeatedEvery = 10

    private let options: Options
    private let scratch = Shares.scratch("simulate")

    init(_ options: Options) { self.options = options }

    func run() throws {
        let first = try options.number("seed", else: Int.random(in: 1...(1 << 40)))
        let seeds = try options.number("seeds", else: 1_000)
        print("simulate: seeds \(first) to \(first + seeds - 1)")
        let isWhole = seeds > 1
        let caught = isWhole ? try runPlanted(first) : 0
        let start = Shares.seconds
        let parts = isWhole ? Processors.count : 1
        let counts = try share(parts) { part in
            (words(first + part, seeds: (seeds - part + parts - 1) / parts, step: parts), [:])
        }
        let seconds = max(0.001, Shares.seconds - start)
        for (name, value) in counts.sorted(by: { $0.key < $1.key }) { print("\(name): \(value)") }
        let tried = counts["simulate.engine_seeds"] ?? 0
        print("simulate.engine_seeds_per_second: \(Int(Double(tried) / seconds))")
        if isWhole { print("simulate.planted_caught: \(caught)/\(Self.planted.count)") }
        guard counts["simulate.engine_violations"] == 0 else {
            throw Failure("promises were broken")
        }
        guard counts["simulate.diverged"] == 0 else {
            throw Failure("a seed did not repeat itself")
        }
        guard !isWhole || caught == Self.planted.count else {
            throw Failure("planted bugs went unseen")
        }
    }

    private func share(
        _ count: Int, _ arguments: (Int) -> (words: [String], environment: [String: String])
    ) throws(Failure) -> [String: Int] {
        let shim = try options.text("shim")
        return try Shares.run(count, scratch: scratch) { part in
            var (words, environment) = arguments(part)
            environment["LD_PRELOAD"] = shim
            // What a dictionary's order decides is decided alike every time.
            environment["SWIFT_DETERMINISTIC_HASHING"] = "1"
            words += ["--scratch", "\(scratch)/part-\(part)"]
            return (words, environment)
        }
    }

    private func words(_ first: Int, seeds: Int, step: Int) -> [String] {
        [
            "simulate-part", "--seed", String(first), "--seeds", String(seeds), "--step",
            String(step),
        ]
    }

    private func runPlanted(_ first: Int) throws(Failure) -> Int {
        let counts = try share(Self.planted.count) { part in
            (
                words(first, seeds: Self.plantedSeeds, step: 1)
                    + ["--planted", Self.planted[part]],
                ["MAILBOX_PLANTED_BUG": Self.planted[part]]
            )
        }
        return counts["caught"] ?? 0
    }

    // MARK: A part

    static func runPart(_ options: Options) async throws {
        guard ShimControl.isThere else { throw Failure("the shim is not preloaded") }
        let first = try options.number("seed", else: 1)
        let seeds = try options.number("seeds", else: 1)
        let step = try options.number("step", else: 1)
        let planted = options.text("planted", else: "")
        let scratch = try options.text("scratch")
        var tally = Tally()
        for index in 0..<seeds where tally.violations < 3 {
            let simulation = Simulation(seed: UInt64(first + index * step), scratch: scratch)
            if let wrong = await violation(
                simulation, repeats: planted.isEmpty && index % repeatedEvery == 0, &tally)
            {
                tally.violations += 1
                guard planted.isEmpty else {
                    let text = "\(wrong)".split(separator: "\n").first ?? ""
                    print("planted bug \(planted): caught after \(index + 1) seeds: \(text)")
                    print("caught: 1")
                    return try Files.remove(scratch)
                }
                print("violation: \(wrong)")
                print("again: make simulate-engine SEEDS=1 SEED=\(simulation.seed)")
            }
        }
        try Files.remove(scratch)
        guard planted.isEmpty else {
            print("planted bug \(planted): NOT caught in \(seeds) seeds")
            return
        }
        tally.say()
    }

    /// Runs a seed, and some of them once more.
    private static func violation(
        _ simulation: Simulation, repeats: Bool, _ tally: inout Tally
    ) async -> (any Error)? {
        do {
            let outcome = try await simulation.run()
            tally.add(outcome)
            guard repeats else { return nil }
            tally.repeated += 1
            if try await simulation.run().digest == outcome.digest { return nil }
            tally.diverged += 1
            print("diverged: seed \(simulation.seed)")
            return nil
        } catch {
            return error
        }
    }

    private struct Tally {
        var seeds = 0
        var violations = 0
        var repeated = 0
        var diverged = 0
        var kills = 0
        var cuts = 0
        var faults: [String: Int] = [:]

        mutating func add(_ outcome: Simulation.Outcome) {
            seeds += 1
            kills += outcome.events.kills
            cuts += outcome.events.cuts
            faults.merge(outcome.events.faults) { $0 + $1 }
        }

        func say() {
            print("simulate.engine_seeds: \(seeds + violations)")
            print("simulate.engine_violations: \(violations)")
            print("simulate.repeated: \(repeated)")
            print("simulate.diverged: \(diverged)")
            print("simulate.kills: \(kills)")
            print("simulate.power_cuts: \(cuts)")
            for (name, count) in faults { print("simulate.fault_\(name): \(count)") }
        }
    }
}
