import Glibc

/// Another process: this tool's own executable, if no other is named.
struct Child {
    enum Ending: Equatable {
        case exit(Int32)
        case signal(Int32)
    }

    private let process: pid_t

    /// Starts one.
    ///
    /// - Parameters:
    ///   - environment: added to this process's own.
    ///   - output: where its standard output goes; nothing is kept without it.
    init(
        _ arguments: [String], environment: [String: String] = [:], output: String = "/dev/null",
        executable: String = Child.executable
    ) throws(Failure) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(
            &actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let words =
            Self.inherited.filter { entry in
                !environment.keys.contains { entry.hasPrefix("\($0)=") }
            } + environment.map { "\($0.key)=\($0.value)" }
        var started = pid_t()
        let code = Self.withStrings([executable] + arguments) { arguments in
            Self.withStrings(words) { environment in
                posix_spawnp(&started, executable, &actions, nil, arguments, environment)
            }
        }
        guard code == 0 else {
            throw Failure("cannot start \(executable): \(String(cString: strerror(code)))")
        }
        process = started
    }

    func wait() -> Ending {
        var status: CInt = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? .exit((status >> 8) & 0xFF) : .signal(signal)
    }

    /// Whether it has not ended yet; it stays to be waited for.
    var isRunning: Bool {
        var state = siginfo_t()
        return waitid(P_PID, id_t(process), &state, WEXITED | WNOHANG | WNOWAIT) == 0
            && state.si_signo == 0
    }

    func kill() { Glibc.kill(process, SIGKILL) }

    private static var inherited: [String] {
        var entries: [String] = []
        var next = environ
        while let entry = next.pointee {
            entries.append(String(cString: entry))
            next += 1
        }
        return entries
    }

    static let executable: String = {
        var bytes = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &bytes, bytes.count)
        return String(
            decoding: bytes.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()

    static func withStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}
