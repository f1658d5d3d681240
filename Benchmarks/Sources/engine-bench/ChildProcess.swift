import Glibc

/// What a process that the benchmark starts of itself is for.
enum ChildRole: String, Sendable {
    /// Fills a store's journal, then is killed.
    case fillAndDie = "fill-and-die"
    /// Counts the memory of messages that wait for a checkpoint.
    case memory
    /// Appends for long, and watches its memory.
    case sustained
}

/// A process of this same program: memory is counted from a clean start, and a crash is a real one.
struct ChildProcess {
    /// The lines `name value` that it printed.
    var figures: [String: Double] = [:]
    /// The signal that ended it, 0 when none did.
    var signal: Int32 = 0

    /// Runs the role to its end.
    ///
    /// - Throws: when it could not be started, or said that it failed.
    init(_ role: ChildRole, directory: String, options: Options) throws(BenchError) {
        var arguments = [
            "engine-bench", "--child", role.rawValue, "--directory", directory, "--seed",
            String(options.seed),
        ]
        if options.smoke { arguments.append("--smoke") }
        if let messages = options.messages { arguments += ["--messages", String(messages)] }
        let (process, output) = try Self.spawn(arguments)
        let text = Self.readAll(output)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw BenchError("waitpid: \(systemError())") }
        }
        signal = status & 0x7F
        guard signal != 0 || status == 0 else {
            throw BenchError("the \(role.rawValue) run failed")
        }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let value = Double(words[1]) { figures[String(words[0])] = value }
        }
    }

    /// The figure of this name.
    ///
    /// - Throws: when it was not printed.
    func figure(_ name: String) throws(BenchError) -> Double {
        guard let value = figures[name] else { throw BenchError("a run said nothing of \(name)") }
        return value
    }

    private static func spawn(
        _ arguments: [String]
    ) throws(BenchError) -> (process: pid_t, output: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw BenchError("pipe: \(systemError())") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        posix_spawn_file_actions_addclose(&actions, ends[1])
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process = pid_t()
        let code = posix_spawn(&process, "/proc/self/exe", &actions, nil, &pointers, environ)
        close(ends[1])
        guard code == 0 else {
            close(ends[0])
            throw BenchError("cannot start a process: \(String(cString: strerror(code)))")
        }
        return (process, ends[0])
    }

    private static func readAll(_ file: Int32) -> String {
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count > 0 { bytes += buffer[..<count] }
            if count == 0 || (count < 0 && errno != EINTR) { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension ChildRole {
    /// Does the work of this role; prints `name value` lines for the process that started it.
    func run(_ options: Options) throws {
        let scale = Scale(options)
        switch self {
        case .fillAndDie: try Recovery.fillAndDie(scale, options)
        case .memory: try TailMemory.count(scale, options)
        case .sustained: try SustainedAppend.append(scale, options)
        }
    }
}

/// Tells the process that started this one a figure.
func tell(_ name: String, _ value: Double) {
    print(name, value)
    fflush(nil)
}
