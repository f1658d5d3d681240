import Glibc

/// Does one operation again and again, and disturbs it each time at another of its calls.
struct Sweep {
    /// How one try went.
    struct Try {
        let ending: Child.Ending
        /// What was promised, in all.
        let history: History
        /// The lines that are no history, by their first word: the last of each.
        let answers: [String: String]
        /// The call that was disturbed; nil when the operation ended before it.
        var hit: String? { answers["HIT"].flatMap { $0 == "nothing" ? nil : $0 } }
    }

    let operation: Operation
    let shim: String
    let scratch: String
    private let history: History

    /// Prepares the store that every try begins with.
    init(_ operation: Operation, shim: String, scratch: String) throws(Failure) {
        self.operation = operation
        self.shim = shim
        self.scratch = scratch
        let template = "\(scratch)/root"
        try Files.remove(scratch)
        try Files.makeDirectory(scratch)
        try Files.makeDirectory(template)
        var history = History()
        if !operation.beginsWithNothing {
            let ending = try Child(
                ["prepare", "--root", template],
                environment: [
                    "LD_PRELOAD": shim, "FILE_SHIM_ROOT": template,
                    "FILE_SHIM_TRACE": "\(scratch)/trace",
                ]
            ).wait()
            guard ending == .exit(0) else {
                throw Failure("the preparation of \(operation) ended with \(ending)")
            }
            for mark in try Trace(path: "\(scratch)/trace").marks { history.hear(mark.line) }
        }
        self.history = history
        try Files.copy(template, to: "\(scratch)/template")
    }

    /// The directory that tries work in.
    var root: String { "\(scratch)/root" }

    /// Does the operation anew.
    ///
    /// - Parameters:
    ///   - call: the number of the call that is disturbed, from 1.
    ///   - deed: what becomes of it, in the shim's words.
    func attempt(call: Int, _ deed: String) throws(Failure) -> Try {
        try Files.remove(root)
        try Files.copy("\(scratch)/template", to: root)
        let path = "\(scratch)/trace"
        try Files.remove(path)
        let ending = try Child(
            ["perform", "--root", root, "--operation", operation.rawValue],
            environment: [
                "LD_PRELOAD": shim, "FILE_SHIM_ROOT": root, "FILE_SHIM_TRACE": path,
                "FILE_SHIM_AT": String(call), "FILE_SHIM_DO": deed, "FILE_SHIM_COUNT": "all",
            ]
        ).wait()
        var heard = history
        var answers: [String: String] = [:]
        for mark in try Trace(path: path).marks {
            heard.hear(mark.line)
            let words = mark.line.split(separator: " ")
            if words.count == 2, let word = words.first {
                answers[String(word)] = String(words[1])
            }
        }
        return Try(ending: ending, history: heard, answers: answers)
    }
}
