import Glibc

/// `crash-test filesystem`: the workload on a real ext4 in a loop device, which is shut down under
/// it as a power cut would; then it is mounted again, and the store held to what it promised. Again
/// and again on one store. In every fourth round the file system is full for a while before: when
/// the store is opened, or later.
struct FileSystemCut {
    private let options: Options
    private let scratch = Shares.scratch("filesystem")

    init(_ options: Options) { self.options = options }

    private var mountPoint: String { "\(scratch)/mounted" }
    private var root: String { "\(mountPoint)/root" }

    func run() throws {
        let rounds = try options.number("rounds", else: 20)
        let seed = UInt64(try options.number("seed", else: Int.random(in: 1...(1 << 40))))
        print("filesystem: seed \(seed)")
        guard geteuid() == 0 else { return skip("only root mounts file systems") }
        try Files.remove(scratch)
        try Files.makeDirectory(scratch)
        try Files.makeDirectory(mountPoint)
        defer {
            // Unmounted by then: what is mounted there is not to be removed with it.
            if rmdir(mountPoint) == 0 { try? Files.remove(scratch) }
        }
        guard try isMade() else { return skip("no ext4 image can be made here (mkfs.ext4)") }
        guard isMounted() else { return skip("this machine mounts no loop device") }
        var isDone = false
        defer { if !isDone { _ = try? tool("umount", ["-l", mountPoint]) } }
        try Files.makeDirectory(root)
        var history = History()
        var random = SeededRandom(seed: seed)
        var violations = 0
        var fullRounds = 0
        for round in 1...rounds {
            let isFull = round.isMultiple(of: 4)
            guard let failures = try cut(round, &history, &random) else {
                return skip("this kernel does not shut ext4 down")
            }
            do throws(Failure) {
                if isFull {
                    let others = failures.subtracting(["storageFull"])
                    guard others.isEmpty else { throw Failure("without room: \(others)") }
                    if !failures.isEmpty { fullRounds += 1 }
                }
                if let wrong = history.wrong { throw Failure("a reader saw it: \(wrong)") }
                try Oracle().checkAllCopies(root, history)
                history = try Oracle().open("\(root)/store", history, &random)
            } catch {
                violations += 1
                print("violation: seed \(seed), round \(round): \(error)")
            }
        }
        guard try tool("umount", [mountPoint]) else { throw Failure("cannot unmount") }
        isDone = true
        let accepted = history.mailboxes.reduce(0) { $0 + $1.accepted.reduce(0) { $0 + Int($1) } }
        print("filesystem.accepted: \(accepted)")
        print("filesystem.cuts: \(rounds)")
        print("filesystem.full: \(fullRounds)/\(rounds / 4)")
        print("filesystem.violations: \(violations)")
        if violations > 0 { throw Failure("promises were broken") }
    }

    private func skip(_ reason: String) { print("filesystem: skipped: \(reason)") }

    // MARK: The file system

    private func tool(_ name: String, _ arguments: [String]) throws(Failure) -> Bool {
        try Child(arguments, executable: name).wait() == .exit(0)
    }

    private var image: String { "\(scratch)/image" }

    private func isMade() throws(Failure) -> Bool {
        let descriptor = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0, ftruncate(descriptor, 192 << 20) == 0 else {
            throw Failure("cannot make \(image)")
        }
        close(descriptor)
        return (try? tool("mkfs.ext4", ["-q", "-F", image])) ?? false
    }

    private func isMounted() -> Bool {
        (try? tool("mount", ["-o", "loop", image, mountPoint])) ?? false
    }

    private static let shutDown: UInt = 0x8004_587D
    /// With its journal flushed first, and without.
    private static let manners: [UInt32] = [1, 2]

    private func isShutDown(_ manner: UInt32) -> Bool {
        let descriptor = open(mountPoint, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var manner = manner
        return ioctl(descriptor, Self.shutDown, &manner) == 0
    }

    // MARK: A cut

    /// Lets the workload run until it said so much, shuts the file system down, and mounts it
    /// again.
    ///
    /// - Returns: the codes that calls failed with while it was full; nil when the kernel cannot
    ///   shut it down.
    private func cut(
        _ round: Int, _ history: inout History, _ random: inout SeededRandom
    ) throws(Failure) -> Set<String>? {
        if round.isMultiple(of: 8) { try fillUp() }
        let output = "\(scratch)/said"
        try Files.remove(output)
        let child = try Child(
            [
                "work", "--root", root, "--seed", String(random.next() >> 1), "--run",
                String(round), "--sends", "1000000",
            ], output: output)
        let wanted = Int.random(in: 200...20_000, using: &random)
        while child.isRunning, Self.byteCount(output) < wanted { sched_yield() }
        let failures = round.isMultiple(of: 4) ? try fill(while: child, output) : []
        // Where the file system is shut down, a page that is not in memory is a SIGBUS.
        let hasEnded = !child.isRunning
        let isCut = isShutDown(Self.manners[Int(random.next() % 2)])
        child.kill()
        let ending = child.wait()
        if hasEnded, ending != .exit(0) { throw Failure("the workload ended: \(ending)") }
        guard isCut else { return nil }
        guard try tool("umount", [mountPoint]), isMounted() else {
            throw Failure("the file system cannot be mounted again")
        }
        // Its removal was perhaps undone.
        try Files.remove(ballast)
        // The last line counts only when it came whole.
        let text = String(decoding: try Files.read(output), as: UTF8.self)
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        where !line.isEmpty { history.hear(line) }
        return failures
    }

    /// Leaves no room until the workload hears so, or is done; and lets it go on then.
    ///
    /// - Returns: the codes that its calls failed with.
    private func fill(while child: Child, _ output: String) throws(Failure) -> Set<String> {
        while child.isRunning, Self.failures(try Files.read(output)).isEmpty {
            // Again: what the store removes makes room.
            try fillUp()
        }
        try Files.remove(ballast)
        let size = Self.byteCount(output)
        while child.isRunning, Self.byteCount(output) < size + 10_000 { sched_yield() }
        return Self.failures(try Files.read(output))
    }

    private var ballast: String { "\(mountPoint)/ballast" }

    private func fillUp() throws(Failure) {
        let descriptor = open(ballast, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("cannot make \(ballast)") }
        defer { close(descriptor) }
        let block = [UInt8](repeating: 7, count: 4_096)
        while write(descriptor, block, block.count) > 0 {}
    }

    private static func failures(_ said: [UInt8]) -> Set<String> {
        let lines = String(decoding: said, as: UTF8.self).split(separator: "\n")
        return Set(lines.filter { $0.hasPrefix("F ") }.map { String($0.dropFirst(2)) })
    }

    private static func byteCount(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
