import CVirtualThread
import Glibc
import MailboxTesting

/// A thread on which nothing happens by itself: Swift's tasks become jobs that wait until they are
/// chosen, clocks stand still, timers are handed over, and random numbers come from a seed. Who
/// chooses decides every order there can be.
///
/// The runtime's hooks are the process's; they look at the thread that they are called on, and let
/// all others be. Code under a virtual thread must wait for no other thread.
final class VirtualThread {
    typealias Timer = (_ milliseconds: Int64, _ ring: @escaping () -> Void) -> Void

    private var jobs: [UnownedJob] = []
    /// Called when a timer is set, with its moment in milliseconds since the thread began.
    private let onTimer: Timer

    /// Jobs that wait to be chosen.
    var jobCount: Int { jobs.count }

    private init(onTimer: @escaping Timer) { self.onTimer = onTimer }

    /// Makes the calling thread virtual for as long as the body runs. Not on a thread that runs a
    /// task: its jobs would be run within that task.
    static func run<Value>(
        seed: UInt64, onTimer: @escaping Timer, _ body: (VirtualThread) throws -> Value
    ) rethrows -> Value {
        Hooks.install()
        let thread = VirtualThread(onTimer: onTimer)
        return try withExtendedLifetime(thread) {
            virtual_thread_enter(Unmanaged.passUnretained(thread).toOpaque(), seed)
            defer { virtual_thread_leave() }
            return try body(thread)
        }
    }

    /// Moves the clocks: milliseconds since the thread began.
    func setClock(_ milliseconds: Int64) { virtual_thread_set_clock(milliseconds * 1_000_000) }

    /// Runs one of the jobs that wait, until it ends or waits.
    func runJob(at place: Int) {
        jobs.remove(at: place).runSynchronously(on: Self.anywhere)
    }

    fileprivate func add(_ job: UnownedJob) { jobs.append(job) }

    fileprivate func setTimer(_ nanoseconds: Int64, _ ring: @escaping () -> Void) {
        onTimer((nanoseconds + 999_999) / 1_000_000, ring)
    }

    /// The thread that is virtual where this is called; nil on a real one.
    fileprivate static var current: VirtualThread? {
        virtual_thread_owner().map {
            Unmanaged<VirtualThread>.fromOpaque($0).takeUnretainedValue()
        }
    }

    /// No executor in particular: what the runtime means by two words of nothing.
    private static let anywhere = unsafeBitCast((0, 0), to: UnownedSerialExecutor.self)
}

/// The runtime's hooks: `include/swift/Runtime/ConcurrencyHooks.def`.
private enum Hooks {
    typealias Enqueue = @convention(thin) (UnownedJob) -> Void
    typealias EnqueueHook = @convention(thin) (UnownedJob, Enqueue) -> Void

    static func install() { _ = installed }

    private static let installed: Void = {
        guard let place = dlsym(dlopen(nil, RTLD_LAZY), "swift_task_enqueueGlobal_hook") else {
            fatalError("this Swift runtime has no hook for its tasks")
        }
        place.assumingMemoryBound(to: EnqueueHook?.self).pointee = { job, enqueue in
            if let thread = VirtualThread.current { thread.add(job) } else { enqueue(job) }
        }
        virtual_thread_on_timer { owner, nanoseconds, context, work in
            let thread = Unmanaged<VirtualThread>.fromOpaque(owner).takeUnretainedValue()
            thread.setTimer(nanoseconds) { work(context) }
        }
    }()
}
