import CBench
import PeerLMDB
import PeerRocksDB

/// A store to be measured with one way of using it.
protocol Contestant: Sendable {
    var name: String { get }
    var settings: String { get }
    /// Appends the workload in an empty directory.
    func append(_ workload: Workload, in directory: String) throws -> Outcome
}

/// How a contestant did.
struct Outcome: Sendable {
    /// Messages per second, all of them durable.
    var perSecond: Double
    /// Processor time per message in microseconds, background work and warm-up included: what
    /// changes little when the machine has other things to do.
    var processorMicroseconds: Double

    init(perSecond: Double, messages: Int, processorSeconds: Double) {
        self.perSecond = perSecond
        processorMicroseconds = processorSeconds / Double(max(1, messages)) * 1e6
    }
}

/// Outcomes of several runs for people.
func outcomes(_ values: [Outcome]) -> String {
    rates(values.map(\.perSecond))
        + ", \(fixed(median(values.map(\.processorMicroseconds)), 1)) µs of processor each"
}

extension bench_result {
    /// Messages per second.
    ///
    /// - Throws: what went wrong, when something did.
    func rate() throws(BenchError) -> Double {
        var error = error
        let text = withUnsafeBytes(of: &error) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard text.isEmpty else { throw BenchError(text) }
        return Double(messages) / seconds
    }
}

/// Plain LMDB through its C library: one transaction per batch, its own default durability.
struct LMDBPeer: Contestant {
    var batch = 1_024
    var sorted = true
    var preallocatedMebibytes = 0

    var name: String { "LMDB 0.9.24" }
    var settings: String {
        "a transaction per \(batch)" + (sorted ? ", puts in key order" : "")
            + (preallocatedMebibytes > 0 ? ", file of \(preallocatedMebibytes) MiB beforehand" : "")
    }

    func append(_ workload: Workload, in directory: String) throws -> Outcome {
        let processorStart = processorSeconds()
        var settings = peer_lmdb_settings()
        settings.batch = batch
        settings.sorted = sorted
        settings.preallocate_bytes = preallocatedMebibytes << 20
        var result = bench_result()
        workload.withPeerWorkload { peer_lmdb_append(directory, &settings, $0, &result) }
        return Outcome(
            perSecond: try result.rate(), messages: workload.warmupCount + result.messages,
            processorSeconds: processorSeconds() - processorStart)
    }
}

/// RocksDB through its C library: a WriteBatch with `sync = true`.
struct RocksDBPeer: Contestant {
    enum Memtable: String, Sendable {
        case skipList = "skip list"
        case hashSkipList = "hash skip list"
        case hashLinkList = "hash link list"
    }

    var batch = 1_024
    var threads = 1
    var memtable = Memtable.skipList
    var writeBufferMebibytes = 64
    var pipelined = false
    var unordered = false
    var headsInPlace = false
    var sorted = false
    var universal = false

    var name: String { "RocksDB 7.8.3" }
    var settings: String {
        var parts = ["batch \(batch)", "\(memtable.rawValue) of \(writeBufferMebibytes) MiB × 8"]
        parts.append(universal ? "universal" : "leveled")
        if threads > 1 { parts.append("\(threads) threads") }
        if pipelined { parts.append("pipelined") }
        if unordered { parts.append("unordered") }
        if headsInPlace { parts.append("heads in place") }
        if sorted { parts.append("sorted") }
        return parts.joined(separator: ", ")
    }

    func append(_ workload: Workload, in directory: String) throws -> Outcome {
        let processorStart = processorSeconds()
        var settings = peer_rocksdb_settings()
        settings.batch = batch
        settings.threads = threads
        settings.memtable =
            switch memtable {
            case .skipList: PEER_ROCKSDB_SKIP_LIST
            case .hashSkipList: PEER_ROCKSDB_HASH_SKIP_LIST
            case .hashLinkList: PEER_ROCKSDB_HASH_LINK_LIST
            }
        settings.write_buffer_bytes = writeBufferMebibytes << 20
        settings.write_buffers_maximum = 8
        settings.background_jobs = 2
        settings.pipelined = pipelined
        settings.unordered = unordered
        // Neither hash memtables nor updates in place take concurrent writers.
        settings.concurrent_memtable = memtable == .skipList && !headsInPlace
        settings.heads_in_place = headsInPlace
        settings.sorted = sorted
        settings.universal_compaction = universal
        var result = bench_result()
        workload.withPeerWorkload { peer_rocksdb_append(directory, &settings, $0, &result) }
        return Outcome(
            perSecond: try result.rate(), messages: workload.warmupCount + result.messages,
            processorSeconds: processorSeconds() - processorStart)
    }
}

extension RocksDBPeer {
    /// The settings that came out best of `survey`; every run tries them anew and takes its best.
    static let shortlist: [RocksDBPeer] = [
        RocksDBPeer(batch: 1_024, memtable: .hashLinkList, universal: true),
        RocksDBPeer(batch: 4_096, memtable: .hashLinkList, universal: true),
        RocksDBPeer(batch: 1_024, writeBufferMebibytes: 8),
        RocksDBPeer(batch: 4_096, writeBufferMebibytes: 8),
    ]

    /// Everything that was tried.
    static let survey: [RocksDBPeer] = [
        RocksDBPeer(batch: 256),
        RocksDBPeer(batch: 512),
        RocksDBPeer(batch: 1_024),
        RocksDBPeer(batch: 4_096),
        RocksDBPeer(batch: 1_024, writeBufferMebibytes: 8),
        RocksDBPeer(batch: 1_024, writeBufferMebibytes: 256),
        RocksDBPeer(batch: 4_096, sorted: true),
        RocksDBPeer(batch: 1_024, threads: 2),
        RocksDBPeer(batch: 1_024, threads: 2, pipelined: true),
        RocksDBPeer(batch: 256, threads: 4, pipelined: true),
        RocksDBPeer(batch: 1_024, threads: 2, unordered: true),
        RocksDBPeer(batch: 1_024, universal: true),
        RocksDBPeer(batch: 1_024, headsInPlace: true),
        RocksDBPeer(batch: 1_024, memtable: .hashSkipList),
        RocksDBPeer(batch: 256, memtable: .hashLinkList),
        RocksDBPeer(batch: 1_024, memtable: .hashLinkList),
        RocksDBPeer(batch: 4_096, memtable: .hashLinkList),
        RocksDBPeer(batch: 1_024, memtable: .hashLinkList, writeBufferMebibytes: 16),
        RocksDBPeer(batch: 1_024, memtable: .hashLinkList, writeBufferMebibytes: 256),
        RocksDBPeer(batch: 512, threads: 2, memtable: .hashLinkList),
        RocksDBPeer(batch: 1_024, memtable: .hashLinkList, headsInPlace: true, universal: true),
        RocksDBPeer(batch: 1_024, memtable: .hashLinkList, universal: true),
        RocksDBPeer(batch: 4_096, memtable: .hashLinkList, universal: true),
    ]
}
