import Glibc
import Synchronization

/// A disk that a seed decides: what it fails at, and what it holds after a power cut.
///
/// The engine works on real files, since LMDB knows no others; the shim in front of its calls says
/// what it did to them, and `FileSystemModel` what a disk may have kept of that.
final class SimulatedDisk: Sendable {
    /// What befell a store so far.
    struct Events {
        var kills = 0
        var cuts = 0
        var faults: [String: Int] = [:]
    }

    private struct State {
        var random: SeededRandom
        var events = Events()
        /// Whether files can be read past the page cache: what is read is what the disk has then.
        let readsPastCache: Bool
        /// A sync failed, or the disk died, and an open would look at the disk itself: the page
        /// cache cannot stand for it any more.
        var mustCut = false
        /// The fault that was armed last; empty once it is counted.
        var armed = ""
        /// The disk died, or the process was killed: no call does anything any more.
        var isDead = false
        /// Of all calls in their order, without their bytes: the same for the same seed.
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    }

    /// Where the engine works.
    let root: String
    private let base: String
    private let trace: String
    private let state: Mutex<State>

    /// An empty disk.
    init(scratch: String, seed: UInt64) throws(Failure) {
        root = "\(scratch)/root"
        base = "\(scratch)/base"
        trace = "\(scratch)/trace"
        var random = SeededRandom(seed: seed ^ 0x6469_736B)
        let readsPastCache = random.chance(50)
        state = Mutex(State(random: random, readsPastCache: readsPastCache))
        ShimControl.refuseDirect(!readsPastCache)
        try Files.remove(scratch)
        try Files.makeDirectory(scratch)
        try Files.makeDirectory(root)
        try begin()
    }

    var events: Events { state.withLock { $0.events } }
    var digest: UInt64 { state.withLock { $0.digest } }

    /// All that is there is durable; what is done from now on is not.
    private func begin() throws(Failure) {
        try Files.remove(base)
        try Files.copy(root, to: base)
        ShimControl.watch(root, trace: trace)
    }

    // MARK: Faults

    private static let faults: [(name: String, how: CInt)] = [
        ("EIO", EIO), ("ENOSPC", ENOSPC), ("EINTR", EINTR), ("short", -1), ("dead", -2),
        ("killed", -3),
    ]

    /// Lets one of the next calls fail, in three of four cases.
    ///
    /// - Parameter range: which of the calls that change a file.
    func arm(within range: ClosedRange<Int>) {
        let (how, call) = state.withLock { state in
            let fault = Self.faults[Int.random(in: 0..<Self.faults.count, using: &state.random)]
            let call = Int.random(in: range, using: &state.random)
            let isArmed = state.random.chance(75)
            state.armed = fault.name
            return (fault.how, isArmed ? call : 0)
        }
        ShimControl.disturb(call, how: how)
    }

    /// Whether nothing is done any more until a crash.
    var isDead: Bool {
        noteFault()
        return state.withLock { $0.isDead }
    }

    /// Counts a fault that struck, and ends it; a dead disk stays dead until a crash.
    ///
    /// - Returns: whether one struck.
    @discardableResult
    func noteFault() -> Bool {
        guard let hit = ShimControl.hit else { return false }
        let isDead = state.withLock { state in
            guard !state.armed.isEmpty else { return state.isDead }
            state.events.faults[state.armed, default: 0] += 1
            let wasKilled = state.armed == "killed"
            state.isDead = wasKilled || state.armed == "dead"
            if !wasKilled, state.isDead || hit.hasSuffix("sync") {
                state.mustCut = state.readsPastCache
            }
            state.armed = ""
            return state.isDead
        }
        if !isDead { ShimControl.disturb(0, how: 0) }
        return true
    }

    /// Arms another fault when one struck.
    func rearm(within range: ClosedRange<Int>) {
        guard noteFault(), !state.withLock({ $0.isDead }) else { return }
        arm(within: range)
    }

    // MARK: Ends

    /// The process dies, or the power goes; then the disk works again. Nobody has files open.
    func crash() throws(Failure) {
        noteFault()
        ShimControl.disturb(0, how: 0)
        let cuts = state.withLock { state in
            let cuts = state.mustCut || state.random.chance(50)
            state.mustCut = false
            state.isDead = false
            if cuts { state.events.cuts += 1 } else { state.events.kills += 1 }
            return cuts
        }
        if cuts { try cutPower() }
    }

    /// Whether an open would look at the disk, behind a sync that failed or on a disk that died:
    /// only a power cut says what that has.
    var isInDoubt: Bool {
        noteFault()
        return state.withLock { $0.mustCut }
    }

    /// Takes in what was done last, for the digest.
    func end() throws(Failure) {
        ShimControl.disturb(0, how: 0)
        ShimControl.watch("", trace: "")
        digest(try Trace(path: trace))
    }

    private func cutPower() throws(Failure) {
        ShimControl.watch("", trace: "")
        let trace = try Trace(path: trace)
        digest(trace)
        let model = FileSystemModel(trace, rootPath: root, root: try Files.load(base))
        for number in trace.records.indices { _ = try model.apply(number) }
        let draw = state.withLock { state in
            Draw(&state.random, records: trace.records.count)
        }
        try StateDirectory(path: root).write(model) { draw.hasKept(model.pending[$0]) }
        try begin()
    }

    /// Which pieces the disk kept.
    private struct Draw {
        private enum Kind { case none, all, some }
        private let kind: Kind
        private let seed: UInt64
        private let density: Int
        /// Everything from in front of that record.
        private let edge: Int

        init(_ random: inout SeededRandom, records: Int) {
            let ticket = Int.random(in: 0..<10, using: &random)
            kind = ticket < 2 ? .none : ticket < 4 ? .all : .some
            seed = random.next()
            density = Int.random(in: 1..<100, using: &random)
            edge = ticket < 7 ? 0 : Int.random(in: 0...records, using: &random)
        }

        func hasKept(_ piece: Piece) -> Bool {
            switch kind {
            case .none: return false
            case .all: return true
            case .some:
                if piece.record < edge { return true }
                var random = SeededRandom(seed: seed &+ UInt64(piece.number) &* 0x9E37)
                return random.chance(density)
            }
        }
    }

    private func digest(_ trace: Trace) {
        state.withLock { state in
            for record in trace.records where record.kind != .mark {
                for word in [
                    Int(record.kind.rawValue), record.handle, record.offset, record.payload.count,
                ] {
                    state.digest =
                        (state.digest ^ UInt64(truncatingIfNeeded: word))
                        &* 0x100_0000_01B3
                }
            }
        }
    }
}

/// What the preloaded shim does when it is asked.
enum ShimControl {
    private typealias Watch = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Void
    private typealias Disturb = @convention(c) (Int, CInt) -> Void
    private typealias RefuseDirect = @convention(c) (CInt) -> Void
    private typealias Hit = @convention(c) () -> UnsafePointer<CChar>?

    static var isThere: Bool { dlsym(nil, "file_shim_watch") != nil }

    static func watch(_ root: String, trace: String) {
        guard let symbol = dlsym(nil, "file_shim_watch") else { return }
        unsafeBitCast(symbol, to: Watch.self)(root, trace)
    }

    static func disturb(_ call: Int, how: CInt) {
        guard let symbol = dlsym(nil, "file_shim_disturb") else { return }
        unsafeBitCast(symbol, to: Disturb.self)(call, how)
    }

    static func refuseDirect(_ refuses: Bool) {
        guard let symbol = dlsym(nil, "file_shim_refuse_direct") else { return }
        unsafeBitCast(symbol, to: RefuseDirect.self)(refuses ? 1 : 0)
    }

    /// The call that was disturbed.
    static var hit: String? {
        guard let symbol = dlsym(nil, "file_shim_hit"),
            let name = unsafeBitCast(symbol, to: Hit.self)()
        else { return nil }
        return String(cString: name)
    }
}
