public import Mailbox

extension MailboxStore {
    /// Stores one message, and answers when it is durable.
    public func append(_ append: Append) async throws(StoreError) -> AppendResult {
        try check(append)
        try whileOpen { () throws(StoreError) in }
        let request = try await shard(of: append.mailbox.receiver).append {
            AppendRequest(append, completion: $0)
        }
        return try request.answer()
    }

    /// Stores many messages in one group a shard, each accepted or refused for itself.
    public func append(
        batch: [Append]
    ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        let plan = try BatchPlan(batch, self)
        try whileOpen { () throws(StoreError) in }
        return try await plan.run { part throws(StoreError) in
            try await shards[part.shard].append {
                AppendRequest(part.appends, isAtomic: false, completion: $0)
            }.results
        }
    }

    /// Stores all messages or none; all receivers must share one shard.
    public func append(atomically batch: [Append]) async throws(StoreError) -> [AppendResult] {
        guard let shard = try checkAtomic(batch) else { return [] }
        try whileOpen { () throws(StoreError) in }
        let request = try await shards[shard].append {
            AppendRequest(batch[...], isAtomic: true, completion: $0)
        }
        return try request.results.map { result throws(StoreError) in try result.get() }
    }

    // MARK: Checking

    /// - Throws: `invalidArgument`, `messageTooLarge`.
    func check(_ append: Append) throws(StoreError) {
        if let refusal = refusal(append) { throw refusal }
    }

    /// What is wrong with an append before anybody looks at the store.
    func refusal(_ append: borrowing Append) -> StoreError? {
        guard append.body.count <= configuration.messageBytesMaximum else {
            return StoreError.messageTooLarge(
                bytes: append.body.count, limit: configuration.messageBytesMaximum
            ).about(append.mailbox)
        }
        guard append.producer?.clientSequence != 0 else {
            return StoreError.invalidArgument("client sequence 0 is none; a device counts from 1")
                .about(append.mailbox)
        }
        return nil
    }

    func checkCount(_ batch: [Append]) throws(StoreError) {
        guard batch.count <= configuration.batchMessagesMaximum else {
            throw .invalidArgument(
                "the batch has \(batch.count) messages; at most "
                    + "\(configuration.batchMessagesMaximum) may "
                    + "come in one call")
        }
    }

    /// - Returns: the batch's shard, nil when it is empty.
    func checkAtomic(_ batch: [Append]) throws(StoreError) -> Int? {
        try checkCount(batch)
        guard let first = batch.first else { return nil }
        let shard = shardNumber(of: first.mailbox.receiver)
        var bytes = 0
        for append in batch {
            try check(append)
            guard shardNumber(of: append.mailbox.receiver) == shard else {
                throw .invalidArgument(
                    "the receivers of an atomic batch live in different shards of this store; "
                        + "send them "
                        + "in a batch that is not atomic, or use one shard")
            }
            bytes += JournalRecord.appendByteCount(append)
        }
        guard bytes <= configuration.payloadBytesMaximum else {
            throw .invalidArgument(
                "the atomic batch needs \(bytes) bytes, and one group of the journal holds "
                    + "\(configuration.payloadBytesMaximum); make it smaller")
        }
        return shard
    }
}

/// A batch, cut into parts that each fit into one group of one shard.
struct BatchPlan: Sendable {
    struct Part: Sendable {
        let shard: Int
        let appends: ArraySlice<Append>
        /// Where the part's answers go.
        let places: [Int]?
        let start: Int
    }

    private(set) var parts: [Part] = []
    private var refusals: [(place: Int, error: StoreError)] = []
    private let count: Int

    /// - Throws: `invalidArgument` when the batch is too long; a refusal of a single append is its
    ///   answer.
    init(_ batch: [Append], _ store: MailboxStore) throws(StoreError) {
        try store.checkCount(batch)
        count = batch.count
        let span = batch.span
        for place in span.indices {
            if let error = store.refusal(span[place]) { refusals.append((place, error)) }
        }
        let groupBytes = min(4 << 20, store.configuration.payloadBytesMaximum)
        if refusals.isEmpty, store.shardCount == 1 {
            cut(batch[...], shard: 0, places: nil, groupBytes)
            return
        }
        let refused = Set(refusals.map(\.place))
        var places = [[Int]](repeating: [], count: store.shardCount)
        for (place, append) in batch.enumerated() where !refused.contains(place) {
            places[store.shardNumber(of: append.mailbox.receiver)].append(place)
        }
        for shard in 0..<store.shardCount where !places[shard].isEmpty {
            cut(
                places[shard].map { batch[$0] }[...], shard: shard, places: places[shard],
                groupBytes)
        }
    }

    private mutating func cut(
        _ appends: ArraySlice<Append>, shard: Int, places: [Int]?, _ groupBytes: Int
    ) {
        var start = appends.startIndex
        var bytes = 0
        let span = appends.span
        for index in appends.indices {
            let more = JournalRecord.appendByteCount(span[index - appends.startIndex])
            if bytes + more > groupBytes, index > start {
                parts.append(
                    Part(
                        shard: shard, appends: appends[start..<index], places: places, start: start)
                )
                start = index
                bytes = 0
            }
            bytes += more
        }
        if start < appends.endIndex {
            parts.append(
                Part(
                    shard: shard, appends: appends[start..<appends.endIndex], places: places,
                    start: start))
        }
    }

    /// Puts the parts' answers in the order of the batch.
    ///
    /// A part that fails as a whole after others were stored answers its failure for each of its
    /// messages.
    func gather(
        _ outcomes: [Result<[Result<AppendResult, StoreError>], StoreError>]
    ) throws(StoreError) -> [Result<AppendResult, StoreError>] {
        if outcomes.count == 1, refusals.isEmpty, parts[0].places == nil {
            return try outcomes[0].get()
        }
        if !outcomes.isEmpty, refusals.isEmpty,
            outcomes.allSatisfy({ if case .failure = $0 { true } else { false } }),
            case .failure(let error) = outcomes[0]
        {
            throw error
        }
        var answers = [Result<AppendResult, StoreError>?](repeating: nil, count: count)
        for (place, error) in refusals { answers[place] = .failure(error) }
        for (part, outcome) in zip(parts, outcomes) {
            for offset in 0..<part.appends.count {
                let place = part.places.map { $0[part.start + offset] } ?? part.start + offset
                switch outcome {
                case .success(let results): answers[place] = results[offset]
                case .failure(let error): answers[place] = .failure(error)
                }
            }
        }
        return answers.map { $0! }
    }

    func run(
        _ body: (Part) async throws(StoreError) -> [Result<AppendResult, StoreError>]
    ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        var outcomes: [Result<[Result<AppendResult, StoreError>], StoreError>] = []
        for part in parts {
            do throws(StoreError) {
                outcomes.append(.success(try await body(part)))
            } catch {
                outcomes.append(.failure(error))
            }
        }
        return try gather(outcomes)
    }

    func runBlocking(
        _ body: (Part) throws(StoreError) -> [Result<AppendResult, StoreError>]
    ) throws(StoreError) -> [Result<AppendResult, StoreError>] {
        var outcomes: [Result<[Result<AppendResult, StoreError>], StoreError>] = []
        for part in parts {
            do throws(StoreError) {
                outcomes.append(.success(try body(part)))
            } catch {
                outcomes.append(.failure(error))
            }
        }
        return try gather(outcomes)
    }
}
