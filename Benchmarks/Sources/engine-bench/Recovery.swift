import CBench
import Glibc
import StoreEngine

/// How fast a store is open again after its process was killed with a full journal and no
/// checkpoint.
struct Recovery {
    let scale: Scale
    let scratch: Scratch
    let options: Options

    func run() throws -> Section {
        let workload = try Self.workload(scale, options)
        var found: [Double] = []
        for round in 1...scale.rounds {
            let value = try scratch.with("recover") { directory in
                let child = try ChildProcess(.fillAndDie, directory: directory, options: options)
                guard child.signal == SIGKILL else {
                    throw BenchError("the filling was not killed")
                }
                return try measure(workload, in: directory)
            }
            progress("round \(round): \(rate(value))")
            found.append(value)
        }
        var section = Section(
            "Recovery: open after SIGKILL, \(scale.recoverMessages) messages in the journal alone")
        section.row(
            "engine", "\(scale.mailboxes) mailboxes, journal in the page cache", rates(found))
        section.note(
            "Every mailbox's newest sequence was compared with what had been acknowledged.")
        section.metric("engine.recover.msgs_per_s", median(found), digits: 0)
        return section
    }

    private func measure(_ workload: Workload, in directory: String) throws -> Double {
        let started = bench_now()
        let store = try MailboxStore.open(
            at: directory + "/store", configuration: .withoutCheckpoints)
        let seconds = bench_now() - started
        try checkHeads(store, workload, complete: true)
        try store.close()
        return Double(workload.stream.count) / seconds
    }

    private static func workload(_ scale: Scale, _ options: Options) throws -> Workload {
        try Workload(mailboxes: scale.mailboxes, seed: options.seed) { generator in
            (0..<scale.recoverMessages).map { _ in
                UInt32.random(in: 0..<UInt32(scale.mailboxes), using: &generator)
            }
        }
    }

    /// Runs in a process of its own, which does not survive it.
    static func fillAndDie(_ scale: Scale, _ options: Options) throws {
        let workload = try workload(scale, options)
        let store = try MailboxStore.open(
            at: options.directory + "/store", configuration: .withoutCheckpoints)
        try EngineContestant().fill(store, workload, 0..<workload.stream.count)
        kill(getpid(), SIGKILL)
    }
}
