import CBench
import Mailbox
import PeerLMDB
import StoreEngine

/// Ranges of 50 messages from checkpointed mailboxes, against LMDB in C with the same bodies.
struct BaseRead {
    let scale: Scale
    let scratch: Scratch
    let seed: UInt64
    private let limit = 50

    /// Which ranges are read.
    private struct Queries: Sendable {
        var mailboxes: [UInt32]
        var after: [UInt32]
    }

    func run() throws -> Section {
        let mailboxes = scale.mailboxes
        let perMailbox = scale.basePerMailbox
        var queries = Queries(mailboxes: [], after: [])
        let workload = try Workload(mailboxes: mailboxes, seed: seed) { generator in
            for _ in 0..<scale.baseReads {
                queries.mailboxes.append(
                    UInt32.random(in: 0..<UInt32(mailboxes), using: &generator))
                let room = UInt32(perMailbox - limit)
                queries.after.append(UInt32.random(in: 0...room, using: &generator))
            }
            var order = Array(0..<UInt32(mailboxes))
            var stream: [UInt32] = []
            stream.reserveCapacity(mailboxes * perMailbox)
            for _ in 0..<perMailbox {
                order.shuffle(using: &generator)
                stream += order
            }
            return stream
        }
        return try scratch.with("read") { directory in
            let store = try fillEngine(workload, in: directory + "/store")
            defer { try? store.close() }
            return try withLMDB(workload, in: directory + "/store") { lmdb in
                try compare(store, lmdb, queries, workload)
            }
        }
    }

    /// Round r of the stream holds every mailbox once, so that message r of a mailbox is in round
    /// r.
    private func fillEngine(_ workload: Workload, in directory: String) throws -> MailboxStore {
        let store = try MailboxStore.open(at: directory)
        let count = workload.mailboxes.count
        for start in stride(from: 0, to: workload.stream.count, by: 1_024) {
            let appends = (start..<min(start + 1_024, workload.stream.count)).map { index in
                let mailbox = Int(workload.stream[index])
                let body = workload.body(index / count * count + mailbox)
                return Append(workload.mailboxes[mailbox], body: body)
            }
            for result in try store.blocking.append(batch: appends) { _ = try result.get() }
        }
        try store.close()
        progress("engine filled: \(workload.stream.count) messages")
        return try MailboxStore.open(at: directory)
    }

    private func withLMDB<Answer>(
        _ workload: Workload, in directory: String, _ body: (LMDBReader) throws -> Answer
    ) throws -> Answer {
        try scratch.with("read-lmdb") { directory in
            try workload.withPeerWorkload { peer -> Result<Answer, any Error> in
                Result {
                    let reader = try LMDBReader(directory, peer, perMailbox: scale.basePerMailbox)
                    defer { reader.close() }
                    progress("LMDB filled")
                    return try body(reader)
                }
            }.get()
        }
    }

    private func compare(
        _ store: MailboxStore, _ lmdb: LMDBReader, _ queries: Queries, _ workload: Workload
    ) throws -> Section {
        var ours: [Double] = []
        var theirs: [Double] = []
        var buffer = [UInt8](repeating: 0, count: limit * (Workload.bodyBytes + 8))
        try check(store, lmdb, queries, workload, &buffer)
        for round in 0...max(scale.rounds, 3) {
            let started = bench_now()
            let count = try read(store, queries, workload, &buffer)
            let our = Double(count) / (bench_now() - started)
            let their = try lmdb.read(queries.mailboxes, queries.after, limit, &buffer)
            progress("engine \(rate(our)), LMDB \(rate(their))\(round == 0 ? " (warm-up)" : "")")
            if round > 0 {
                ours.append(our)
                theirs.append(their)
            }
        }
        var section = Section(
            "Range reads of \(limit) from \(scale.mailboxes) checkpointed mailboxes of "
                + "\(scale.basePerMailbox), one thread")
        section.row(
            "engine", "read(after:limit:), store closed and reopened, then warm", rates(ours))
        section.row(
            "LMDB 0.9.24, C",
            "a record per message, loaded in key order, snapshot + cursor per read",
            rates(theirs))
        section.note(
            "Each body is copied into a buffer by both; what is read was compared beforehand.")
        section.metric("engine.read.base.vs_lmdb", median(pairs(ours, theirs)), digits: 2)
        return section
    }

    private func read(
        _ store: MailboxStore, _ queries: Queries, _ workload: Workload, _ buffer: inout [UInt8]
    ) throws -> Int {
        var count = 0
        let page = PageLimit(messages: limit)
        for index in queries.mailboxes.indices {
            let answer = try store.read(
                workload.mailboxes[Int(queries.mailboxes[index])], after: queries.after[index],
                through: nil, limit: page)
            copyBodies(answer.messages, to: &buffer)
            count += answer.messages.count
        }
        return count
    }

    /// Makes sure that both read what was written, so that both figures are for the same work.
    private func check(
        _ store: MailboxStore, _ lmdb: LMDBReader, _ queries: Queries, _ workload: Workload,
        _ buffer: inout [UInt8]
    ) throws {
        for index in queries.mailboxes.indices.prefix(200) {
            let mailbox = Int(queries.mailboxes[index])
            let after = Int(queries.after[index])
            let expected = (0..<limit).flatMap {
                workload.body((after + $0) * workload.mailboxes.count + mailbox)
            }
            let answer = try store.read(
                workload.mailboxes[mailbox], after: queries.after[index], through: nil,
                limit: PageLimit(messages: limit))
            guard answer.messages.flatMap({ $0.body }) == expected else {
                throw BenchError("the engine read other bodies than were stored")
            }
            _ = try lmdb.read([queries.mailboxes[index]], [queries.after[index]], limit, &buffer)
            let stride = Workload.bodyBytes + 8
            let bodies = (0..<limit).flatMap { buffer[$0 * stride + 8..<($0 + 1) * stride] }
            guard bodies == expected else {
                throw BenchError("LMDB read other bodies than were stored")
            }
        }
    }
}

/// Copies every body to the buffer, one behind the other.
@inline(__always)
func copyBodies(_ messages: MessageBatch, to buffer: inout [UInt8]) {
    buffer.withUnsafeMutableBytes { buffer in
        var offset = 0
        messages.forEachBody { _, _, bytes in
            bytes.withUnsafeBytes { body in
                UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyMemory(from: body)
                offset += body.count
            }
        }
    }
}

/// A filled data file of the LMDB peer.
private struct LMDBReader {
    private let reader: OpaquePointer

    init(
        _ directory: String, _ workload: UnsafePointer<bench_workload>, perMailbox: Int
    ) throws(BenchError) {
        var result = bench_result()
        let reader = peer_lmdb_fill(directory, workload, perMailbox, &result)
        _ = try result.rate()
        guard let reader else { throw BenchError("LMDB could not be filled") }
        self.reader = reader
    }

    /// Messages per second over these ranges.
    func read(
        _ mailboxes: [UInt32], _ after: [UInt32], _ limit: Int, _ buffer: inout [UInt8]
    ) throws(BenchError) -> Double {
        var result = bench_result()
        peer_lmdb_read(reader, mailboxes, after, mailboxes.count, limit, &buffer, &result)
        return try result.rate()
    }

    func close() { peer_lmdb_close(reader) }
}
