import Fuzzing

/// What comes from networks and files of others: frames, handshakes, tokens, messages of services.
@main
enum FuzzEdge {
    static func main() throws {
        try FuzzProgram.main(
            EdgeTarget.all.map { target in
                FuzzTarget(target.name, byteCountMaximum: target.byteCountMaximum) {
                    try EdgeWaiting.value { try await target.seeds() }
                } run: { input in
                    do { try target.run(input) } catch { violation("\(error)") }
                }
            })
    }
}
