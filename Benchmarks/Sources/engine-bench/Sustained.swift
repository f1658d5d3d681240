import CBench
import Glibc
import StoreEngine
import Synchronization

/// Appends for long over many mailboxes, with the memory budgets stated and the memory watched.
struct SustainedAppend {
    let scale: Scale
    let scratch: Scratch
    let options: Options

    func run() throws -> Section {
        let child = try scratch.with("sustained") {
            try ChildProcess(.sustained, directory: $0, options: options)
        }
        let budget = Double(Self.budgetBytes(StoreConfiguration())) / Double(1 << 20)
        let perSecond = try child.figure("rate")
        let peak = try child.figure("peak") / Double(1 << 20)
        var section = Section(
            "Sustained: \(scale.sustainedMessages) messages over "
                + "\(scale.sustainedMailboxes) mailboxes"
        )
        section.row("engine", "batch 1024, default configuration", rate(perSecond))
        section.row(
            "", "with a final checkpoint in the time",
            rate(try child.figure("rate-with-checkpoint")))
        section.row(
            "", "anonymous memory above that before open, peak",
            "\(fixed(peak, 1)) MiB of \(fixed(budget, 1)) MiB")
        section.note(
            "Budget: tails, queue and 256 bytes for each mailbox of the head cache. The mapped "
                + "data file is page cache, which the system takes back: not counted.")
        section.metric("engine.sustained.msgs_per_s", perSecond, digits: 0)
        section.metric("engine.sustained.peak_mib", peak, digits: 1)
        section.metric("engine.sustained.budget_mib", budget, digits: 1)
        return section
    }

    /// What the configuration allows the engine to hold.
    private static func budgetBytes(_ configuration: StoreConfiguration) -> Int {
        configuration.tailBytesMaximum + configuration.queueBytesMaximum
            + configuration.headCacheMaximum * 256
    }

    /// Runs in a process of its own, whose memory is the engine's and the workload's alone.
    static func append(_ scale: Scale, _ options: Options) throws {
        let workload = try Workload(mailboxes: scale.sustainedMailboxes, seed: options.seed) {
            generator in
            (0..<scale.sustainedMessages).map { _ in
                UInt32.random(in: 0..<UInt32(scale.sustainedMailboxes), using: &generator)
            }
        }
        let before = anonymousBytes()
        let watch = MemoryWatch()
        let store = try MailboxStore.open(at: options.directory + "/store")
        let started = bench_now()
        var seconds = 0.0
        try onThreads(2) { thread in
            guard thread == 0 else { return watch.run() }
            defer { watch.stop() }
            for tenth in 0..<10 {
                let count = workload.stream.count
                try EngineContestant().fill(
                    store, workload, count * tenth / 10..<count * (tenth + 1) / 10)
                progress(
                    "\(tenth + 1) of 10 at \(fixed(bench_now() - started, 1)) s, "
                        + "\((anonymousBytes() - before) >> 20) MiB")
            }
        }
        seconds = bench_now() - started
        try store.blocking.checkpoint()
        let all = bench_now() - started
        tell("rate", Double(workload.stream.count) / seconds)
        tell("rate-with-checkpoint", Double(workload.stream.count) / all)
        tell("peak", Double(max(watch.peak, anonymousBytes()) - before))
        try checkHeads(store, workload, complete: true)
        try store.close()
    }
}

/// Looks at the process's memory twenty times a second.
private final class MemoryWatch: Sendable {
    private let highest = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)

    var peak: Int { highest.load(ordering: .relaxed) }

    func stop() { stopped.store(true, ordering: .releasing) }

    func run() {
        while !stopped.load(ordering: .acquiring) {
            highest.max(anonymousBytes(), ordering: .relaxed)
            bench_sleep_until(bench_now() + 0.05)
        }
    }
}
