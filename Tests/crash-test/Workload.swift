import Glibc
import Mailbox
import StoreEngine
import Synchronization

/// Works on a store as a server's day does, in a moment: two devices append, a reader fetches and
/// confirms, checkpoints, compaction and backups run beside, and the store is closed and opened
/// again. Says on standard output what happens, in the words of `History`.
struct Workload: Sendable {
    /// What a run is for.
    enum Kind: String {
        case usual
        /// Leaves a long journal and no checkpoint: for a recovery that has much to do.
        case long
        /// Opens what a cut left with little memory, so that the replay writes checkpoints.
        case recovery
    }

    let root: String
    let seed: UInt64
    /// Goes into every body.
    let run: Int
    let durability: Durability
    let kind: Kind
    /// Messages that each device sends before the store is opened anew.
    let sends: Int

    func start() async {
        var random = SeededRandom(seed: seed)
        Said.line("BEGIN")
        for phase in 0..<(kind == .long ? 1 : 2) {
            let store: MailboxStore
            do {
                store = try open(phase, &random)
            } catch {
                Said.failure(error)
                break
            }
            await work(store, phase, &random)
            // What a failed sync left in the page cache looks durable here, and is not: what comes
            // after another open cannot be told from what a disk would show.
            if Said.hasFailed.isRaised {
                store.abandon()
                break
            }
            // A kill instead of an orderly end, every other time.
            if kind == .long || random.chance(50) {
                store.abandon()
            } else {
                do { try store.close() } catch { Said.failure(error) }
            }
            // A checkpoint that nobody asked for may have failed on the way to the end.
            if let failure = store.failure, failure.code == .failed {
                Said.failure(failure)
                break
            }
        }
        Said.line("END")
    }

    private func open(
        _ phase: Int, _ random: inout SeededRandom
    ) throws(StoreError) -> MailboxStore {
        var configuration = Oracle.configuration(durability)
        configuration.checkpointIntervalMilliseconds = random.chance(50) ? 20 : 3_600_000
        if kind == .recovery || (kind == .usual && random.chance(15)) {
            Oracle.press(&configuration, &random)
        }
        if kind == .long {
            configuration.checkpointIntervalMilliseconds = 3_600_000
            configuration.checkpointJournalBytes = 64 << 20
            configuration.tailBytesMaximum = 16 << 20
        }
        configuration.retention = random.chance(50) ? .unacknowledged : .newest(4)
        if durability == .interval { configuration.syncIntervalMilliseconds = 3 }
        let store = try MailboxStore.open(at: "\(root)/store", configuration: configuration)
        Said.line("O \(store.epoch)")
        return store
    }

    private func work(_ store: MailboxStore, _ phase: Int, _ random: inout SeededRandom) async {
        let reader = Reader(store: store, seed: random.next())
        reader.readAll()
        let seeds = (0..<4).map { _ in random.next() }
        let isDone = Flag()
        let progress = Progress()
        let first = phase == 0
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await onThread { append(store, device: 0, seed: seeds[0], progress) }
                isDone.raise()
            }
            group.addTask { await appendInTask(store, device: 1, seed: seeds[1], progress) }
            group.addTask {
                await onThread {
                    var random = SeededRandom(seed: seeds[2])
                    while !isDone.isRaised { reader.step(&random) }
                    reader.readAll()
                }
            }
            if kind == .long { return }
            group.addTask {
                await onThread {
                    maintain(store, seed: seeds[3], number: first ? 1 : 2, progress, isDone)
                }
            }
        }
    }

    // MARK: Appending

    /// One batch of a device, with the mailbox that it goes to.
    private func batch(
        _ store: MailboxStore, device: Int, _ random: inout SeededRandom
    ) throws(StoreError) -> (mailbox: Int, first: ClientSequence, appends: [Append]) {
        let mailbox = Int.random(in: 0..<Universe.mailboxCount, using: &random)
        let first =
            try store.sendState(Universe.mailboxes[mailbox], device: Universe.devices[device]) + 1
        let count = random.chance(60) ? 1 : Int.random(in: 2...5, using: &random)
        let appends = (0..<count).map { index in
            let client = first + ClientSequence(index)
            let origin = Universe.Origin(device: device, clientSequence: client, run: run)
            let byteCount =
                random.chance(75)
                ? Int.random(in: 16...300, using: &random)
                : Int.random(in: 300...9_000, using: &random)
            return Append(
                Universe.mailboxes[mailbox],
                producer: Producer(device: Universe.devices[device], clientSequence: client),
                body: Universe.body(mailbox, origin, byteCount: byteCount))
        }
        Said.line("S \(mailbox) \(device) \(first) \(run) \(count)")
        return (mailbox, first, appends)
    }

    private func sayAccepted(
        _ mailbox: Int, _ device: Int, _ first: ClientSequence,
        _ results: [Result<AppendResult, StoreError>]
    ) {
        var lines: [String] = []
        for (index, result) in results.enumerated() {
            switch result {
            case .success(let answer):
                guard let sequence = answer.sequence, !answer.isDuplicate else { continue }
                lines.append(
                    "A \(mailbox) \(device) \(first + ClientSequence(index)) \(run) \(sequence)")
            case .failure(let error): lines.append("F \(error.code)")
            }
        }
        Said.line(lines.joined(separator: "\n"))
    }

    private func append(_ store: MailboxStore, device: Int, seed: UInt64, _ progress: Progress) {
        var random = SeededRandom(seed: seed)
        var sent = 0
        while sent < sends {
            do throws(StoreError) {
                let batch = try batch(store, device: device, &random)
                sent += batch.appends.count
                let results: [Result<AppendResult, StoreError>] =
                    random.chance(25)
                    ? try store.blocking.append(atomically: batch.appends).map { .success($0) }
                    : try store.blocking.append(batch: batch.appends)
                sayAccepted(batch.mailbox, device, batch.first, results)
                progress.advance()
            } catch {
                Said.failure(error)
                return
            }
        }
    }

    private func appendInTask(
        _ store: MailboxStore, device: Int, seed: UInt64, _ progress: Progress
    ) async {
        var random = SeededRandom(seed: seed)
        var sent = 0
        while sent < sends {
            do throws(StoreError) {
                let batch = try batch(store, device: device, &random)
                sent += batch.appends.count
                let results = try await store.append(batch: batch.appends)
                sayAccepted(batch.mailbox, device, batch.first, results)
                progress.advance()
            } catch {
                Said.failure(error)
                return
            }
        }
    }

    // MARK: Maintenance

    private func maintain(
        _ store: MailboxStore, seed: UInt64, number: Int, _ progress: Progress, _ isDone: Flag
    ) {
        var random = SeededRandom(seed: seed)
        var hasBackup = false
        var hasRestored = false
        while !isDone.isRaised {
            do {
                switch Int.random(in: 0..<6, using: &random) {
                case 0: try store.blocking.compact(random.chance(50) ? nil : .unacknowledged)
                case 1 where !hasBackup && number == 1:
                    hasBackup = true
                    try backUp(store, number)
                case 2 where hasBackup && !hasRestored:
                    hasRestored = true
                    try restore(number)
                default:
                    Said.line("k")
                    try store.blocking.checkpoint()
                    Said.line("K")
                }
                progress.wait(for: Int.random(in: 0...12, using: &random), orUntil: isDone)
            } catch {
                Said.failure(error)
                return
            }
        }
    }

    private func backUp(_ store: MailboxStore, _ number: Int) throws {
        let place = "\(root)/backup-\(number)"
        if access(place, F_OK) == 0 {
            Said.line("X \(number)")
            try Files.remove("\(root)/restored-\(number)")
            try Files.remove(place)
        }
        Said.line("B \(number)")
        _ = try store.backup(to: place)
        Said.line("D \(number)")
    }

    private func restore(_ number: Int) throws {
        Said.line("r \(number)")
        try MailboxStore.restore(
            from: "\(root)/backup-\(number)", to: "\(root)/restored-\(number)",
            configuration: Oracle.configuration())
        Said.line("R \(number)")
    }
}

/// Reads beside the appends, and says what it saw, each thing once.
private final class Reader: Sendable {
    private let store: MailboxStore
    private let seen = Mutex(
        [(max: SequenceNumber, read: SequenceNumber)](
            repeating: (0, 0), count: Universe.mailboxCount))

    init(store: MailboxStore, seed: UInt64) { self.store = store }

    func step(_ random: inout SeededRandom) {
        let mailbox = Int.random(in: 0..<Universe.mailboxCount, using: &random)
        do {
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let head = try store.head(Universe.mailboxes[mailbox])
                let cursor = SequenceNumber.random(in: head.acknowledged...head.max, using: &random)
                Said.line("C \(mailbox) \(cursor)")
                let page = try store.fetch(
                    Universe.mailboxes[mailbox], cursor: Cursor(cursor, epoch: store.epoch),
                    limit: PageLimit(messages: 50))
                say(page.messages, mailbox)
            case 1...3: try read(mailbox)
            default: try look(mailbox)
            }
            sched_yield()
        } catch {
            // A store that failed goes on reading; one that is closed does not.
            Said.failure(error)
            sched_yield()
        }
    }

    func readAll() {
        for mailbox in Universe.mailboxes.indices {
            do {
                try look(mailbox)
                try read(mailbox)
            } catch {
                Said.failure(error)
            }
        }
    }

    private func look(_ mailbox: Int) throws(StoreError) {
        let max = try store.head(Universe.mailboxes[mailbox]).max
        let isNew = seen.withLock { seen in
            defer { seen[mailbox].max = Swift.max(seen[mailbox].max, max) }
            return max > seen[mailbox].max
        }
        if isNew { Said.line("H \(mailbox) \(max)") }
    }

    private func read(_ mailbox: Int) throws(StoreError) {
        let head = try store.head(Universe.mailboxes[mailbox])
        let after = max(head.floor, seen.withLock { $0[mailbox].read })
        do throws(StoreError) {
            let page = try store.read(
                Universe.mailboxes[mailbox], after: after, through: nil,
                limit: PageLimit(messages: 50))
            say(page.messages, mailbox)
        } catch {
            // The floor rose in between.
            guard error.code == .trimmed else { throw error }
        }
    }

    private func say(_ messages: MessageBatch, _ mailbox: Int) {
        var lines: [String] = []
        for message in messages {
            guard let origin = Universe.origin(message, mailbox: mailbox) else {
                lines.append("W \(mailbox) \(message.sequence)")
                continue
            }
            let isNew = seen.withLock { seen in
                defer { seen[mailbox].read = max(seen[mailbox].read, message.sequence) }
                return message.sequence > seen[mailbox].read
            }
            guard isNew else { continue }
            lines.append(
                "V \(mailbox) \(message.sequence) \(origin.device) \(origin.clientSequence) "
                    + "\(origin.run)")
        }
        if !lines.isEmpty { Said.line(lines.joined(separator: "\n")) }
    }
}

/// What the program says: one write a time, so that a kill cuts between.
enum Said {
    static func line(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = write(1, bytes, bytes.count)
    }

    static func failure(_ error: any Error) {
        let code = (error as? StoreError)?.code
        if code == .failed { hasFailed.raise() }
        line("F \(code?.description ?? "untyped")")
    }

    /// Whether a store failed for good.
    static let hasFailed = Flag()
}

/// Counts batches that were answered, for those who act now and then.
final class Progress: Sendable {
    private let count = Atomic<Int>(0)

    func advance() { count.add(1, ordering: .releasing) }

    /// Until so many more were answered, or nothing more comes.
    func wait(for batches: Int, orUntil isDone: Flag) {
        let wanted = count.load(ordering: .acquiring) + batches
        while count.load(ordering: .acquiring) < wanted, !isDone.isRaised { sched_yield() }
    }
}

/// Raised once, seen by all.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isRaised: Bool { value.load(ordering: .acquiring) }

    func raise() { value.store(true, ordering: .releasing) }
}

/// Runs a piece of work that blocks on a thread of its own.
func onThread(_ body: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
        Threads.start {
            body()
            continuation.resume()
        }
    }
}

/// Plain threads.
enum Threads {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    static func start(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let work = Unmanaged.passRetained(Work(body))
        let code = pthread_create(
            &thread, nil,
            { pointer in
                if let pointer { Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().body() }
                return nil
            }, work.toOpaque())
        precondition(code == 0, "no thread could be started")
        pthread_detach(thread)
    }
}
