import GRPCCore
import MailboxTesting

/// A process that may die. What it has asked for may happen all the same; what it would do with the
/// answers does not.
///
/// `@unchecked Sendable`: one thread runs a world.
class SimulatedProcess: @unchecked Sendable {
    private(set) var isAlive = true
    private var whenDead: [() -> Void] = []

    func die() {
        guard isAlive else { return }
        isAlive = false
        for run in whenDead { run() }
        whenDead = []
    }

    /// Runs something when the process dies; at once when it is dead.
    func onDeath(_ run: @escaping () -> Void) {
        if isAlive { whenDead.append(run) } else { run() }
    }
}

extension SimulatedWorld {
    /// Waits for so long, on the simulation's clock.
    func pause(_ milliseconds: ClosedRange<Int64>) async {
        await withCheckedContinuation { continuation in
            serverAfter(draw(milliseconds)) { continuation.resume() }
        }
    }

    /// True so many times in a hundred, while things go wrong.
    func goesWrong(_ percent: Int) -> Bool { isTroubled && random.chance(percent) }
}

/// A stream of gRPC between two processes: frames come in their order and late, or never, because
/// the connection broke. Ends with whichever process dies first.
///
/// `@unchecked Sendable`: one thread runs a world.
final class SimulatedCall<Request: Sendable, Response: Sendable>: @unchecked Sendable {
    private let world: SimulatedWorld
    private let requests: AsyncThrowingStream<Request, any Error>.Continuation
    private let responses: AsyncThrowingStream<Response, any Error>.Continuation
    /// What the server reads.
    let incoming: RPCAsyncSequence<Request, any Error>
    /// What the client reads.
    let answers: AsyncThrowingStream<Response, any Error>
    private(set) var isBroken = false
    private var whenBroken: [() -> Void] = []
    private var nextRequest: Int64 = 0
    private var nextResponse: Int64 = 0

    init(_ world: SimulatedWorld, _ processes: SimulatedProcess...) {
        self.world = world
        let (stream, requests) = AsyncThrowingStream.makeStream(of: Request.self)
        incoming = RPCAsyncSequence(wrapping: stream)
        (answers, responses) = AsyncThrowingStream.makeStream(of: Response.self)
        self.requests = requests
        for process in processes { process.onDeath { [weak self] in self?.breakOff() } }
    }

    /// The connection is gone: both sides hear of it, each in its time.
    func breakOff() {
        guard !isBroken else { return }
        isBroken = true
        let error = RPCError(code: .unavailable, message: "the connection broke")
        let whenBroken = whenBroken
        self.whenBroken = []
        world.serverAfter(world.draw(1...200)) { [requests] in requests.finish(throwing: error) }
        world.serverAfter(world.draw(1...200)) { [responses] in
            responses.finish(throwing: error)
            for run in whenBroken { run() }
        }
    }

    /// Runs something when the client hears that the connection is gone.
    func onBreak(_ run: @escaping () -> Void) {
        if isBroken { run() } else { whenBroken.append(run) }
    }

    func send(_ request: Request) throws {
        guard !isBroken else { throw RPCError(code: .unavailable, message: "gone") }
        let time = max(nextRequest, world.now + world.draw(1...20))
        nextRequest = time
        world.serverAfter(time - world.now) { [weak self] in
            guard let self, !isBroken else { return }
            requests.yield(request)
        }
    }

    fileprivate func answer(_ response: Response) throws {
        guard !isBroken else { throw RPCError(code: .unavailable, message: "gone") }
        let time = max(nextResponse, world.now + world.draw(1...20))
        nextResponse = time
        world.serverAfter(time - world.now) { [weak self] in
            guard let self, !isBroken else { return }
            responses.yield(response)
        }
    }

    /// Where the server writes.
    var writer: RPCWriter<Response> { RPCWriter(wrapping: Writer(call: self)) }

    private struct Writer: RPCWriterProtocol {
        typealias Element = Response

        let call: SimulatedCall

        func write(_ element: Response) async throws { try call.answer(element) }

        func write(contentsOf elements: some Sequence<Response>) async throws {
            for element in elements { try call.answer(element) }
        }
    }
}

extension SimulatedCall: SimulatedStream {}
