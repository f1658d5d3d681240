internal import Glibc
package import Mailbox

/// Lets other threads run first.
func yieldThread() { sched_yield() }

/// An operating system thread that is joined or let go exactly once: until then the system keeps
/// its stack, also when it has ended.
///
/// LMDB write transactions belong to one thread, and syncs block: neither may happen on a Swift
/// task's thread.
// `handle` is written once before the object is shared, and read by the one who joins: Sendable.
package final class OSThread: @unchecked Sendable {
    private var handle = pthread_t()

    private final class Start {
        let body: () -> Void
        init(body: @escaping () -> Void) { self.body = body }
    }

    /// - Throws: `failed` when the system has no thread to give.
    package init(_ body: @escaping @Sendable () -> Void) throws(StoreError) {
        let start = unsafe Unmanaged.passRetained(Start(body: body))
        let code = unsafe pthread_create(
            &handle, nil,
            { argument in
                let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                start.body()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            unsafe start.release()
            throw .system("starting a thread", code: code)
        }
    }

    /// Waits for the thread's end.
    package func join() {
        pthread_join(handle, nil)
    }

    /// Lets the thread go: it ends by itself, and nobody waits for it.
    package func detach() {
        pthread_detach(handle)
    }
}
