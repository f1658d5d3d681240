import Foundation
import Testing

@Suite("A trace through devices and everything in one process")
struct DeliverTests {
    private static func start(_ directory: TestDirectory) async throws -> Daemon {
        let secret = try directory.write(String(repeating: "s", count: 40), to: "secret")
        return try await Daemon.start(
            role: "all",
            [
                "--directory", directory.file("store"), "--connect-port", "0", "--tokens-key",
                secret, "--tokens-algorithm", "HS256", "--listen-tcp", "true", "--listen-port", "0",
            ])
    }

    private static func deliver(
        _ daemon: Daemon, _ arguments: [String]
    ) async throws -> (status: Int32, output: Data, notes: String) {
        let port = try #require(daemon.readyLine.firstMatch(of: #/ws=127.0.0.1:(\d+)/#)?.1)
        return try await onThread {
            let process = Process()
            process.executableURL = Daemon.executable.deletingLastPathComponent()
                .appending(path: "mailboxctl")
            process.arguments = ["deliver", "ws://127.0.0.1:\(port)", "--json"] + arguments
            let (output, notes) = (Pipe(), Pipe())
            process.standardOutput = output
            process.standardError = notes
            try process.run()
            let data = try output.fileHandleForReading.readToEnd() ?? Data()
            let errors = try notes.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            return (process.terminationStatus, data, String(decoding: errors, as: UTF8.self))
        }
    }

    @Test("Each message arrives once, in order, though connections are cut; and again, on the same")
    func once() async throws {
        let directory = try TestDirectory()
        let daemon = try await Self.start(directory)
        try #require(daemon.isReady, "\(daemon.readyLine)")
        for seed in ["1", "2"] {
            let run = try await Self.deliver(
                daemon,
                [
                    "--secret", directory.file("secret"), "--generate", "3000", "--mailboxes",
                    "300", "--seed", seed, "--cut-every", "40", "--connect",
                    "127.0.0.1:\(daemon.port)",
                ])
            #expect(run.status == 0, "\(run.notes)")
            let object = try JSONSerialization.jsonObject(with: run.output)
            let report = try #require(object as? [String: Any])
            func number(_ key: String) -> Int { (report[key] as? NSNumber)?.intValue ?? -1 }
            #expect(number("sent") == 3_000 && number("accepted") == 3_000)
            #expect(number("pushed") + number("fetched") == 3_000)
            #expect(number("confirmed") == 3_000)
            #expect(number("pushed") > 0 && number("fetched") > 0 && number("cuts") > 0)
            for key in ["doubled", "outOfOrder", "damaged", "missing", "waiting"] {
                #expect(number(key) == 0, "\(key)")
            }
            let verify = report["verify"] as? [String: Any]
            #expect((verify?["problemCount"] as? NSNumber)?.intValue == 0)
        }
        #expect(try await daemon.stop().status == 0)
    }

    @Test("A secret that is not the server's ends it at once, with a reason")
    func stranger() async throws {
        let directory = try TestDirectory()
        let daemon = try await Self.start(directory)
        let secret = try directory.write(String(repeating: "x", count: 40), to: "other")
        let run = try await Self.deliver(daemon, ["--secret", secret, "--generate", "10"])
        #expect(run.status == 1)
        #expect(run.notes.contains("mailboxctl: deviceFailed: "), "\(run.notes)")
        #expect(run.output.isEmpty)
        #expect(try await daemon.stop().status == 0)
    }
}
