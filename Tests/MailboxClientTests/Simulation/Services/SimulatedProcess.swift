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
    private let requests: Direction<Request>
    private let responses: Direction<Response>
    private(set) var isBroken = false
    private var whenBroken: [() -> Void] = []

    init(_ world: SimulatedWorld, _ processes: SimulatedProcess...) {
        self.world = world
        requests = Direction(world)
        responses = Direction(world)
        for process in processes { process.onDeath { [weak self] in self?.breakOff() } }
    }

    /// What the server reads.
    var incoming: RPCAsyncSequence<Request, any Error> {
        RPCAsyncSequence(wrapping: requests.stream)
    }

    /// What the client reads.
    var answers: AsyncThrowingStream<Response, any Error> { responses.stream }

    /// Where the server writes.
    var writer: RPCWriter<Response> { RPCWriter(wrapping: Writer(direction: responses)) }

    func send(_ request: Request) throws { try requests.send(request) }

    /// The connection is gone: both sides hear of it, each in its time.
    func breakOff() {
        guard !isBroken else { return }
        isBroken = true
        requests.breakOff {}
        let whenBroken = whenBroken
        self.whenBroken = []
        responses.breakOff { for run in whenBroken { run() } }
    }

    /// Runs something when the client hears that the connection is gone.
    func onBreak(_ run: @escaping () -> Void) {
        if isBroken { run() } else { whenBroken.append(run) }
    }

    /// What goes one way.
    ///
    /// `@unchecked Sendable`: one thread runs a world.
    private final class Direction<Frame: Sendable>: @unchecked Sendable {
        private static var broken: RPCError {
            RPCError(code: .unavailable, message: "the connection broke")
        }

        let stream: AsyncThrowingStream<Frame, any Error>
        private let world: SimulatedWorld
        private let arrived: AsyncThrowingStream<Frame, any Error>.Continuation
        private var isBroken = false
        private var lastArrival: Int64 = 0

        init(_ world: SimulatedWorld) {
            self.world = world
            (stream, arrived) = AsyncThrowingStream.makeStream(of: Frame.self)
        }

        func send(_ frame: Frame) throws {
            guard !isBroken else { throw Self.broken }
            lastArrival = max(lastArrival, world.now + world.draw(1...20))
            world.serverAfter(lastArrival - world.now) { [weak self] in
                guard let self, !isBroken else { return }
                arrived.yield(frame)
            }
        }

        func breakOff(_ whenHeard: @escaping () -> Void) {
            isBroken = true
            world.serverAfter(world.draw(1...200)) { [arrived] in
                arrived.finish(throwing: Self.broken)
                whenHeard()
            }
        }
    }

    private struct Writer: RPCWriterProtocol {
        typealias Element = Response

        let direction: Direction<Response>

        func write(_ element: Response) async throws { try direction.send(element) }

        func write(contentsOf elements: some Sequence<Response>) async throws {
            for element in elements { try direction.send(element) }
        }
    }
}

extension SimulatedCall: SimulatedStream {}
