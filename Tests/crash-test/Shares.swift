import Glibc

/// One command spread over several processes, each with its part; what they count is added up.
///
/// Processes, and not threads: an engine that ends its process ends one part, and is found out.
enum Shares {
    /// Runs a command in so many processes, and prints what they say: lines as they are, and counts
    /// (`name: number`) added up, at the end.
    ///
    /// - Parameters:
    ///   - isPinned: whether each part stays on one processor. Not where the order of threads is
    ///   what is tried.
    ///   - whoTrapsIsCaught: a part that a signal ends counts as `caught`: a planted bug may end
    ///     the engine's process before anybody looks at what it left.
    ///   - arguments: of each part, by its number, and what is added to its environment.
    /// - Returns: the counts.
    static func run(
        _ count: Int, scratch: String, isPinned: Bool = true, whoTrapsIsCaught: Bool = false,
        _ arguments: (_ part: Int) -> (words: [String], environment: [String: String])
    ) throws(Failure) -> [String: Int] {
        try Files.makeDirectory(scratch)
        var parts: [(child: Child, output: String)] = []
        for part in 0..<count {
            let output = "\(scratch)/output-\(part)"
            try Files.remove(output)
            // LMDB asks for three megabytes of zeroes at every open: from fresh pages, which this
            // makes the C library take, they cost nothing.
            var (words, environment) = arguments(part)
            environment["MALLOC_MMAP_THRESHOLD_"] = "262144"
            func start() throws(Failure) -> Child {
                try Child(words, environment: environment, output: output)
            }
            let child = try isPinned ? Processors.pinned(to: part, start) : start()
            parts.append((child, output))
        }
        var counts: [String: Int] = [:]
        for (number, part) in parts.enumerated() {
            let ending = part.child.wait()
            for line in String(decoding: try Files.read(part.output), as: UTF8.self)
                .split(separator: "\n")
            {
                let words = line.split(separator: " ")
                if words.count == 2, words[0].hasSuffix(":"), let value = Int(words[1]) {
                    counts[String(words[0].dropLast()), default: 0] += value
                } else {
                    print(line)
                }
            }
            if whoTrapsIsCaught, case .signal(let signal) = ending {
                print("planted bug of part \(number): caught: signal \(signal) ended its process")
                counts["caught", default: 0] += 1
                continue
            }
            guard ending == .exit(0) else {
                throw Failure(
                    "part \(number) ended with \(ending); what it worked on is in \(scratch)")
            }
        }
        try Files.remove(scratch)
        return counts
    }

    /// A directory that nobody else uses, in memory where there is such a file system: that makes a
    /// state cost microseconds.
    static func scratch(_ name: String) -> String {
        let root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        return "\(root)/mailbox-\(name)-\(getpid())"
    }

    /// Seconds since some moment.
    static var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
