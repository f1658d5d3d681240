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
    /// Of a run that leaves a long journal: its states are large, and its recovery is what it is
    /// for.
    private static let statesOfALongRun = 200

    /// A line is told of each so many.
    private static let statesTold = 100_000

    struct Result {
        var states = 0
        var cuts = 0
        var runs = 0
        /// Runs that recovered a long journal: their cuts are within a recovery, and behind it.
        var recoveries = 0
        var violations: [String] = []
    }

    /// Planted bugs that only a recovery with much to do shows.
    private static let plantedInRecovery = ["truncate-while-replaying", "truncate-before-replayed"]

    /// Works until enough states were tried, or something is wrong.
    func run(planted: String? = nil, violationsMaximum: Int = 5) throws(Failure) -> Result {
        var result = Result()
        var random = SeededRandom(seed: seed)
        var history = History()
        var kind = Workload.Kind.usual
        let base = "\(scratch)/base"
        try Files.remove(scratch)
        try Files.makeDirectory(scratch)
        try Files.makeDirectory(base)
        let directory = try StateDirectory(path: "\(scratch)/state")
        let shim = try Shim(options)
        while result.states < states, result.violations.count < violationsMaximum {
            kind = next(after: result.runs == 0 ? nil : kind, planted, &random)
            result.runs += 1
            let heir = "\(scratch)/heir"
            try Files.remove(heir)
            let (enumerator, durability) = try tryOne(
                kind, shim, history, directory, planted: planted, run: result.runs,
                violationsMaximum: violationsMaximum - result.violations.count,
                statesLeft: states - result.states, &random)
            if kind == .recovery { result.recoveries += 1 }
            let told = result.states / Self.statesTold
            result.states += enumerator.summary.states
            result.cuts += enumerator.summary.cuts
            result.violations += enumerator.summary.violations.map {
                "seed \(seed), run \(result.runs) (\(kind), \(durability)): \($0)"
            }
            if result.states / Self.statesTold != told {
                let violations = result.violations.count
                tell(
                    "powercut: seed \(seed): \(result.states) of \(states) states, "
                        + "\(violations) violations")
            }
            try Files.remove(base)
            // Goes on from one of the states, or begins anew.
            if let next = enumerator.heirJudge, kind == .long || random.chance(70) {
                history = next.history
                guard rename(heir, base) == 0 else { throw Failure("cannot rename \(heir)") }
            } else {
                history = History()
                try Files.makeDirectory(base)
            }
        }
        try Files.remove(scratch)
        return result
    }

    /// Behind a long journal comes its recovery, always: the next run opens what a cut left, and
    /// its own cuts are cuts within that recovery. It begins with one.
    private func next(
        after kind: Workload.Kind?, _ planted: String?, _ random: inout SeededRandom
    ) -> Workload.Kind {
        if kind == .long { return .recovery }
        guard let planted else { return kind == nil || random.chance(20) ? .long : .usual }
        return Self.plantedInRecovery.contains(planted) ? .long : .usual
    }

    /// Runs the workload once, and tries what cuts could leave of it.
    private func tryOne(
        _ kind: Workload.Kind, _ shim: Shim, _ history: History, _ directory: StateDirectory,
        planted: String?, run: Int, violationsMaximum: Int, statesLeft: Int,
        _ random: inout SeededRandom
    ) throws(Failure) -> (CutEnumerator<StoreJudge>, Durability) {
        let (work, base) = ("\(scratch)/root", "\(scratch)/base")
        try Files.remove(work)
        try Files.copy(base, to: work)
        let durability = durability(kind, planted, &random)
        let trace = try shim.trace(
            work, seed: random.next() >> 1, run: run, durability: durability, kind: kind,
            planted: planted, failingSync: failingSync(kind, durability, planted, &random),
            at: "\(scratch)/trace")
        var history = history
        history.beginRun(bindsAtOnce: durability == .commit)
        var enumerator = try CutEnumerator(
            trace, root: work, base: base,
            judge: StoreJudge(history: history, oracle: Oracle(durability: durability)),
            directory: directory, keep: planted == nil ? options.text("keep", else: "") : "",
            violationsMaximum: violationsMaximum, seed: random.next())
        let wanted = kind == .long ? Self.statesOfALongRun : Self.statesOfARun
        try enumerator.run(
            states: min(wanted, statesLeft), from: kind == .long ? 95 : 0,
            heir: "\(scratch)/heir")
        if enumerator.summary.violations.isEmpty {
            try enumerator.writeEnd()
            try Self.compare(directory.path, work)
        }
        return (enumerator, durability)
    }

    /// Some runs answer before they sync: then only a checkpoint binds.
    private func durability(
        _ kind: Workload.Kind, _ planted: String?, _ random: inout SeededRandom
    ) -> Durability {
        guard kind == .usual else { return .commit }
        switch planted {
        case nil: return random.chance(25) ? .system : .commit
        case "frames-without-generation": return .system
        default: return .commit
        }
    }

    /// Some runs have a disk that fails one sync: many of those where several threads sync.
    private func failingSync(
        _ kind: Workload.Kind, _ durability: Durability, _ planted: String?,
        _ random: inout SeededRandom
    ) -> Int? {
        let percent = durability == .system ? 40 : 15
        let isWanted =
            planted == nil
            ? kind == .usual && random.chance(percent) : planted == "sync-error-ignored"
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
        _ root: String, seed: UInt64, run: Int, durability: Durability, kind: Workload.Kind,
        planted: String?, failingSync: Int?, at path: String
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
        let words = [
            "work", "--root", root, "--seed", String(seed), "--run", String(run),
            "--durability", durability.rawValue, "--kind", kind.rawValue, "--sends",
            String(kind == .long ? 150 : 60),
        ]
        // What is traced has its threads beside each other.
        let ending = try Processors.unpinned { () throws(Failure) in
            try Child(words, environment: environment).wait()
        }
        guard ending == .exit(0) else { throw Failure("the workload ended with \(ending)") }
        return try Trace(path: path)
    }
}
