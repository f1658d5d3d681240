import CBench
import Mailbox
import StoreEngine
import Synchronization

/// Receivers that fetch what is durable and not yet in the data file, page by page, confirming as
/// they go.
struct TailRead {
    let scale: Scale
    let scratch: Scratch
    let seed: UInt64
    private let pages = [50, 100, 200, 500, 1_000]
    private let threadCounts = [1, 2]

    /// What one round took: per number of threads, the rate with each page size, then over all.
    private typealias Round = [[Double]]

    func run() throws -> Section {
        let mailboxes = scale.tailMailboxesPerPageSize * pages.count
        let workload = try Workload(mailboxes: mailboxes, seed: seed) { generator in
            (0..<mailboxes * scale.tailPerMailbox).map { _ in
                UInt32.random(in: 0..<UInt32(mailboxes), using: &generator)
            }
        }
        var rounds: [Round] = []
        for _ in 1...scale.rounds {
            rounds.append(try scratch.with("tail") { try measure(workload, in: $0) })
        }
        var section = Section(
            "Fetches from tails: \(workload.stream.count) messages in \(mailboxes) mailboxes")
        var best = 0.0
        for (number, threads) in threadCounts.enumerated() {
            let reader = threads == 1 ? "1 thread" : "\(threads) threads"
            for (place, page) in pages.enumerated() {
                let found = rounds.map { $0[number][place] }
                section.row("engine", "\(reader), pages of \(page)", rates(found))
            }
            let all = rounds.map { $0[number][pages.count] }
            section.row("engine", "\(reader), all of them", rates(all))
            best = max(best, median(all))
        }
        section.note(
            "No checkpoint since the store was created, and nearly every message was in a group of "
                + "its own. Each fetch confirms the one before; every body is copied.")
        section.metric("engine.read.tail.msgs_per_s", best, digits: 0)
        return section
    }

    /// Drains every mailbox: a share of them with each number of threads and each page size.
    private func measure(_ workload: Workload, in directory: String) throws -> Round {
        let store = try MailboxStore.open(
            at: directory + "/store", configuration: .withoutCheckpoints)
        try EngineContestant().fill(store, workload, 0..<workload.stream.count)
        var order = workload.mailboxes
        var generator = SplitMix64(seed: seed)
        order.shuffle(using: &generator)
        let share = order.count / (pages.count * threadCounts.count)
        var round: Round = []
        var messages = 0
        for threads in threadCounts {
            var found: [Double] = []
            var total = (messages: 0, seconds: 0.0)
            for page in pages {
                let part = Array(order.suffix(share))
                order.removeLast(share)
                let started = bench_now()
                let count = try drain(store, part, page, threads)
                let seconds = bench_now() - started
                found.append(Double(count) / seconds)
                total.messages += count
                total.seconds += seconds
            }
            found.append(Double(total.messages) / total.seconds)
            progress("\(threads) × \(rate(Double(total.messages) / total.seconds))")
            round.append(found)
            messages += total.messages
        }
        messages += try drain(store, order, pages[0], 1)
        try store.close()
        guard messages == workload.stream.count else {
            throw BenchError("fetched \(messages) of \(workload.stream.count) messages")
        }
        return round
    }

    /// Fetches these mailboxes to their ends, each thread its share; answers the messages.
    private func drain(
        _ store: MailboxStore, _ mailboxes: [MailboxID], _ page: Int, _ threads: Int
    ) throws -> Int {
        let count = Atomic(0)
        try onThreads(threads) { thread in
            let first = mailboxes.count * thread / threads
            let last = mailboxes.count * (thread + 1) / threads
            count.add(
                try drain(store, mailboxes[first..<last], page), ordering: .relaxed)
        }
        return count.load(ordering: .relaxed)
    }

    private func drain(_ store: MailboxStore, _ mailboxes: ArraySlice<MailboxID>, _ page: Int)
        throws -> Int
    {
        var buffer = [UInt8](repeating: 0, count: page * Workload.bodyBytes)
        var count = 0
        for mailbox in mailboxes {
            var cursor = Cursor.zero
            while true {
                let answer = try store.fetch(
                    mailbox, cursor: cursor, limit: PageLimit(messages: page))
                copyBodies(answer.messages, to: &buffer)
                count += answer.messages.count
                guard let last = answer.messages.lastSequence else { break }
                cursor = Cursor(last, epoch: answer.epoch)
                guard answer.hasMore else { break }
            }
        }
        return count
    }
}
