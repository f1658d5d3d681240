import Foundation
import GRPCCore
import Mailbox
import StoreAPI
import StoreEngine
import StoreSrv
import Testing

@testable import mailboxd

@Suite("The daemon as a process")
struct DaemonTests {
    @Test("Serves, tells its health and its metrics, and ends with 0 when it is asked to")
    func life() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(
            directory.file("store"),
            ["--listen-socket", directory.file("socket"), "--log-format", "json"])
        try #require(daemon.isReady)
        #expect(daemon.readyLine.contains("grpc=unix:\(directory.file("socket"))"))
        let mailbox = try MailboxID(sender: "a", receiver: "b")
        for target in [daemon.target.target, .unixSocket(path: directory.file("socket"))] {
            try await withStoreClient(StoreClientConfiguration(target)) { client in
                _ = try await client.append(Append(mailbox, text: "a secret body"))
                let page = try await client.fetch(mailbox, cursor: .zero, limit: .standard)
                #expect(page.messages.count > 0)
            }
        }
        #expect(try await daemon.page("healthz").status == 200)
        #expect(try await daemon.page("readyz").text == "ready\n")
        #expect(try await daemon.page("other").status == 404)
        let metrics = try await daemon.page("metrics")
        #expect(metrics.status == 200)
        for metric in MetricNames.all where !Self.onlyWhenItHappens.contains(metric.name) {
            #expect(metrics.text.contains("# TYPE \(metric.name) \(metric.kind)\n"), "\(metric)")
        }
        // And none is told that no page names.
        let known = DocumentationTests.metricNames
        for line in metrics.text.matches(of: #/# TYPE (\S+) /#) {
            #expect(known.contains(String(line.1)), "\(line.1)")
        }
        #expect(metrics.text.contains("mailbox_store_appended_messages_total 2\n"))
        #expect(metrics.text.contains("mailbox_store_fetched_messages_total 3\n"))
        let end = try await daemon.stop()
        #expect(end.status == 0)
        #expect(!end.wasKilled)
        // Each line is one JSON object, and no body is in any.
        for line in end.notes.split(separator: "\n") {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
        #expect(end.notes.contains("the store is closed"))
        #expect(!end.notes.contains("secret"))
    }

    private static let onlyWhenItHappens: Set<String> = [
        "mailbox_store_refusals_total", "mailbox_store_checkpoint_progress_ratio",
    ]

    @Test("Says in one line why it cannot start, and ends with a code that tells it")
    func refusals() async throws {
        let directory = try TestDirectory()
        let store = directory.file("store")
        let first = try await Daemon.start(store)
        try #require(first.isReady)

        func refused(_ path: String, _ arguments: [String] = []) async throws -> Daemon.End {
            let daemon = try await Daemon.start(path, arguments)
            #expect(!daemon.isReady)
            return try await daemon.end()
        }
        let locked = try await refused(store)
        #expect(locked.status == 75)
        #expect(locked.notes.hasPrefix("mailboxd: locked: "))
        #expect(locked.notes.split(separator: "\n").count == 1)
        let unwritable = try await refused("/sys/mailboxd-test")
        #expect(unwritable.status == 77)
        let notAStore = try directory.write("x", to: "file")
        #expect(try await refused(notAStore).status == 64)
        #expect(try await refused(directory.file("none"), ["--create", "false"]).status == 64)
        #expect(first.isReady)
        #expect(try await first.page("healthz").status == 200)
        #expect(try await first.stop().status == 0)

        try directory.write("mailbox-store 1\nkind store\n", to: "store/STORE")
        let damaged = try await refused(store)
        #expect(damaged.status == 65)
        #expect(damaged.notes.hasPrefix("mailboxd: corrupted: "))
    }

    @Test("A port that is taken")
    func busyPort() async throws {
        let directory = try TestDirectory()
        let first = try await Daemon.start(directory.file("one"))
        try #require(first.isReady)
        let second = try await mailboxd(
            "store", "--directory", directory.file("two"), "--listen-port", "\(first.port)",
            "--metrics-port", "0", "--log-level", "error")
        #expect(second.status == 69)
        #expect(second.output.isEmpty)
        #expect(second.notes.hasPrefix("mailboxd: cannotListen: cannot listen on 127.0.0.1:"))
        #expect(second.notes.split(separator: "\n").count == 1, "\(second.notes)")
        #expect(try await first.stop().status == 0)
    }

    @Test("A metrics port that is taken")
    func busyMetricsPort() async throws {
        let directory = try TestDirectory()
        let first = try await Daemon.start(directory.file("one"))
        try #require(first.isReady)
        let second = try await mailboxd(
            "store", "--directory", directory.file("two"), "--listen-port", "0",
            "--metrics-port", "\(first.metricsPort)", "--log-level", "error")
        #expect(second.status == 69)
        #expect(second.output.isEmpty)
        #expect(second.notes.contains("(metrics.port)"), "\(second.notes)")
        #expect(try await first.page("healthz").status == 200)
        #expect(try await first.stop().status == 0)
    }

    @Test("A Unix socket that another daemon serves is left to it; one that nobody serves is taken")
    func busySocket() async throws {
        let directory = try TestDirectory()
        let socket = directory.file("socket")
        let arguments = ["--listen-socket", socket]
        let first = try await Daemon.start(directory.file("one"), arguments)
        try #require(first.isReady)
        let second = try await Daemon.start(directory.file("two"), arguments)
        let end = try await second.end()
        #expect(end.status == 69)
        #expect(!second.isReady)
        #expect(end.notes.contains("mailboxd: cannotListen: "), "\(end.notes)")
        #expect(end.notes.contains("another process listens on \(socket)"))
        let target = StoreClientConfiguration(.unixSocket(path: socket))
        let mailbox = try MailboxID(sender: "a", receiver: "b")
        let sequence = try await withStoreClient(target) { client in
            try await client.append(Append(mailbox, text: "x")).sequence
        }
        #expect(sequence == 1)
        first.signal(SIGKILL)
        _ = try await first.end()
        #expect(FileManager.default.fileExists(atPath: socket))
        let third = try await Daemon.start(directory.file("one"), arguments)
        try #require(third.isReady)
        let head = try await withStoreClient(target) { try await $0.head(mailbox) }
        #expect(head.max == 1)
        #expect(try await third.stop().status == 0)
    }

    @Test("A client at the wrong port hears that the store is unavailable, and harms nobody")
    func wrongPort() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(directory.file("store"))
        try #require(daemon.isReady)
        var wrong = StoreClientConfiguration(.tcp(host: "127.0.0.1", port: daemon.metricsPort))
        wrong.connectTimeout = .seconds(1)
        wrong.callTimeout = .seconds(2)
        let mailbox = try MailboxID(sender: "a", receiver: "b")
        try await withStoreClient(wrong) { client in
            let refused = await #expect(throws: StoreError.self) {
                try await client.append(Append(mailbox, text: "x"))
            }
            #expect(refused?.code == .unavailable)
            let unread = await #expect(throws: StoreError.self) { try await client.head(mailbox) }
            #expect(unread?.code == .unavailable)
        }
        #expect(try await daemon.page("healthz").status == 200)
        #expect(try await daemon.stop().status == 0)
    }

    @Test("The configuration can be checked and printed")
    func configuration() async throws {
        let checked = try await mailboxd(
            "store", "--check-configuration", "--directory", "/nowhere",
            environment: ["MAILBOX_STORE_LISTEN_PORT": "1"])
        #expect(checked.status == 0)
        #expect(checked.output == "the configuration is sound\n")
        let printed = try await mailboxd(
            "store", "--print-configuration", "yaml",
            environment: ["MAILBOX_STORE_LISTEN_PORT": "1"])
        #expect(printed.output.contains("  port: 1\n"))
        let bad = try await mailboxd("store", "--listen-port", "x")
        #expect(bad.status == 64)
        let help = try await mailboxd("store", "--help")
        #expect(help.status == 0)
        #expect(help.output.contains("--engine-watch-backlog"))
    }
}
