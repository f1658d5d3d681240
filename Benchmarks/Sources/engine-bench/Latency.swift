import CBench
import Mailbox
import StoreEngine
import Synchronization

/// Append latency at a fixed offered load: with checkpoints nearly all the time over without any.
///
/// Open loop: message n is due at n / rate, whether or not the ones before it were answered. Each
/// producer sends everything that is due in one call, and a message's latency counts from when it
/// was due.
struct AppendLatency {
    let scale: Scale
    let scratch: Scratch
    let seed: UInt64
    private let producers = 4
    /// Long enough for the journal to have grown to the segments that checkpoints let it recycle.
    private var warmupSeconds: Double { scale.latencySeconds / 4 }

    func run() throws -> Section {
        let total = Int(scale.latencySeconds) * scale.latencyPerSecond
        let workload = try Workload.random(
            mailboxes: scale.mailboxes, messages: total, seed: seed)
        var checkpointing = StoreConfiguration()
        checkpointing.checkpointIntervalMilliseconds = 500
        // One segment for the whole run: without checkpoints nothing is recycled, and making new
        // segments beside the appends would slow down the figure to compare with.
        var idling = StoreConfiguration.withoutCheckpoints
        idling.journalSegmentBytes = 1 << 30
        var section = Section("Append latency at \(scale.latencyPerSecond) messages/s offered")
        var idle: [[UInt32]] = []
        var busy: [[UInt32]] = []
        for round in 1...scale.rounds {
            idle.append(try measure(workload, total, idling))
            progress("round \(round), no checkpoints: \(quantiles(idle[round - 1]))")
            busy.append(try measure(workload, total, checkpointing))
            progress("round \(round), checkpoints: \(quantiles(busy[round - 1]))")
        }
        for (name, runs) in [("without a checkpoint", idle), ("a checkpoint every 500 ms", busy)] {
            for run in runs { section.row("engine", name, quantiles(run)) }
        }
        section.note(
            "Open loop, \(producers) producers, each sending what is due in one call; "
                + "latency counts from when a message was due. The first quarter is not counted.")
        if (idle + busy).contains(where: { quantile(0.5, ofSorted: $0) ?? 0 > 50_000 }) {
            section.note("The machine could not keep up with the load: the ratio says nothing.")
        }
        let ratios = zip(busy, idle).map { busy, idle in
            Double(quantile(0.999, ofSorted: busy) ?? 0)
                / Double(quantile(0.999, ofSorted: idle) ?? 1)
        }
        section.metric("engine.append.p999_checkpoint_over_idle", median(ratios), digits: 2)
        return section
    }

    /// Latencies in microseconds, sorted.
    private func measure(
        _ workload: Workload, _ total: Int, _ configuration: StoreConfiguration
    ) throws -> [UInt32] {
        try scratch.with("latency") { directory in
            let store = try MailboxStore.open(
                at: directory + "/store", configuration: configuration)
            let collected = Mutex<[UInt32]>([])
            let started = bench_now() + 0.05
            try onThreads(producers) { producer in
                let latencies = try produce(store, workload, producer, total, started)
                collected.withLock { $0 += latencies }
            }
            try store.close()
            return collected.withLock { $0.sorted() }
        }
    }

    /// Sends this producer's share: messages `producer`, `producer + producers`, … of the stream.
    private func produce(
        _ store: MailboxStore, _ workload: Workload, _ producer: Int, _ total: Int,
        _ started: Double
    ) throws -> [UInt32] {
        let interval = 1 / Double(scale.latencyPerSecond)
        var latencies: [UInt32] = []
        latencies.reserveCapacity(total / producers)
        var next = producer
        while next < total {
            let due = started + Double(next) * interval
            if bench_now() < due { bench_sleep_until(due) }
            let first = next
            let now = bench_now()
            var appends: [Append] = []
            while next < total, appends.count < 4_096, started + Double(next) * interval <= now {
                appends.append(workload.append(next))
                next += producers
            }
            for result in try store.blocking.append(batch: appends) { _ = try result.get() }
            let answered = bench_now()
            for index in stride(from: first, to: next, by: producers) {
                let due = Double(index) * interval
                guard due >= warmupSeconds else { continue }
                latencies.append(UInt32(max(0, (answered - started - due) * 1e6)))
            }
        }
        return latencies
    }

    private func quantiles(_ sorted: [UInt32]) -> String {
        let parts = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)].map { name, share in
            "\(name) \(quantile(share, ofSorted: sorted) ?? 0)"
        }
        return parts.joined(separator: ", ") + ", most \(sorted.last ?? 0) µs"
    }
}
