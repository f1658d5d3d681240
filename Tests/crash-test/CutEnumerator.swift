import Glibc

/// What was checked, and what was wrong.
struct CutSummary {
    var states = 0
    var cuts = 0
    var violations: [String] = []
}

/// Follows a trace, and at each of its records rebuilds the directory as a cut there could leave
/// it, many times over; each time a judge has what is there opened, and holds it to what was
/// promised.
struct CutEnumerator<Judge: CutJudge> {

    /// Where a disk may stand: which of the pending pieces it has.
    private enum Choice {
        case none, all
        case alone(Int)
        case missing(Int)
        /// All of the older records, and this piece of the newest.
        case behindOlder(Int)
        case mask(UInt64)
        case random(UInt64)
    }

    /// Pieces that are left out, and stand alone, in front of a sync; of more, so many at random.
    private var singlesMaximum = 100

    let trace: Trace
    let directory: StateDirectory
    /// Where a state that is wrong is kept, with what is wrong about it.
    let keep: String
    /// Violations after which it ends.
    let violationsMaximum: Int
    private let model: FileSystemModel
    private var judge: Judge
    private var random: SeededRandom
    private(set) var summary = CutSummary()
    /// At which cut a state is laid aside, for a run that goes on from there.
    private var heir: (cut: Int, path: String)?
    /// What the judge knew at that cut.
    private(set) var heirJudge: Judge?
    /// Cuts of the trace so far, and those that are left out at its beginning.
    private var seenCuts = 0
    private var firstCut = 0
    private var triedHere: Set<UInt64> = []
    private var triedVersion = (durable: -1, lines: -1)

    init(
        _ trace: Trace, root: String, base: String, judge: Judge,
        directory: StateDirectory, keep: String, violationsMaximum: Int, seed: UInt64
    ) throws(Failure) {
        self.trace = trace
        self.directory = directory
        self.keep = keep
        self.violationsMaximum = violationsMaximum
        self.judge = judge
        random = SeededRandom(seed: seed)
        model = FileSystemModel(trace, rootPath: root, root: try Files.load(base))
    }

    /// Tries about so many states, spread over all cuts.
    ///
    /// - Parameters:
    ///   - percent: where in the trace it begins: what is in front is not cut.
    ///   - heir: where one of the states is left for a further run.
    mutating func run(states: Int, from percent: Int = 0, heir: String?) throws(Failure) {
        let cuts = trace.records.count { $0.kind != .mark && $0.kind != .syncBegin }
        firstCut = cuts * percent / 100
        // A run that is cut at its end alone is made for what goes on from there.
        if percent > 0 { singlesMaximum = 4 }
        if let heir {
            let first = max(firstCut, cuts / 4)
            self.heir = (Int.random(in: first..<max(first + 1, cuts), using: &random), heir)
        }
        let quota = max(4, states / max(1, cuts - firstCut))
        var isNew = true
        var newest = -1
        for (number, record) in trace.records.enumerated() {
            switch record.kind {
            case .mark:
                for line in trace.text(record).split(separator: "\n") { judge.hear(line) }
                isNew = true
            case .syncBegin: break
            default:
                if isNew { try visit(number, newest: newest, quota: quota) }
                isNew = try model.apply(number)
                newest = number
            }
            if summary.violations.count >= violationsMaximum { return }
        }
        try visit(trace.records.count, newest: newest, quota: quota)
        summary.violations += judge.complaints
    }

    /// The directory as the program left it, if nothing was cut.
    func writeEnd() throws(Failure) { try directory.write(model) { _ in true } }

    // MARK: One cut

    private mutating func visit(_ cut: Int, newest: Int, quota: Int) throws(Failure) {
        seenCuts += 1
        guard seenCuts >= firstCut else { return }
        summary.cuts += 1
        if triedVersion != (model.durableVersion, judge.lineCount) {
            triedVersion = (model.durableVersion, judge.lineCount)
            triedHere = []
        }
        let count = model.pending.count
        var tried = 0
        for choice in systematic(cut, newest: newest, quota: quota) {
            if try attempt(choice, cut, newest) { tried += 1 }
        }
        if count <= 6 {
            for mask in 0..<(UInt64(1) << UInt64(count)) where tried < quota {
                if try attempt(.mask(mask), cut, newest) { tried += 1 }
            }
        } else {
            while tried < quota {
                // A repetition counts here, so that this ends.
                tried += 1
                _ = try attempt(.random(random.next()), cut, newest)
            }
        }
        if let heir, seenCuts >= heir.cut {
            self.heir = nil
            let seed = random.next()
            try directory.write(model) { isChosen(.random(seed), $0, newest) }
            try Files.copy(directory.path, to: heir.path)
            heirJudge = judge
        }
    }

    /// None, all, each piece alone, each piece missing: some of the newest record's; and in front
    /// of a sync's end, where there are most of them, every one.
    private mutating func systematic(_ cut: Int, newest: Int, quota: Int) -> [Choice] {
        var choices: [Choice] = [.none, .all]
        let isBeforeSync = cut < trace.records.count && trace.records[cut].kind == .syncEnd
        var singles = model.pending.indices.filter {
            isBeforeSync || model.pending[$0].record == newest
        }
        singles.shuffle(using: &random)
        for index in singles.prefix(isBeforeSync ? singlesMaximum : max(1, quota / 4)) {
            choices.append(.missing(index))
            choices.append(.alone(index))
            if !isBeforeSync { choices.append(.behindOlder(index)) }
        }
        return choices
    }

    private func isChosen(_ choice: Choice, _ index: Int, _ newest: Int) -> Bool {
        switch choice {
        case .none: return false
        case .all: return true
        case .alone(let one): return index == one
        case .missing(let one): return index != one
        case .behindOlder(let one): return index == one || model.pending[index].record != newest
        case .mask(let mask): return mask >> UInt64(index) & 1 == 1
        case .random(let seed):
            // Between nearly none and nearly all; for some, everything up to a record, and no more
            // than a part behind.
            let density = seed % 10 * 10 + 5
            if seed & 0x1000 != 0 {
                let first = model.pending.first?.record ?? 0
                let edge = first + Int(seed >> 16 % UInt64(max(1, newest - first + 1)))
                if model.pending[index].record < edge { return true }
            }
            var draw = SeededRandom(seed: seed &+ UInt64(model.pending[index].number) &* 0x9E37)
            return draw.next() % 100 < density
        }
    }

    /// Checks one state, unless it was checked already.
    private mutating func attempt(
        _ choice: Choice, _ cut: Int, _ newest: Int
    ) throws(Failure) -> Bool {
        var mark: UInt64 = 0
        for index in model.pending.indices where isChosen(choice, index, newest) {
            var mixer = SeededRandom(seed: UInt64(model.pending[index].number))
            mark ^= mixer.next()
        }
        guard summary.violations.count < violationsMaximum, triedHere.insert(mark).inserted else {
            return false
        }
        summary.states += 1
        try directory.write(model) { isChosen(choice, $0, newest) }
        var draws = SeededRandom(seed: random.next())
        do throws(Failure) {
            try judge.check(directory.path, &draws)
        } catch {
            try note(error, choice, cut, newest)
        }
        return true
    }

    private mutating func note(
        _ failure: Failure, _ choice: Choice, _ cut: Int, _ newest: Int
    ) throws(Failure) {
        let count = model.pending.indices.count { isChosen(choice, $0, newest) }
        let place =
            "cut at record \(cut) of \(trace.records.count), \(choice): \(count) of "
            + "\(model.pending.count) pieces: \(failure)"
        summary.violations.append(place)
        guard !keep.isEmpty, summary.violations.count <= 3 else { return }
        let path = "\(keep)/\(getpid())-\(summary.violations.count)"
        try Files.makeDirectory(keep)
        try Files.remove(path)
        try directory.write(model) { isChosen(choice, $0, newest) }
        try Files.copy(directory.path, to: path)
        try Files.replace("\(path)/what-is-wrong", Array((place + "\n").utf8))
    }
}
