import Foundation
import StoreAPI
import StoreEngine
import Testing

@testable import mailboxctl

/// Wrong addresses and daemons that are not there: one line, an exit code, no hang.
@Suite struct ConnectFailureTests {
    @Test(arguments: [
        "localhost", "localhost:", ":7180", "localhost:0", "localhost:65536", "localhost:+1",
        "::1:7180", "[::1]", "[::1]7180", "[localhost]:7180", "http://localhost:7180", "unix:",
        "a b:1", "localhost:7180:1", "", "unix:" + String(repeating: "p", count: 108),
    ])
    func whatIsNoAddress(address: String) async {
        let run = await tool("head", "--connect", address, "a", "b")
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
        #expect(!run.notes.joined().isEmpty)
    }

    @Test(arguments: [
        ("localhost:7180", StoreClientConfiguration.Target.tcp(host: "localhost", port: 7180)),
        ("10.0.0.1:65535", .tcp(host: "10.0.0.1", port: 65_535)),
        ("[::1]:1", .tcp(host: "::1", port: 1)),
        ("unix:/run/store.socket", .unixSocket(path: "/run/store.socket")),
    ])
    func addressesAreRead(text: String, target: StoreClientConfiguration.Target) throws {
        let address = try DaemonAddress(text)
        #expect(address.target == target)
        #expect(target.description == text)
    }

    private static let here = ["--connect", "localhost:7180"]

    @Test(arguments: [
        // A directory and a daemon.
        ["head", "store", "a", "b"] + here, ["fetch", "store", "a", "b"] + here,
        ["read", "store", "a", "b"] + here, ["ack", "store", "a", "b", "1", "--epoch", "1"] + here,
        ["inbox", "store", "b"] + here, ["backup", "store", "copy"] + here,
        ["compact", "store"] + here, ["verify", "store"] + here, ["stats", "store"] + here,
        ["dump", "store"] + here, ["drain", "store"] + here, ["top", "store"] + here,
        ["append", "store", "a", "b", "x"] + here, ["replay", "store", "file"] + here,
        // Neither.
        ["head"], ["fetch", "a", "b"], ["verify"], ["stats"], ["dump"], ["drain"], ["compact"],
        ["top"], ["top", "store"], ["watch"], ["watch", "store"], ["inbox", "b"], ["backup", "c"],
        // Too little.
        ["head", "a"] + here, ["ack", "a", "b", "--epoch", "1"] + here, ["watch"] + here,
        ["ack", "a", "b", "-1", "--epoch", "1"] + here,
        ["ack", "a", "b", "x", "--epoch", "1"] + here,
        // What has no meaning with it, or without it.
        ["append", "a", "b", "x", "--shards", "2"] + here,
        ["replay", "--generate", "1", "--durability", "system"] + here,
        ["restore", "copy", "store"] + here, ["head", "store", "a", "b", "--tls"],
        ["head", "store", "a", "b", "--timeout", "1s"], ["head", "a", "b", "--timeout=1ms"] + here,
        ["head", "a", "b", "--tls-certificate", "file"] + here,
        ["head", "a", "b", "--connect", "unix:/s", "--tls"],
        ["top", "--interval", "1ms"] + here, ["top", "--count", "0"] + here,
        ["top", "--once", "--count", "1"] + here, ["watch", "b", "--count", "0"] + here,
    ])
    func anUnclearCommandLineIsRefused(arguments: [String]) async {
        let run = await tool(arguments)
        #expect(run.status == 64, "\(run)")
        #expect(run.output.isEmpty)
        #expect(!run.notes.joined().isEmpty)
    }

    private static let commands = [
        ["append", "a", "b", "x"], ["fetch", "a", "b"], ["read", "a", "b"], ["head", "a", "b"],
        ["inbox", "b"], ["ack", "a", "b", "1", "--epoch", "1"], ["watch", "b"], ["dump"],
        ["replay", "--generate", "1"], ["drain"], ["stats"], ["verify"], ["compact"],
        ["backup", "/nonexistent/copy"], ["top"],
    ]

    private func run(_ command: [String], _ address: String) async -> ToolRun {
        await tool(command + ["--connect", address, "--timeout", "500ms"])
    }

    @Test(arguments: commands)
    func nobodyListens(command: [String]) async throws {
        let port = try SilentPort(listens: false)
        let run = await run(command, "127.0.0.1:\(port.port)")
        guard command[0] != "backup" else {
            // The destination is looked at first.
            #expect([66, 77].contains(run.status))
            return
        }
        #expect(run.status == 69, "\(run.notes)")
        #expect(run.output.isEmpty)
        #expect(run.notes.count == 1)
        #expect(run.notes.first?.hasPrefix("mailboxctl: unavailable: ") == true)
    }

    @Test func somebodyListensWhoIsNoDaemon() async throws {
        let port = try SilentPort(listens: true)
        let run = await run(["head", "a", "b"], "127.0.0.1:\(port.port)")
        #expect(run.status == 69, "\(run.notes)")
        #expect(run.notes.first?.hasPrefix("mailboxctl: unavailable: ") == true)
    }

    @Test func noSocketThere() async throws {
        try await withDirectory { directory in
            let run = await run(["stats"], "unix:\(directory)/none")
            #expect(run.status == 69, "\(run.notes)")
        }
    }

    @Test func filesForTLSThatAreNone() async throws {
        try await withDirectory { directory in
            let run = await tool(
                "head", "a", "b", "--connect", "localhost:1", "--tls-authority",
                directory + "/none", "--timeout", "500ms")
            #expect([65, 69].contains(run.status), "\(run.notes)")
            #expect(run.notes.count == 1)
        }
    }

    /// The daemon goes away between two pages of a long command.
    @Test func aDaemonThatStopsMidway() async throws {
        try await withDirectory { directory in
            let run = try await Served.with(directory + "/store") { served in
                let console = Console.recording()
                let command = try MailboxCtl.parseAsRoot([
                    "top", "--connect", served.address, "--interval", "100ms", "--timeout", "1s",
                    "--json",
                ])
                let top = try #require(command as? TopCommand)
                let running = Task { try await top.execute(console) }
                while console.recordedOutput.isEmpty { await Task.yield() }
                served.server.beginDraining()
                let outcome = await running.result
                let failure = #expect(throws: (any Error).self) { try outcome.get() }
                return Failure(try #require(failure))
            }
            #expect(run.code == "unavailable")
            #expect(run.status == .unavailable)
        }
    }
}
