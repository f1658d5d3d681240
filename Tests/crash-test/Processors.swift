import Glibc

/// On which processors the calling thread runs, and whom it starts.
///
/// A store has threads that wait for one another all the time. On one processor they change places;
/// on two they wake each other, which costs a virtual machine more than a state's whole check.
enum Processors {
    /// How many there are.
    static var count: Int { max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))) }

    /// Does something on one processor, for what is started meanwhile to stay there.
    static func pinned<Value>(
        to number: Int, _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try on({ $0 == number % count }, body)
    }

    /// Does something on any processor, for what is started meanwhile to run on all of them.
    static func unpinned<Value>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        try on({ _ in true }, body)
    }

    /// A bit for each processor.
    private typealias Mask = [UInt64]
    private typealias Affinity =
        @convention(c) (pid_t, Int, UnsafeMutableRawPointer) -> CInt

    /// `sched_getaffinity` and `sched_setaffinity`, which the C library's module does not show.
    private static func affinity(_ name: String) -> Affinity? {
        dlsym(nil, name).map { unsafeBitCast($0, to: Affinity.self) }
    }

    private static func on<Value>(
        _ isAllowed: (Int) -> Bool, _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        guard let get = affinity("sched_getaffinity"), let set = affinity("sched_setaffinity")
        else { return try body() }
        var before = Mask(repeating: 0, count: 16)
        var wanted = before
        for number in 0..<wanted.count * 64 where isAllowed(number) {
            wanted[number / 64] |= 1 << UInt64(number % 64)
        }
        let size = before.count * MemoryLayout<UInt64>.size
        // Where it is forbidden it is only slower.
        guard get(0, size, &before) >= 0 else { return try body() }
        _ = set(0, size, &wanted)
        defer { _ = set(0, size, &before) }
        return try body()
    }
}
