import Foundation
import Mailbox
import StoreAPI
import Testing

@Suite("The pipeline of frames")
struct FramePipelineTests {
    private typealias Pipeline = FramePipeline<Append>
    private let now = ContinuousClock.now
    private static let roomy = Pipeline.Limits(
        itemsPerFrame: 100, bytesPerFrame: 100_000, itemBytesMaximum: 100_000, framesInFlight: 2)

    static let seedCount = ProcessInfo.processInfo.environment["MAILBOX_SEEDS"].flatMap(UInt64.init)

    @Test("Random schedules with lost connections", arguments: [false, true])
    func randomSchedules(mayGiveUp: Bool) {
        for seed in 0..<(Self.seedCount ?? 500) {
            var schedule = PipelineSchedule(seed: seed, mayGiveUp: mayGiveUp)
            do {
                try schedule.run(steps: 150)
            } catch {
                Issue.record(error)
                return
            }
        }
    }

    private func append(_ number: ClientSequence?, text: String = "hello") throws -> Append {
        let device = try DeviceID("phone")
        return Append(
            try MailboxID(sender: "alice", receiver: "bob"),
            producer: number.map { Producer(device: device, clientSequence: $0) }, text: text)
    }

    private func pipeline(_ limits: Pipeline.Limits? = roomy) -> Pipeline {
        var pipeline = Pipeline(bytesWaitingMaximum: 1_000_000, now: now)
        if let limits { pipeline.connected(limits) }
        return pipeline
    }

    private func stored(_ sequence: SequenceNumber) -> AppendOutcome {
        .success(AppendResult(sequence: sequence, isDuplicate: false, durability: .commit))
    }

    private func code(_ outcome: AppendOutcome) -> StoreError.Code? {
        guard case .failure(let error) = outcome else { return nil }
        return error.code
    }

    @Test("What waits while frames are in flight goes into the next one")
    func naturalBatching() throws {
        var pipeline = pipeline()
        let later = now + .seconds(30)
        for _ in 0..<2 {
            _ = try pipeline.enqueue([append(nil)], now: now, deadline: later)
            #expect(pipeline.nextFrame()?.stretches.joined().count == 1)
        }
        for _ in 0..<5 { _ = try pipeline.enqueue([append(nil)], now: now, deadline: later) }
        #expect(pipeline.nextFrame() == nil, "two frames are in flight")
        try pipeline.answered(frame: 1, outcomes: [stored(1)])
        #expect(pipeline.nextFrame()?.stretches.joined().count == 5)
        #expect(pipeline.takeCompletions().map(\.call) == [0])
    }

    @Test("A frame holds no more items and bytes than it may, but for one large item")
    func limits() throws {
        var pipeline = pipeline(
            Pipeline.Limits(
                itemsPerFrame: 3, bytesPerFrame: 200, itemBytesMaximum: 500, framesInFlight: 9))
        let batch =
            try (0..<4).map { _ in try append(nil) } + [
                append(nil, text: String(repeating: "x", count: 400)),
                append(nil, text: String(repeating: "x", count: 600)), append(nil),
            ]
        let call = try pipeline.enqueue(batch, now: now, deadline: now + .seconds(30))
        var sizes: [Int] = []
        while let frame = pipeline.nextFrame() {
            sizes.append(frame.stretches.joined().count)
            try pipeline.answered(
                frame: frame.number, outcomes: frame.stretches.joined().map { _ in stored(1) })
        }
        #expect(sizes == [3, 1, 1, 1])
        let done = pipeline.takeCompletions()
        #expect(done.map(\.call) == [call])
        #expect(done[0].outcomes.map(code) == [nil, nil, nil, nil, nil, .messageTooLarge, nil])
    }

    @Test("Above its bound it is overloaded")
    func overloaded() throws {
        var pipeline = Pipeline(bytesWaitingMaximum: 100, now: now)
        let later = now + .seconds(30)
        _ = try pipeline.enqueue(
            [append(nil, text: String(repeating: "x", count: 200))], now: now, deadline: later)
        let error = #expect(throws: StoreError.self) {
            _ = try pipeline.enqueue([append(nil)], now: now, deadline: later)
        }
        #expect(error?.code == .overloaded)
    }

    @Test("A lost connection: what has a producer is sent again, what has none is unknown")
    func lost() throws {
        var pipeline = pipeline()
        let batch = try [append(1), append(nil), append(2)]
        _ = try pipeline.enqueue(batch, now: now, deadline: now + .seconds(30))
        _ = pipeline.nextFrame()
        _ = try pipeline.enqueue([append(3)], now: now, deadline: now + .seconds(30))
        pipeline.connectionLost(now: now)
        #expect(pipeline.nextFrame() == nil)
        pipeline.connected(Self.roomy)
        let next = pipeline.nextFrame()
        let again = try #require(next)
        #expect(again.stretches.joined().map(\.producer?.clientSequence) == [1, 2, 3])
        try pipeline.answered(
            frame: again.number, outcomes: [stored(1), stored(2), stored(3)])
        let done = pipeline.takeCompletions()
        #expect(done[0].outcomes.map(code) == [nil, .unknown, nil])
        // Who was sent once is told so: his duplicate would be another's.
        let wasResent = done.flatMap(\.outcomes).map { try? $0.get().wasResent }
        #expect(wasResent == [true, nil, true, false])
        #expect(pipeline.isEmpty)
    }

    @Test("What is refused unseen when it is sent again may have been stored before: unknown")
    func refusedAgain() throws {
        var pipeline = pipeline()
        _ = try pipeline.enqueue(
            [append(1), append(2)], now: now, deadline: now + .seconds(30))
        _ = pipeline.nextFrame()
        pipeline.connectionLost(now: now)
        pipeline.connected(Self.roomy)
        _ = try pipeline.enqueue([append(3)], now: now, deadline: now + .seconds(30))
        let next = pipeline.nextFrame()
        let again = try #require(next)
        let busy = AppendOutcome.failure(StoreError(code: .overloaded, message: "busy"))
        let gap = AppendOutcome.failure(.producerGap(expected: 1))
        try pipeline.answered(frame: again.number, outcomes: [busy, gap, busy])
        let codes = pipeline.takeCompletions().flatMap(\.outcomes).map(code)
        #expect(codes == [.unknown, .producerGap, .overloaded])
    }

    @Test("An answer to another frame, or of another length, is refused")
    func confused() throws {
        var pipeline = pipeline()
        _ = try pipeline.enqueue([append(1)], now: now, deadline: now + .seconds(30))
        #expect(throws: StoreError.self) { try pipeline.answered(frame: 1, outcomes: []) }
        let next = pipeline.nextFrame()
        let frame = try #require(next)
        #expect(throws: StoreError.self) {
            try pipeline.answered(frame: frame.number + 1, outcomes: [stored(1)])
        }
        #expect(throws: StoreError.self) {
            try pipeline.answered(frame: frame.number, outcomes: [stored(1), stored(2)])
        }
        try pipeline.answered(frame: frame.number, outcomes: [stored(1)])
        #expect(pipeline.isEmpty)
    }

    @Test("Without a connection an append waits its time, and says that nothing was sent")
    func unreachable() throws {
        var pipeline = pipeline(nil)
        _ = try pipeline.enqueue([append(nil)], now: now, deadline: now + .seconds(30))
        pipeline.expire(now: now + .seconds(4), connectTimeout: .seconds(5))
        #expect(pipeline.takeCompletions().isEmpty)
        pipeline.expire(now: now + .seconds(5), connectTimeout: .seconds(5))
        #expect(pipeline.takeCompletions().flatMap(\.outcomes).map(code) == [.unavailable])
    }

    @Test("An append that was sent and never settled is unknown when its time is over")
    func timeIsOver() throws {
        var pipeline = pipeline()
        _ = try pipeline.enqueue([append(1)], now: now, deadline: now + .seconds(30))
        let next = pipeline.nextFrame()
        let frame = try #require(next)
        pipeline.expire(now: now + .seconds(30), connectTimeout: .seconds(5))
        #expect(pipeline.takeCompletions().flatMap(\.outcomes).map(code) == [.unknown])
        // Its answer may still come, and is of no interest.
        try pipeline.answered(frame: frame.number, outcomes: [stored(1)])
        #expect(pipeline.takeCompletions().isEmpty)
    }
}
