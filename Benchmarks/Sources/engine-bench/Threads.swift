import Glibc
import Synchronization

/// Runs `body` on threads of its own, each given its number, and waits for all.
///
/// - Throws: the first error that one of them threw.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let failure = Failure()
    var threads: [pthread_t] = []
    for number in 0..<count {
        let start = Unmanaged.passRetained(
            ThreadStart {
                do { try body(number) } catch { failure.keep(error) }
            })
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, start.toOpaque())
        if code != 0 {
            start.release()
            failure.keep(BenchError("cannot start a thread: \(String(cString: strerror(code)))"))
            break
        }
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
    try failure.rethrow()
}

private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private final class Failure: Sendable {
    private let first = Mutex<(any Error)?>(nil)

    func keep(_ error: any Error) {
        first.withLock { if $0 == nil { $0 = error } }
    }

    func rethrow() throws {
        if let error = first.withLock({ $0 }) { throw error }
    }
}
