import BareDisk

/// Bulk appends of everybody, and the two ratios to the peers.
struct BulkAppend {
    let scale: Scale
    let scratch: Scratch
    let seed: UInt64

    static let candidates = [
        EngineContestant(batch: 256, threads: 1), EngineContestant(batch: 256, threads: 2),
        EngineContestant(batch: 1_024, threads: 1), EngineContestant(batch: 1_024, threads: 2),
        EngineContestant(batch: 4_096, threads: 1), EngineContestant(batch: 4_096, threads: 2),
    ]

    func run() throws -> Section {
        let workload = try Workload.random(
            mailboxes: scale.mailboxes, messages: scale.bulkMessages, seed: seed,
            secondsMaximum: scale.secondsMaximum)
        var section = Section(
            "Bulk append: \(scale.bulkMessages) messages into \(scale.mailboxes) mailboxes")
        try addBareDisk(to: &section)
        let engine = try best(1, of: Self.candidates, workload, &section)[0]
        let rocks = try best(2, of: RocksDBPeer.shortlist, workload, &section)
        try addRounds(engine: engine, rocks: rocks, workload, to: &section)
        section.note(
            "Every answer is durable (fdatasync). A peer that needs longer than "
                + "\(fixed(scale.secondsMaximum, 0)) s stops early. Trials use half of "
                + "the messages."
        )
        section.note(
            "The peers keep the heads in an array in memory, number from it, and write message and "
                + "head in one batch; the engine does its own bookkeeping.")
        return section
    }

    private func addBareDisk(to section: inout Section) throws {
        for group in [1, 256, 1_024] {
            let value = try bareDiskRate(group: group, scale: scale, scratch: scratch)
            section.row("bare disk", "pwrite + fdatasync per \(group), 128 B each", rate(value))
        }
    }

    /// Tries every candidate with half of the messages, and answers the fastest, fastest first.
    private func best<Candidate: Contestant>(
        _ count: Int, of candidates: [Candidate], _ workload: Workload, _ section: inout Section
    ) throws -> [Candidate] {
        let half = workload.shortened(to: 0.5)
        var found: [(rate: Double, candidate: Candidate)] = []
        for candidate in candidates {
            let value = try measure(candidate, half)
            section.row(candidate.name, candidate.settings, "trial: " + outcomes([value]))
            found.append((value.perSecond, candidate))
        }
        found.sort { $0.rate > $1.rate }
        return found.prefix(count).map(\.candidate)
    }

    private func measure(_ contestant: some Contestant, _ workload: Workload) throws -> Outcome {
        let value = try scratch.with("bulk") { try contestant.append(workload, in: $0) }
        progress("\(contestant.name), \(contestant.settings): \(outcomes([value]))")
        return value
    }

    private func addRounds(
        engine: EngineContestant, rocks: [RocksDBPeer], _ workload: Workload,
        to section: inout Section
    ) throws {
        let lmdb = LMDBPeer()
        var ours: [Outcome] = []
        var oursWithCheckpoint: [Double] = []
        var theirs = [[Outcome]](repeating: [], count: rocks.count)
        var plain: [Outcome] = []
        for round in 1...scale.rounds {
            progress("round \(round) of \(scale.rounds)")
            let (append, withCheckpoint) = try scratch.with("bulk") {
                try engine.appendAndCheckpoint(workload, in: $0)
            }
            progress("engine: \(outcomes([append]))")
            ours.append(append)
            oursWithCheckpoint.append(withCheckpoint)
            for (number, peer) in rocks.enumerated() {
                theirs[number].append(try measure(peer, workload))
            }
            plain.append(try measure(lmdb, workload))
        }
        section.row(engine.name, engine.settings, outcomes(ours))
        section.row("", "with a final checkpoint in the time", rates(oursWithCheckpoint))
        for (peer, values) in zip(rocks, theirs) {
            section.row(peer.name, peer.settings, outcomes(values))
        }
        section.row(lmdb.name, lmdb.settings, outcomes(plain))
        let fastest = theirs.map { $0.map(\.perSecond) }.max { median($0) < median($1) } ?? []
        let our = ours.map(\.perSecond)
        section.metric("engine.append.bulk.msgs_per_s", median(our), digits: 0)
        section.metric("engine.append.bulk.vs_rocksdb", median(pairs(our, fastest)), digits: 2)
        section.metric(
            "engine.append.bulk.vs_lmdb", median(pairs(our, plain.map(\.perSecond))), digits: 2)
    }
}

/// The ratios of runs that stood next to each other.
func pairs(_ ours: [Double], _ theirs: [Double]) -> [Double] {
    zip(ours, theirs).map { $0 / $1 }
}

/// What the disk takes without a store: groups of records of 128 bytes, one sync for each group.
func bareDiskRate(group: Int, scale: Scale, scratch: Scratch) throws -> Double {
    try scratch.with("disk") { directory in
        var result = bench_result()
        let disk = bare_disk_create(directory + "/zeroes", 256 << 20, &result)
        _ = try disk == nil ? result.rate() : 0
        defer { bare_disk_close(disk) }
        bare_disk_bulk(disk, group, 128, scale.bareDiskSeconds, &result)
        return try result.rate()
    }
}
