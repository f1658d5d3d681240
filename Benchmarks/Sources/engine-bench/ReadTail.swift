import CBench
import Mailbox
import StoreEngine

/// Receivers that fetch what is durable and not yet in the data file, page by page, confirming as
/// they go.
struct TailRead {
    let scale: Scale
    let scratch: Scratch
    let seed: UInt64
    private let pages = [50, 100, 200, 500, 1_000]

    func run() throws -> Section {
        let mailboxes = scale.tailMailboxesPerPageSize * pages.count
        let workload = try Workload(mailboxes: mailboxes, seed: seed) { generator in
            (0..<mailboxes * scale.tailPerMailbox).map { _ in
                UInt32.random(in: 0..<UInt32(mailboxes), using: &generator)
            }
        }
        var found: [[Double]] = []
        for round in 1...scale.rounds {
            found.append(try scratch.with("tail") { try measure(workload, in: $0) })
            progress("round \(round): \(rate(found[round - 1][pages.count]))")
        }
        var section = Section(
            "Fetches from tails: \(workload.stream.count) messages in \(mailboxes) mailboxes, "
                + "one thread"
        )
        for (number, page) in pages.enumerated() {
            section.row("engine", "pages of \(page)", rates(found.map { $0[number] }))
        }
        let all = found.map { $0[pages.count] }
        section.row("engine", "all of them", rates(all))
        section.note(
            "No checkpoint since the store was created. Each fetch confirms the one before; every "
                + "body is copied into a buffer.")
        section.metric("engine.read.tail.msgs_per_s", median(all), digits: 0)
        return section
    }

    /// The rate with each page size, then over all.
    private func measure(_ workload: Workload, in directory: String) throws -> [Double] {
        let store = try MailboxStore.open(
            at: directory + "/store", configuration: .withoutCheckpoints)
        try EngineContestant().fill(store, workload, 0..<workload.stream.count)
        var order = Array(workload.mailboxes.indices)
        var generator = SplitMix64(seed: seed)
        order.shuffle(using: &generator)
        var found: [Double] = []
        var total = (messages: 0, seconds: 0.0)
        let share = order.count / pages.count
        for (number, page) in pages.enumerated() {
            let started = bench_now()
            let count = try drain(
                store, order[number * share..<(number + 1) * share].map { workload.mailboxes[$0] },
                page)
            let seconds = bench_now() - started
            found.append(Double(count) / seconds)
            total.messages += count
            total.seconds += seconds
        }
        try store.close()
        guard total.messages == workload.stream.count else {
            throw BenchError("fetched \(total.messages) of \(workload.stream.count) messages")
        }
        return found + [Double(total.messages) / total.seconds]
    }

    private func drain(_ store: MailboxStore, _ mailboxes: [MailboxID], _ page: Int) throws -> Int {
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
