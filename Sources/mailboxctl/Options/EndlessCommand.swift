import ArgumentParser
import Dispatch
import Glibc
import Synchronization

/// A subcommand that may go on until it is interrupted: Ctrl-C ends it well, with exit code 0.
protocol InterruptedCommand: ConsoleCommand {}

/// One on a store.
protocol EndlessCommand: StoreCommand, InterruptedCommand {}

extension InterruptedCommand {
    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let console = Console.standard
        do {
            try await Interruption.end { try await execute(console) }
            try console.flush()
        } catch {
            let failure = Failure(error)
            console.note(failure.line)
            throw ExitCode(failure.status.rawValue)
        }
    }
}

/// SIGINT and SIGTERM as the cancellation of a task; the second one ends the process at once.
final class Interruption: Sendable {
    private struct State {
        var count = 0
        var task: Task<Void, any Error>?
    }

    private let state = Mutex(State())

    /// Runs `body` until it ends or is interrupted. What it throws once it is interrupted is no
    /// failure.
    static func end(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let interruption = Interruption()
        let queue = DispatchQueue(label: "mailboxctl.signals")
        let sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if interruption.interrupt() > 1 { _exit(128 + number) }
            }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        let task = Task { try await body() }
        interruption.begin(task)
        let outcome = await task.result
        if interruption.state.withLock({ $0.count > 0 }) { return }
        try outcome.get()
    }

    private func begin(_ task: Task<Void, any Error>) {
        let isOver = state.withLock { state in
            state.task = task
            return state.count > 0
        }
        if isOver { task.cancel() }
    }

    /// The number of interruptions so far, this one included.
    private func interrupt() -> Int {
        let (count, task) = state.withLock { state in
            state.count += 1
            return (state.count, state.task)
        }
        task?.cancel()
        return count
    }
}
