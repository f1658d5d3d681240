import Glibc

/// A process that is asked on its standard input, and answers on its standard output.
final class Talker {
    private let process: pid_t
    private let input: CInt
    private let output: CInt
    private var rest: [UInt8] = []

    init(_ executable: String, _ arguments: [String]) throws(Failure) {
        var asks: [CInt] = [0, 0]
        var answers: [CInt] = [0, 0]
        guard pipe(&asks) == 0, pipe(&answers) == 0 else { throw Failure("there are no pipes") }
        for end in asks + answers { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, asks[0], 0)
        posix_spawn_file_actions_adddup2(&actions, answers[1], 1)
        var started = pid_t()
        let code = Child.withStrings([executable] + arguments) { arguments in
            posix_spawn(&started, executable, &actions, nil, arguments, environ)
        }
        close(asks[0])
        close(answers[1])
        guard code == 0 else {
            throw Failure("cannot start \(executable): \(String(cString: strerror(code)))")
        }
        process = started
        input = asks[1]
        output = answers[0]
    }

    deinit {
        close(input)
        close(output)
        var status: CInt = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }

    /// Asks one line, and takes lines until one that is a dot.
    func ask(_ question: String) throws(Failure) -> [Substring] {
        let bytes = Array((question + "\n").utf8)
        guard write(input, bytes, bytes.count) == bytes.count else {
            throw Failure("the worker takes no more questions")
        }
        var text = rest
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            if text.suffix(3).elementsEqual("\n.\n".utf8) || text.elementsEqual(".\n".utf8) {
                break
            }
            let got = Glibc.read(output, &chunk, chunk.count)
            guard got > 0 else { throw Failure("the worker ended before it answered") }
            text += chunk[..<got]
        }
        rest = []
        return String(decoding: text, as: UTF8.self).split(separator: "\n").dropLast()
    }
}
