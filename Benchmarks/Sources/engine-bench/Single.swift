import BareDisk
import CBench
import StoreEngine

/// One thread that waits for each append, against a bare write and sync of as many bytes.
struct SingleAppend {
    let scale: Scale
    let scratch: Scratch
    let seed: UInt64
    /// What a message of 100 bytes with two addresses comes to in a log.
    private let recordBytes = 160

    func run() throws -> Section {
        let workload = try Workload.random(
            mailboxes: scale.mailboxes, messages: scale.singleSamples, seed: seed)
        var section = Section("One synchronous appender, \(scale.singleSamples) appends")
        var (ours, bare) = try scratch.with("single") { try measure(workload, in: $0) }
        ours.sort()
        bare.sort()
        section.row("engine", "append(_:), default configuration", quantiles(ours))
        section.row(
            "bare disk", "pwrite of \(recordBytes) B + fdatasync, file of zeroes", quantiles(bare))
        section.note("Blocks of 50 of each take turns in one run on one disk.")
        let half = (quantile(0.5, ofSorted: ours) ?? .nan, quantile(0.5, ofSorted: bare) ?? .nan)
        section.metric("engine.append.single.p50_over_fdatasync", half.0 / half.1, digits: 2)
        return section
    }

    private func measure(
        _ workload: Workload, in directory: String
    ) throws -> (ours: [Double], bare: [Double]) {
        var result = bench_result()
        let disk = bare_disk_create(directory + "/zeroes", 32 << 20, &result)
        _ = try disk == nil ? result.rate() : 0
        defer { bare_disk_close(disk) }
        let store = try MailboxStore.open(at: directory + "/store")
        var ours: [Double] = []
        var bare: [Double] = []
        for start in stride(from: 0, to: workload.stream.count, by: 50) {
            for index in start..<min(start + 50, workload.stream.count) {
                let started = bench_now()
                _ = try store.blocking.append(workload.append(index))
                if index >= workload.warmupCount { ours.append(bench_now() - started) }
            }
            for _ in 0..<50 {
                let seconds = bare_disk_append(disk, recordBytes)
                guard seconds >= 0 else { throw BenchError("write: \(systemError())") }
                if start >= workload.warmupCount { bare.append(seconds) }
            }
        }
        try store.close()
        return (ours, bare)
    }

    private func quantiles(_ sorted: [Double]) -> String {
        [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)].map { name, share in
            "\(name) \(fixed((quantile(share, ofSorted: sorted) ?? .nan) * 1e6, 0)) µs"
        }.joined(separator: ", ")
    }
}
