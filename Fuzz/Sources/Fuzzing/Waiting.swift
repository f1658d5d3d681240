internal import Dispatch

/// Runs asynchronous work to its end: libFuzzer calls and waits.
public func waitFor(_ work: @escaping @Sendable () async -> Void) {
    let done = DispatchSemaphore(value: 0)
    Task.detached {
        await work()
        done.signal()
    }
    done.wait()
}
