/// The arrows between modules: who may import whom. One direction, no cycles.
enum ImportRule {
    /// What comes with the language or the C library, and is allowed everywhere.
    static let base: Set<String> = ["Swift", "Synchronization", "Glibc", "Musl", "Darwin"]

    /// What each target of `Sources` may import beside the base. A new target gets its own row.
    static let arrows: [String: Set<String>] = [
        "CChecksum": [],
        "CLMDB": [],
        "CZlib": [],
        "LMDB": ["CLMDB"],
        "Mailbox": [],
        "StoreEngine": ["LMDB", "Mailbox", "CChecksum"],
        "MailboxTesting": ["Mailbox"],
        "StoreAPI": wire.union(["Mailbox", "Logging", "Foundation", "NIOCore"]),
        "ServiceHost": wire.union([
            "StoreAPI", "Mailbox", "Logging", "ServiceLifecycle", "NIOCore",
        ]),
        "StoreSrv": wire.union([
            "ServiceHost", "StoreAPI", "StoreEngine", "Mailbox", "Logging", "Metrics",
            "ServiceLifecycle", "Foundation", "NIOCore",
        ]),
        "SendSrv": services,
        "RecvSrv": services,
        "PushSrv": services.union([
            "AsyncHTTPClient", "JWTKit", "Crypto", "GRDB", "NIOCore", "NIOHTTP1", "NIOSSL",
        ]),
        "ClientWire": ["SwiftProtobuf", "Foundation"],
        "ConnectSrv": [
            "StoreAPI", "ClientWire", "Mailbox", "Logging", "Metrics", "ServiceLifecycle",
            "NIOCore", "NIOPosix", "NIOHTTP1", "NIOWebSocket", "NIOSSL", "JWTKit",
            "SwiftProtobuf", "Foundation",
        ],
        "MailboxClient": [
            "Mailbox", "ClientWire", "SwiftProtobuf", "GRDB", "NIOCore", "NIOPosix", "NIOHTTP1",
            "NIOWebSocket", "NIOSSL", "Logging", "Foundation", "Dispatch",
        ],
        "MetricsText": ["CoreMetrics"],
        "mailboxd": [
            "ServiceHost", "StoreSrv", "SendSrv", "RecvSrv", "PushSrv", "ConnectSrv", "StoreAPI",
            "StoreEngine", "Mailbox", "MetricsText", "Logging", "Metrics",
            "ServiceLifecycle", "ArgumentParser", "Configuration", "Hummingbird", "GRPCCore",
            "GRPCNIOTransportHTTP2", "Foundation", "NIOCore", "Yams",
            "Dispatch",
        ],
        "mailboxctl": [
            "Mailbox", "StoreEngine", "StoreAPI", "GRPCCore", "GRPCNIOTransportHTTP2", "CZlib",
            "MailboxClient", "NIOSSL", "Logging", "ArgumentParser", "Foundation", "Dispatch",
            "ClientWire", "SwiftProtobuf", "Crypto",
        ],
    ]

    /// The gRPC runtime, for those who speak the network contract.
    private static let wire: Set<String> = [
        "GRPCCore", "GRPCNIOTransportHTTP2", "GRPCProtobuf", "SwiftProtobuf",
    ]

    /// What a thin service needs; never the engine.
    private static let services = wire.union([
        "ServiceHost", "StoreAPI", "Mailbox", "Logging", "Metrics", "ServiceLifecycle",
        "Foundation",
    ])

    /// What no test may import: the C library is the wrapper's alone.
    static let forbiddenInTests: Set<String> = ["CLMDB"]

    static func violations(in file: SourceFile) -> [Violation] {
        guard file.isSwift, let target = file.target else { return [] }
        let imports = imports(of: file)
        if file.isTest {
            return imports.filter { forbiddenInTests.contains($0.module) }.map {
                Violation(
                    path: file.path, line: $0.line, message: "tests may not import \($0.module)")
            }
        }
        guard let allowed = arrows[target] else {
            let message = "target \(target) has no row in ImportRule.arrows; say what it may import"
            return [Violation(path: file.path, line: 1, message: message)]
        }
        return imports.filter { !allowed.contains($0.module) && !base.contains($0.module) }.map {
            Violation(
                path: file.path, line: $0.line, message: "\(target) may not import \($0.module)")
        }
    }

    /// The modules that a file imports, submodules and single declarations counted as their module.
    static func imports(of file: SourceFile) -> [(line: Int, module: String)] {
        let kinds: Set<Substring> = [
            "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
        ]
        var found: [(line: Int, module: String)] = []
        for (index, line) in file.code.enumerated() {
            let words = line.split { $0 == " " || $0 == ";" }
            guard let position = words.firstIndex(of: "import") else { continue }
            let modifiers = words[..<position]
            guard modifiers.allSatisfy({ $0.first == "@" || accessLevels.contains($0) }) else {
                continue
            }
            var rest = words[(position + 1)...]
            if let first = rest.first, kinds.contains(first) { rest = rest.dropFirst() }
            guard let name = rest.first?.split(separator: ".").first else { continue }
            found.append((index + 1, String(name)))
        }
        return found
    }

    private static let accessLevels: Set<Substring> = [
        "public", "package", "internal", "fileprivate", "private",
    ]
}
