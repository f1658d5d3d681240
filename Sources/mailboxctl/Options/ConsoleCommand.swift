import ArgumentParser
import Glibc

/// A subcommand that writes to a console: the process's own, or a test's.
protocol ConsoleCommand: AsyncParsableCommand, Sendable {
    /// Does the work.
    ///
    /// - Throws: `Failure`, or an error that `Failure.init` knows how to say.
    func execute(_ console: Console) async throws
}

extension ConsoleCommand {
    func run() async throws {
        // A reader that goes away (`| head`) is an error of the write, so that the store is closed.
        signal(SIGPIPE, SIG_IGN)
        let console = Console.standard
        do {
            try await execute(console)
            try console.flush()
        } catch {
            let failure = Failure(error)
            // What was found until then is worth as much as the failure, if it can be written.
            if failure.status == .problems { try? console.flush() }
            console.note(failure.line)
            throw ExitCode(failure.status.rawValue)
        }
    }
}
