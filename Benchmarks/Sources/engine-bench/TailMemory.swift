import StoreEngine

/// What a message costs in memory while it is durable in the journal and waits for its checkpoint.
struct TailMemory {
    let scale: Scale
    let scratch: Scratch
    let options: Options

    func run() throws -> Section {
        let child = try scratch.with("memory") {
            try ChildProcess(.memory, directory: $0, options: options)
        }
        let bytes = try child.figure("bytes")
        var section = Section(
            "Memory of \(scale.memoryMessages) messages that wait for a checkpoint")
        section.row(
            "engine", "\(scale.mailboxes) mailboxes, bodies of \(Workload.bodyBytes) bytes",
            "\(fixed(bytes, 1)) bytes a message")
        section.note(
            "Growth of anonymous resident memory in a fresh process, mailbox table and all, "
                + "over the messages.")
        section.metric("engine.memory.bytes_per_tail_message", bytes, digits: 1)
        return section
    }

    /// Runs in a process of its own, so that nothing else has grown or shrunk.
    static func count(_ scale: Scale, _ options: Options) throws {
        let workload = try Workload(mailboxes: scale.mailboxes, seed: options.seed) { generator in
            (0..<scale.memoryMessages).map { _ in
                UInt32.random(in: 0..<UInt32(scale.mailboxes), using: &generator)
            }
        }
        let store = try MailboxStore.open(
            at: options.directory + "/store", configuration: .withoutCheckpoints)
        let before = anonymousBytes()
        try EngineContestant().fill(store, workload, 0..<workload.stream.count)
        let after = anonymousBytes()
        tell("bytes", Double(after - before) / Double(workload.stream.count))
        try store.close()
    }
}
