import Glibc
import Mailbox

/// `crash-test powercut`: traces of the workload, one behind the other, and the states that a power
/// cut could leave at any of their records.
struct PowerCut {
    let options: Options
    let states: Int
    let seed: UInt64
    /// Where everything is made: in memory, best.
    let scratch: String

    init(_ options: Options) throws(Failure) {
        self.options = options
        states = try options.number("states", else: 20_000)
        seed = UInt64(try options.number("seed", else: Int.random(in: 1...(1 << 40))))
        scratch = try options.text("scratch")
    }

    /// About so many: what is systematic comes in any case.
    private static let statesOfARun = 5_000

    struct Result {
        var states = 0
        var cuts = 0
        var runs = 0
        var violations: [String] = []
    }

    /// Works until enough states were tried, or something is wrong.
    func run(planted: String? = nil, violationsMaximum: Int = 5) throws(Failure) -> Result {
        var result = Result()
        var random = SeededRandom(seed: seed)
        var history = History()
        let base = "\(scratch)/base"
        try Files.remove(scratch)
        try Files.makeDirectory(scratch)
        try Files.makeDirectory(base)
        let directory = try StateDirectory(path: "\(scratch)/state")
        let shim = try Shim(options)
        while result.states < states, result.violations.count < violationsMaximum {
            let work = "\(scratch)/root"
            try Files.remove(work)
            try Files.copy(base, to: work)
            let durability: Durability =
                planted == nil || planted == "frames-without-generation"
                ? (random.chance(25) || planted != nil ? .system : .commit) : .commit
            result.runs += 1
            let trace = try shim.trace(
                work, seed: random.next() >> 1, run: result.runs, durability: durability,
                planted: planted, failingSync: failingSync(planted, &random),
                at: "\(scratch)/trace")
            history.beginRun(bindsAtOnce: durability == .commit)
            var enumerator = try CutEnumerator(
                trace, root: work, base: base, history: history,
                oracle: Oracle(durability: durability), directory: directory,
                keep: planted == nil ? options.text("keep", else: "") : "",
                violationsMaximum: violationsMaximum - result.violations.count,
                seed: random.next())
            let heir = "\(scratch)/heir"
            try Files.remove(heir)
            try enumerator.run(
                states: min(Self.statesOfARun, states - result.states), heir: heir)
            result.states += enumerator.summary.states
            result.cuts += enumerator.summary.cuts
            result.violations += enumerator.summary.violations.map {
                "seed \(seed), run \(result.runs) (\(durability)): \($0)"
            }
            if enumerator.summary.violations.isEmpty {
                try enumerator.writeEnd()
                try Self.compare(directory.path, work)
            }
            try Files.remove(base)
            // Goes on from one of the states, or begins anew.
            if let next = enumerator.heirHistory, random.chance(70) {
                history = next
                guard rename(heir, base) == 0 else { throw Failure("cannot rename \(heir)") }
            } else {
                history = History()
                try Files.makeDirectory(base)
            }
        }
        try Files.remove(scratch)
        return result
    }

    /// Some runs have a disk that fails one sync.
    private func failingSync(_ planted: String?, _ random: inout SeededRandom) -> Int? {
        let isWanted = planted == nil ? random.chance(15) : planted == "sync-error-ignored"
        return isWanted ? Int.random(in: 20...90, using: &random) : nil
    }

    /// The model knows all that happened: what it says the directory is without a cut, it is.
    private static func compare(_ expected: String, _ actual: String) throws(Failure) {
        let names = try Files.list(expected).map(\.name).sorted()
        guard try Files.list(actual).map(\.name).sorted() == names else {
            throw Failure("the shim missed a call that changed a name in \(actual)")
        }
        for entry in try Files.list(expected) where entry.name != "lock.mdb" {
            let (left, right) = ("\(expected)/\(entry.name)", "\(actual)/\(entry.name)")
            if entry.isDirectory {
                try compare(left, right)
            } else if try Files.read(left) != Files.read(right) {
                throw Failure("the shim missed a call that changed \(right)")
            }
        }
    }
}

/// Runs the workload with the shim in front of its file calls.
struct Shim {
    let library: String
    let delayMicroseconds: Int

    init(_ options: Options) throws(Failure) {
        library = try options.text("shim")
        delayMicroseconds = try options.number("delay", else: 150)
    }

    func trace(
        _ root: String, seed: UInt64, run: Int, durability: Durability, planted: String?,
        failingSync: Int?, at path: String
    ) throws(Failure) -> Trace {
        try Files.remove(path)
        var environment = [
            "LD_PRELOAD": library, "FILE_SHIM_ROOT": root, "FILE_SHIM_TRACE": path,
            "FILE_SHIM_DELAY": String(delayMicroseconds),
        ]
        if let planted { environment["MAILBOX_PLANTED_BUG"] = planted }
        if let failingSync {
            environment["FILE_SHIM_COUNT"] = "sync"
            environment["FILE_SHIM_AT"] = String(failingSync)
            environment["FILE_SHIM_DO"] = String(EIO)
        }
        let ending = try Child(
            [
                "work", "--root", root, "--seed", String(seed), "--run", String(run),
                "--durability", durability.rawValue,
            ], environment: environment
        ).wait()
        guard ending == .exit(0) else { throw Failure("the workload ended with \(ending)") }
        return try Trace(path: path)
    }
}
