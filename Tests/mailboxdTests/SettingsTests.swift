import Mailbox
import ServiceHost
import StoreEngine
import StoreSrv
import Testing

@testable import mailboxd

@Suite("Settings")
struct SettingsTests {
    private static func read(
        _ arguments: [String] = [], _ environment: [String: String] = [:], file: String? = nil
    ) async throws -> SettingValues {
        try await SettingsReader(arguments: arguments, environment: environment, file: file)
            .read(StoreSettings.all)
    }

    private static func problems(_ body: () async throws -> SettingValues) async -> String {
        do {
            try await body().check()
            return ""
        } catch let failure as Failure {
            #expect(failure.status == .usage)
            return failure.message
        } catch {
            return "\(error)"
        }
    }

    @Test("Every default is allowed, and names are unique in every form")
    func table() {
        let table = StoreSettings.all
        for setting in table {
            #expect(setting.normalized(setting.standard) == setting.standard, "\(setting.key)")
            #expect(setting.help.count > 5)
        }
        #expect(Set(table.map(\.key)).count == table.count)
        #expect(Set(table.map(\.flag)).count == table.count)
        #expect(Set(table.map { $0.variable(of: "store") }).count == table.count)
        let setting = Setting("limits.streamsPerConnection", .integer(1...2), "1", "some")
        #expect(setting.flag == "--limits-streams-per-connection")
        #expect(
            setting.variable(of: "store") == "MAILBOX_STORE_LIMITS_STREAMS_PER_CONNECTION")
    }

    @Test("Every key reaches what it configures: its defaults are the engine's and the server's")
    func defaults() async throws {
        let values = try await Self.read()
        let store = values.storeConfiguration()
        #expect(store.queueBytesMaximum == 64 << 20)
        #expect(store.mapBytesMaximum == 1 << 40)
        #expect(store.pageBytesMaximum == 2 << 20)
        let server = try values.serverConfiguration()
        #expect(server.endpoint == .init(host: "127.0.0.1", port: 7180))
        #expect(server.socketPath == nil)
        #expect(server.requestBytesMaximum == 8 << 20)
        #expect(server.connectionAgeMaximum == nil)
        #expect(server.connectionIdleMaximum == .seconds(1_800))
    }

    /// What is read where it is used: `DaemonTests` and `SignalTests` start daemons with these.
    private static let usedElsewhere: Set<String> = [
        "directory", "metrics.enabled", "metrics.host", "metrics.port", "metrics.connections",
        "metrics.idleSeconds", "log.format", "drain.seconds",
    ]

    @Test("No key is for show: another value of it configures something else")
    func everyKey() async throws {
        let files = ["tls.certificate", "tls.key", "tls.clientAuthority"]
        func described(_ changed: String = "", _ value: String = "") async throws -> String {
            var arguments: [String] = []
            for setting in StoreSettings.all {
                if setting.key == changed {
                    arguments += [setting.flag, value]
                } else if files.contains(setting.key) {
                    // These come together.
                    arguments += [setting.flag, "/file"]
                }
            }
            let values = try await Self.read(arguments)
            var text = "\(values.logLevel)"
            dump(values.storeConfiguration(), to: &text)
            dump(try values.serverConfiguration(), to: &text)
            return text
        }
        let standard = try await described()
        #expect(try await described() == standard)
        for setting in StoreSettings.all where !Self.usedElsewhere.contains(setting.key) {
            let other = try #require(Self.another(setting), "\(setting.key)")
            #expect(try await described(setting.key, other) != standard, "\(setting.key)")
        }
    }

    /// A value that is allowed, and not the default.
    private static func another(_ setting: Setting) -> String? {
        let candidates: [String] =
            switch setting.kind {
            case .text, .path, .addresses: ["/other"]
            case .boolean: ["true", "false"]
            case .integer(let range): ["\(range.lowerBound)", "\(range.upperBound)"]
            case .bytes(let range):
                [ByteCount.text(range.lowerBound), ByteCount.text(range.upperBound)]
            case .choice(let names): names
            case .retention: ["newest:7"]
            }
        return candidates.first { $0 != setting.standard && setting.normalized($0) == $0 }
    }

    @Test("A flag counts before a variable, a variable before the file, the file before defaults")
    func precedence() async throws {
        let directory = try TestDirectory()
        let file = try directory.write(
            """
            directory: /from/file   # a comment
            listen:
              port: 1
              host: "::1"
            engine: {shards: 4, queueBytes: 128MiB}
            """, to: "c.yaml")
        let values = try await Self.read(
            ["--directory=/from/flag, with a comma", "--engine-retention", "newest:7"],
            [
                "MAILBOX_STORE_DIRECTORY": "/from/variable", "MAILBOX_STORE_LISTEN_PORT": "2",
                "MAILBOX_STORE_LIMITS_APPEND_BYTES": "1048576", "OTHER": "x",
            ], file: file)
        #expect(values.text("directory") == "/from/flag, with a comma")
        #expect(values.integer("listen.port") == 2)
        #expect(values.text("listen.host") == "::1")
        #expect(values.integer("engine.shards") == 4)
        #expect(values.bytes("engine.queueBytes") == 128 << 20)
        #expect(values.text("limits.appendBytes") == "1MiB")
        #expect(values.storeConfiguration().retention == .newest(7))
        #expect(values.isStandard("metrics.port") && !values.isStandard("listen.port"))
        // What is printed reads back the same.
        let printed = try directory.write(
            SettingsPage.yaml(StoreSettings.all, values), to: "printed.yaml")
        let again = try await Self.read(file: printed)
        for setting in StoreSettings.all {
            #expect(again.text(setting.key) == values.text(setting.key), "\(setting.key)")
        }
    }

    @Test("Unknown keys are refused, with the nearest name and all that is allowed")
    func unknown() async throws {
        let directory = try TestDirectory()
        let file = try directory.write("listen:\n  prot: 1\n  port: 2\n", to: "c.yaml")
        let fromFile = await Self.problems { try await Self.read(file: file) }
        #expect(fromFile.contains("'listen.prot' is no key; did you mean 'listen.port'?"))
        #expect(fromFile.contains("engine.watchBacklog"))
        let fromFlag = await Self.problems { try await Self.read(["--listen-prot", "1", "--x"]) }
        #expect(fromFlag.contains("did you mean '--listen-port'?"))
        #expect(fromFlag.contains("'--x' is no flag; allowed are"))
        let variable = await Self.problems {
            try await Self.read([], ["MAILBOX_STORE_DIRECTORI": "x"])
        }
        #expect(variable.contains("did you mean 'MAILBOX_STORE_DIRECTORY'?"))
    }

    @Test(
        "Bad values are refused, with where they came from and what is allowed",
        arguments: [
            ("--listen-port", "65536", "0 … 65535"), ("--listen-port", "x", "0 … 65535"),
            ("--create", "yes", "true or false"), ("--engine-durability", "never", "commit"),
            ("--limits-request-bytes", "1KiB", "64KiB … 64MiB"),
            ("--limits-request-bytes", "9999999999999999TiB", "64KiB … 64MiB"),
            ("--engine-retention", "newest:-1", "newest:COUNT"), ("--log-level", "loud", "info"),
        ])
    func bad(flag: String, value: String, allowed: String) async {
        let problems = await Self.problems { try await Self.read([flag, value]) }
        #expect(problems.contains("is '\(value)' (from the command line)"))
        #expect(problems.contains(allowed))
    }

    @Test("What does not fit together is refused")
    func together() async {
        let nothing = await Self.problems { try await Self.read() }
        #expect(nothing.contains("directory is not set"))
        let deaf = await Self.problems { try await Self.read(["--listen-tcp", "false"]) }
        #expect(deaf.contains("no address is left"))
        let credit = await Self.problems {
            try await Self.read(["--limits-append-bytes", "65MiB", "--directory", "x"])
        }
        #expect(credit.contains("above engine.queueBytes"))
        let key = await Self.problems {
            try await Self.read(["--tls-certificate", "x", "--directory", "x"])
        }
        #expect(key.contains("come together"))
        let twice = await Self.problems {
            try await Self.read(["--listen-port", "1", "--listen-port", "2"])
        }
        #expect(twice.contains("twice"))
        let last = await Self.problems { try await Self.read(["--listen-port"]) }
        #expect(last.contains("needs a value"))
    }

    @Test("A file that is none is refused", arguments: ["- 1\n- 2\n", "a: [1", "just text"])
    func notYAML(text: String) async throws {
        let directory = try TestDirectory()
        let file = try directory.write(text, to: "c.yaml")
        let problems = await Self.problems { try await Self.read(file: file) }
        #expect(problems.contains(file))
        let missing = await Self.problems { try await Self.read(file: directory.file("no")) }
        #expect(missing.contains("cannot read"))
    }

    @Test("Bytes are read and shown in their largest unit")
    func bytes() {
        for value in [0, 1, 1_023, 1 << 10, 3 << 20, 1 << 40, (1 << 30) + 1] {
            #expect(ByteCount.parse(ByteCount.text(value)) == value)
        }
        #expect(ByteCount.text(3 << 20) == "3MiB")
        #expect(ByteCount.parse("-1") == nil)
        #expect(ByteCount.parse("1.5MiB") == nil)
        #expect(ByteCount.parse("MiB") == nil)
    }
}
