import CBench
import StoreEngine

/// Many tasks that each wait for their own append, against the best that RocksDB can do in bulk.
struct TaskAppend {
    let scale: Scale
    let scratch: Scratch
    let seed: UInt64

    func run() async throws -> Section {
        let workload = try Workload.random(
            mailboxes: scale.mailboxes, messages: scale.taskMessages, seed: seed,
            secondsMaximum: scale.secondsMaximum)
        var section = Section("\(scale.tasks) tasks, each awaiting its own append")
        let peer = try bestPeer(workload)
        var ours: [Double] = []
        var theirs: [Double] = []
        for round in 1...scale.rounds {
            progress("round \(round) of \(scale.rounds)")
            ours.append(
                try await scratch.with("tasks") { try await measureEngine(workload, in: $0) })
            progress("engine: \(rate(ours[round - 1]))")
            theirs.append(try scratch.with("tasks") { try peer.append(workload, in: $0) }.perSecond)
            progress("\(peer.name): \(rate(theirs[round - 1]))")
        }
        section.row("engine", "one message a call, default configuration", rates(ours))
        section.row(peer.name, peer.settings + " (its best)", rates(theirs))
        section.note(
            "RocksDB may batch here; the engine's tasks may not: each call has one message.")
        section.metric("engine.append.tasks.vs_rocksdb", median(pairs(ours, theirs)), digits: 2)
        return section
    }

    private func bestPeer(_ workload: Workload) throws -> RocksDBPeer {
        var best = (rate: 0.0, peer: RocksDBPeer())
        for peer in RocksDBPeer.shortlist {
            let value = try scratch.with("tasks") { try peer.append(workload, in: $0).perSecond }
            progress("\(peer.name), \(peer.settings): \(rate(value))")
            if value > best.rate { best = (value, peer) }
        }
        return best.peer
    }

    private func measureEngine(_ workload: Workload, in directory: String) async throws -> Double {
        let store = try MailboxStore.open(at: directory + "/store")
        try await append(store, workload, 0..<workload.warmupCount)
        let started = bench_now()
        try await append(store, workload, workload.warmupCount..<workload.stream.count)
        let seconds = bench_now() - started
        try checkHeads(store, workload, complete: true)
        try store.close()
        return Double(workload.messageCount) / seconds
    }

    private func append(
        _ store: MailboxStore, _ workload: Workload, _ range: Range<Int>
    ) async throws {
        let tasks = scale.tasks
        try await withThrowingTaskGroup { group in
            for task in 0..<tasks {
                group.addTask {
                    for index in stride(
                        from: range.lowerBound + task, to: range.upperBound, by: tasks)
                    {
                        _ = try await store.append(workload.append(index))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
