import Mailbox
import MailboxTesting
import StoreAPI

/// A random schedule of calls, frames, answers and lost connections, and what must hold behind it.
struct PipelineSchedule {
    typealias Pipeline = FramePipeline<Append>

    struct Broken: Error, CustomStringConvertible {
        let seed: UInt64
        let reason: String
        var description: String { "seed \(seed): \(reason)" }
    }

    /// An append that a caller asked for, known by its body.
    private struct Asked {
        let append: Append
        /// True once it was in a frame.
        var wasSent = false
        var outcome: AppendOutcome?
    }

    let seed: UInt64
    /// True when callers may give up, by time or by cancellation.
    let mayGiveUp: Bool
    private var random: SeededRandom
    private var pipeline: Pipeline
    private var server = ModelServer()
    private var asked: [[UInt8]: Asked] = [:]
    private var order: [MailboxID: [[UInt8]]] = [:]
    private var calls: [Pipeline.CallNumber: [[UInt8]]] = [:]
    private var numbers: [ModelServer.Device: ClientSequence] = [:]
    private var now = ContinuousClock.now
    private var overloads = 0

    init(seed: UInt64, mayGiveUp: Bool) {
        self.seed = seed
        self.mayGiveUp = mayGiveUp
        random = SeededRandom(seed: seed)
        pipeline = Pipeline(bytesWaitingMaximum: 4_000, now: now)
    }

    /// Runs the schedule, and checks what came of it.
    mutating func run(steps: Int) throws {
        for _ in 0..<steps { try step() }
        // At last everything is answered.
        server.isBusy = false
        while !pipeline.isEmpty {
            if !pipeline.isConnected { connect() }
            send()
            server.process()
            try receive()
            if pipeline.mustReconnect { lose() }
        }
        try check()
    }

    private mutating func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: try enqueue()
        case 30..<50: send()
        case 50..<65: server.process()
        case 65..<85: try receive()
        case 85..<90: lose()
        case 90..<95: if !pipeline.isConnected { connect() }
        case 95: server.isBusy = mayGiveUp && !server.isBusy
        case 96: server.isGoingAway = pipeline.isConnected
        case 97 where mayGiveUp:
            if let call = calls.keys.min() { pipeline.cancel(call) }
        case 98 where mayGiveUp:
            now += .seconds(Int.random(in: 1...6, using: &random))
            pipeline.expire(now: now, connectTimeout: .seconds(5))
        default: break
        }
        try collect()
        if pipeline.mustReconnect && random.chance(50) { lose() }
    }

    private mutating func enqueue() throws {
        let count = random.chance(70) ? 1 : Int.random(in: 2...7, using: &random)
        let before = numbers
        let batch = try (0..<count).map { _ in try makeAppend() }
        do throws(StoreError) {
            let call = try pipeline.enqueue(batch, now: now, deadline: now + .seconds(20))
            calls[call] = batch.map { Array($0.body) }
        } catch {
            guard error.code == .overloaded else { throw error }
            overloads += 1
            numbers = before
            return
        }
        for append in batch {
            asked[Array(append.body)] = Asked(append: append)
            order[append.mailbox, default: []].append(Array(append.body))
        }
    }

    private var made = 0

    private mutating func makeAppend() throws -> Append {
        made += 1
        let mailbox = try MailboxID(
            sender: "s\(Int.random(in: 0..<2, using: &random))", receiver: "r")
        let size = Int.random(in: 0...60, using: &random)
        let body = Array("\(made):".utf8) + [UInt8](repeating: 7, count: size)
        guard random.chance(60) else { return Append(mailbox, body: body) }
        let device = try DeviceID("d\(Int.random(in: 0..<2, using: &random))")
        let number = (numbers[.init(mailbox: mailbox, device: device)] ?? 0) + 1
        numbers[.init(mailbox: mailbox, device: device)] = number
        return Append(
            mailbox, producer: Producer(device: device, clientSequence: number), body: body)
    }

    private mutating func connect() {
        pipeline.connected(
            Pipeline.Limits(
                itemsPerFrame: Int.random(in: 1...5, using: &random),
                bytesPerFrame: Int.random(in: 60...400, using: &random),
                itemBytesMaximum: 10_000,
                framesInFlight: Int.random(in: 1...4, using: &random)))
    }

    private mutating func send() {
        guard let frame = pipeline.nextFrame() else { return }
        for append in frame.stretches.joined() { asked[Array(append.body)]?.wasSent = true }
        server.receive(frame)
    }

    private mutating func receive() throws {
        guard let answer = server.takeAnswer() else { return }
        var outcomes = answer.outcomes[...]
        while outcomes.count > 1, random.chance(20) {
            let part = outcomes.prefix(Int.random(in: 0..<outcomes.count, using: &random))
            outcomes = outcomes.dropFirst(part.count)
            try pipeline.answered(frame: answer.frame, outcomes: Array(part), continues: true)
        }
        try pipeline.answered(frame: answer.frame, outcomes: Array(outcomes))
        try collect()
    }

    private mutating func lose() {
        server.loseConnection(afterStoring: Int.random(in: 0...4, using: &random))
        pipeline.connectionLost(now: now)
    }

    private mutating func collect() throws {
        for completion in pipeline.takeCompletions() {
            guard let bodies = calls.removeValue(forKey: completion.call),
                bodies.count == completion.outcomes.count
            else { throw broken("call \(completion.call) was completed wrongly") }
            for (body, outcome) in zip(bodies, completion.outcomes) {
                asked[body]?.outcome = outcome
            }
        }
    }

    private func broken(_ reason: String) -> Broken { Broken(seed: seed, reason: reason) }

    /// The oracle.
    private mutating func check() throws {
        try collect()
        guard calls.isEmpty, pipeline.bytesWaiting == 0, !pipeline.hasUnsent else {
            throw broken("\(calls.count) calls were never completed")
        }
        for asked in asked.values { try check(asked) }
        for (mailbox, bodies) in server.stored {
            let stored = Set(bodies)
            guard stored.count == bodies.count else { throw broken("stored twice in \(mailbox)") }
            guard order[mailbox, default: []].filter(stored.contains) == bodies else {
                throw broken("stored out of order in \(mailbox)")
            }
        }
    }

    private func check(_ asked: Asked) throws {
        let body = Array(asked.append.body)
        let name = "append \(String(decoding: body.prefix { $0 != 58 }, as: UTF8.self))"
        let place = server.stored[asked.append.mailbox]?.firstIndex(of: body)
        switch asked.outcome {
        case nil: throw broken("\(name) has no outcome")
        case .success(let result):
            guard let place, result.sequence == SequenceNumber(place + 1) else {
                throw broken("\(name) was answered with \(result), and stored at \(place ?? -1)")
            }
            guard !result.isDuplicate || result.wasResent else {
                throw broken("\(name) is called a duplicate of another's: it is its own")
            }
        case .failure(let error):
            switch error.code {
            case .unknown:
                guard asked.wasSent else { throw broken("\(name): unknown, and never sent") }
                guard asked.append.producer == nil || mayGiveUp else {
                    throw broken("\(name) has a producer, and its outcome is unknown")
                }
            case .unavailable:
                guard !asked.wasSent, place == nil, mayGiveUp else {
                    throw broken("\(name): unavailable, and it was sent")
                }
            case .overloaded:
                guard mayGiveUp, place == nil else {
                    throw broken("\(name): refused unseen, and it was stored")
                }
            case .producerGap:
                guard mayGiveUp, place == nil else { throw broken("\(name): \(error)") }
            default: throw broken("\(name): \(error)")
            }
        }
    }
}
