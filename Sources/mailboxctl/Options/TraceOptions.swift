import ArgumentParser
import Mailbox
import StoreEngine

/// A trace to replay, or one to make up.
struct GeneratorOptions: ParsableArguments {
    @Option(help: "Without a file: make up this many messages.")
    var generate: Int?

    @Option(help: "Made up: among at most this many mailboxes.")
    var mailboxes = 100_000

    @Option(help: "Made up: the same seed makes the same messages.")
    var seed: UInt64 = 1

    func validate() throws {
        if let generate, generate < 0 {
            throw ValidationError("--generate is \(generate); it must be 0 or more.")
        }
        guard mailboxes >= 1 else {
            throw ValidationError("--mailboxes is \(mailboxes); it must be 1 or more.")
        }
    }

    func generator(count: Int) -> TraceGenerator {
        TraceGenerator(count: count, mailboxCount: mailboxes, seed: seed)
    }
}

/// How a trace is put into a store.
struct ReplayOptions: ParsableArguments {
    @Option(help: "The device that numbers the messages: a second replay by it stores nothing.")
    var device = "replay"

    @Option(help: "Messages that are committed together; they get the time of the newest of them.")
    var batch = 4_096

    @Option(help: "Commit together only what the trace has within this time: 1s, 5min, 1h.")
    var span: DurationArgument?

    @Flag(help: "Pass over lines that are no messages, instead of stopping at the first.")
    var skipBadLines = false

    func validate() throws {
        let most = StoreConfiguration().batchMessagesMaximum
        guard (1...most).contains(batch) else {
            throw ValidationError("--batch is \(batch); it must be 1 to \(most).")
        }
    }

    /// Replays a trace's file, or what the generator makes when there is none.
    func replay(
        path: String?, else generator: TraceGenerator, into store: any OperatedStore,
        clock: TraceClock, on console: Console
    ) async throws -> ReplayReport {
        let replayer = Replayer(
            store: store.messages, device: try DeviceID(device), groupCount: batch,
            groupMilliseconds: span?.milliseconds ?? .max, clock: clock)
        guard let path else {
            return try await Replayer.replay(generator, into: replayer, on: console)
        }
        let reader = try TraceReader(
            path: path, bodyBytesMaximum: try await store.messageBytesMaximum(),
            skipsBadLines: skipBadLines)
        return try await Replayer.replay(reader, into: replayer, on: console)
    }
}
