internal import Glibc

/// A lock with a condition: state that threads change under the lock and wait on.
///
/// `Synchronization.Mutex` cannot be waited on; this is the pthread pair behind a closure. Used
/// where an operating system thread blocks on purpose (commit and checkpoint threads, blocking
/// callers), never from a Swift task.
// The pthread objects are only touched between init and deinit, and `state` only under the mutex:
// Sendable.
@safe
package final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    /// Behind a pointer: the lock keeps accesses apart, so the runtime need not watch each of them.
    private let state: UnsafeMutablePointer<State>

    package init(_ state: sending State) {
        unsafe self.state = .allocate(capacity: 1)
        unsafe self.state.initialize(to: state)
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
    }

    /// Reads or changes the state without waking anybody.
    package func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return unsafe body(&state.pointee)
    }

    /// Changes the state and wakes all who wait on it.
    package func change<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        let result = unsafe body(&state.pointee)
        unsafe pthread_cond_broadcast(condition)
        unsafe pthread_mutex_unlock(mutex)
        return result
    }

    /// Changes the state and wakes one of those who wait on it: where any of them will do.
    package func changeWakingOne<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        let result = unsafe body(&state.pointee)
        unsafe pthread_cond_signal(condition)
        unsafe pthread_mutex_unlock(mutex)
        return result
    }

    /// Waits until `body` answers something, looking anew whenever the state was changed.
    @discardableResult
    package func wait<Result>(_ body: (inout State) -> Result?) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = unsafe body(&state.pointee) { return result }
            unsafe pthread_cond_wait(condition, mutex)
        }
    }

    /// The same, for at most so many milliseconds; nil when they passed.
    @discardableResult
    package func wait<Result>(milliseconds: Int, _ body: (inout State) -> Result?) -> Result? {
        var deadline = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
        deadline.tv_sec += milliseconds / 1_000
        deadline.tv_nsec += (milliseconds % 1_000) * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = unsafe body(&state.pointee) { return result }
            if unsafe pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
                return unsafe body(&state.pointee)
            }
        }
    }
}
