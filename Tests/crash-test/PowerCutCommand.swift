import Glibc

/// `crash-test powercut`: the planted bugs, each of which must be caught; then the engine as it is,
/// in so many states, on all processors.
struct PowerCutCommand {
    /// What `StoreEngine`'s `PlantedBug` names.
    static let planted = [
        "acknowledge-before-sync", "visible-before-sync", "position-before-data",
        "frames-without-generation", "no-directory-sync", "sync-error-ignored",
        "truncate-while-replaying",
    ]
    /// States in which a planted bug must show; most do in the first thousand.
    private static let plantedStates = 200_000

    private let options: Options
    private let scratch = Shares.scratch("powercut")
    private let seed: Int

    init(_ options: Options) throws(Failure) {
        self.options = options
        seed = try options.number("seed", else: Int.random(in: 1...(1 << 40)))
    }

    func run() throws {
        print("powercut: seed \(seed)")
        let caught = try runPlanted()
        let counts = try runSound()
        print("powercut.planted_caught: \(caught)/\(Self.planted.count)")
        guard counts["powercut.violations"] == 0 else { throw Failure("promises were broken") }
        guard caught == Self.planted.count else { throw Failure("planted bugs went unseen") }
    }

    private func words(_ part: Int, states: Int) -> [String] {
        [
            "powercut-part", "--states", String(states), "--seed", String(seed + part),
            "--scratch", "\(scratch)/part-\(part)", "--shim", options.text("shim", else: ""),
            "--keep", options.text("keep", else: ""),
        ]
    }

    private func runPlanted() throws(Failure) -> Int {
        let counts = try Shares.run(
            Self.planted.count, scratch: scratch, whoTrapsIsCaught: true
        ) { part in
            let bug = Self.planted[part]
            return (
                words(part, states: Self.plantedStates) + ["--planted", bug],
                ["MAILBOX_PLANTED_BUG": bug]
            )
        }
        return counts["caught"] ?? 0
    }

    private func runSound() throws(Failure) -> [String: Int] {
        let parts = Processors.count
        let states = try options.number("states", else: 100_000)
        let start = Shares.seconds
        let counts = try Shares.run(parts, scratch: scratch) { part in
            (words(part, states: (states + parts - 1) / parts), [:])
        }
        let seconds = Shares.seconds - start
        for name in ["runs", "recoveries", "cuts", "states", "violations"] {
            print("powercut.\(name): \(counts["powercut.\(name)"] ?? 0)")
        }
        let rate = Double(counts["powercut.states"] ?? 0) / seconds
        print("powercut.states_per_second: \(Int(rate))")
        return counts
    }

    // MARK: A part

    static func runPart(_ options: Options) throws {
        let planted = options.text("planted", else: "")
        guard planted.isEmpty else { return try runPlanted(planted, options) }
        let result = try PowerCut(options).run()
        for violation in result.violations { print("violation: \(violation)") }
        print("powercut.runs: \(result.runs)")
        print("powercut.recoveries: \(result.recoveries)")
        print("powercut.cuts: \(result.cuts)")
        print("powercut.states: \(result.states)")
        print("powercut.violations: \(result.violations.count)")
    }

    private static func runPlanted(_ bug: String, _ options: Options) throws {
        let result = try PowerCut(options).run(planted: bug, violationsMaximum: 1)
        guard let first = result.violations.first else {
            print("planted bug \(bug): NOT caught in \(result.states) states")
            return
        }
        print("planted bug \(bug): caught after \(result.states) states: \(first)")
        print("caught: 1")
    }
}
