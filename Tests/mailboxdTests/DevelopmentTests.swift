import Foundation
import Testing

@testable import mailboxd

@Suite("Everything in one process, for a first look")
struct DevelopmentTests {
    private static let anyPorts = ["--development", "--connect-port", "0", "--listen-port", "0"]

    @Test(
        "It needs nothing, gives a token to whoever asks, and leaves nothing behind",
        arguments: [SIGTERM, SIGINT])
    func firstLook(signal: Int32) async throws {
        let temporary = try TestDirectory()
        let daemon = try await Daemon.start(
            role: "all", Self.anyPorts, environment: ["TMPDIR": temporary.path])
        try #require(daemon.isReady, "\(daemon.readyLine)")
        #expect(daemon.port > 0, "the store is served over gRPC, too")
        let port = try #require(
            daemon.readyLine.firstMatch(of: #/ws=127.0.0.1:(\d+)/#).flatMap { Int($0.1) })
        try await onThread {
            let token = try TextSocket.post("/demo/token", "anna", port: port)
            var socket = try TextSocket(port: port)
            defer { socket.close() }
            try socket.send(["request": 1, "hello": ["token": token, "device": "phone"]])
            let welcome = try socket.receive("welcome")["welcome"] as? [String: Any]
            #expect(welcome?["account"] as? String == "anna")
        }
        let made = try FileManager.default.contentsOfDirectory(atPath: temporary.path)
        #expect(made.count == 1)
        daemon.signal(signal)
        let end = try await daemon.end()
        #expect(end.status == 0, "\(end.notes)")
        #expect(!end.wasKilled)
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.path).isEmpty)
    }

    @Test("A directory that is named stays")
    func named() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(
            role: "all", Self.anyPorts + ["--directory", directory.file("store")])
        try #require(daemon.isReady, "\(daemon.readyLine)")
        #expect(try await daemon.stop().status == 0)
        #expect(FileManager.default.fileExists(atPath: directory.file("store/STORE")))
    }

    @Test(
        "It serves this machine alone",
        arguments: [
            ("--connect-host", "0.0.0.0"), ("--listen-host", "::"), ("--metrics-host", "10.0.0.1"),
            ("--connect-host", "127.example.com"),
        ])
    func loopback(flag: String, host: String) async throws {
        let end = try await mailboxd("all", "--development", flag, host)
        #expect(end.status == 64)
        #expect(end.notes.contains("is \(host); with --development"), "\(end.notes)")
        #expect(end.output.isEmpty)
    }

    @Test("It says where everything is, and what to do next")
    func firstSteps() async throws {
        let reader = SettingsReader(role: "all", arguments: ["--directory", "/data"])
        let values = try await reader.read(DevelopmentRole.settings)
        let places = AllPlaces(
            devices: "127.0.0.1:1", store: "127.0.0.1:2", metrics: "127.0.0.1:3")
        let text = FirstSteps(values: values, places: places, isTemporary: true, tool: "TOOL").text
        for part in [
            "http://127.0.0.1:1/#name=anna&to=bert\n", "http://127.0.0.1:1/#name=bert&to=anna\n",
            "http://127.0.0.1:3/operator\n",
            "ws://127.0.0.1:1/v1/connect\n", "http://127.0.0.1:1/demo/token\n",
            "TOOL top --connect 127.0.0.1:2\n", "http://127.0.0.1:3/metrics\n",
            "/data, removed at the end\n", "Ctrl-C",
        ] {
            #expect(text.contains(part), "\(part)")
        }
        var closed = try await SettingsReader(
            role: "all", arguments: ["--tokens-demo", "false", "--connect-certificate", "x"]
        ).read(DevelopmentRole.settings)
        closed.set("directory", "/data", isStandard: false)
        let other = FirstSteps(
            values: closed, places: AllPlaces(devices: "[::1]:1"), isTemporary: false, tool: "TOOL"
        ).text
        #expect(other.contains("https://[::1]:1/\n") && other.contains("wss://[::1]:1/v1/connect"))
        for part in ["token", "TOOL", "removed", "#name"] { #expect(!other.contains(part)) }
    }
}
