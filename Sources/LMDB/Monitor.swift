#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// State behind a lock, with critical regions that wait until a condition holds.
///
/// `Synchronization.Mutex` has no condition variable, and readers must be able to wait while the
/// map is replaced. Sendable without the compiler's proof: the state is reached only with the lock
/// held.
@safe
final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    /// Behind pointers: the lock keeps accesses apart, so the runtime need not watch each of them.
    private let state: UnsafeMutablePointer<State>
    private let waiting: UnsafeMutablePointer<Int>

    init(_ state: State) {
        unsafe self.state = .allocate(capacity: 1)
        unsafe waiting = .allocate(capacity: 1)
        unsafe self.state.initialize(to: state)
        unsafe waiting.initialize(to: 0)
        unsafe mutex = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe changed.initialize(to: pthread_cond_t())
        let mutexResult = unsafe pthread_mutex_init(mutex, nil)
        let conditionResult = unsafe pthread_cond_init(changed, nil)
        precondition(mutexResult == 0 && conditionResult == 0)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
        unsafe waiting.deallocate()
    }

    /// Runs `body` alone, as soon as `condition` holds. Whoever waits looks at its condition again
    /// afterwards.
    @inline(__always)
    func when<R, E>(
        _ condition: (State) -> Bool, _ body: (inout State) throws(E) -> R
    ) throws(E) -> R {
        unsafe pthread_mutex_lock(mutex)
        defer { unlock() }
        while unsafe !condition(state.pointee) {
            unsafe waiting.pointee += 1
            unsafe pthread_cond_wait(changed, mutex)
            unsafe waiting.pointee -= 1
        }
        return try unsafe body(&state.pointee)
    }

    /// Runs `body` alone.
    @inline(__always)
    func withLock<R, E>(_ body: (inout State) throws(E) -> R) throws(E) -> R {
        try when({ _ in true }, body)
    }

    @inline(__always)
    private func unlock() {
        let wake = unsafe waiting.pointee > 0
        unsafe pthread_mutex_unlock(mutex)
        if wake { unsafe pthread_cond_broadcast(changed) }
    }
}
