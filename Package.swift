// swift-tools-version: 6.2

import PackageDescription

/// What every Swift target is compiled with, the tool too: in it C modules of several packages
/// declare the same types (zlib's, the C library's), and members would be looked for in the module
/// that happened to be loaded first.
let houseButForMembers: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// The house rules that the compiler can check.
let house: [SwiftSetting] =
    houseButForMembers + [.enableUpcomingFeature("MemberImportVisibility")]

/// The engine's targets: every use of an unsafe construct is marked, and lifetimes of borrowed
/// memory are checked.
let engine: [SwiftSetting] =
    house + [
        .strictMemorySafety(),
        .enableExperimentalFeature("Lifetimes"),
    ]

/// The gRPC runtime and its NIO transport.
let grpc: [Target.Dependency] = [
    .product(name: "GRPCCore", package: "grpc-swift-2"),
    .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
    .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
    .product(name: "SwiftProtobuf", package: "swift-protobuf"),
]

/// A WebSocket, with and without TLS.
let webSocket: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOWebSocket", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let lifecycle: Target.Dependency = .product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "mailbox-store",
    platforms: [.macOS(.v26), .iOS(.v26)],
    products: [
        .library(name: "Mailbox", targets: ["Mailbox"]),
        .library(name: "StoreEngine", targets: ["StoreEngine"]),
        .library(name: "StoreAPI", targets: ["StoreAPI"]),
        .library(name: "StoreSrv", targets: ["StoreSrv"]),
        .library(name: "ConnectSrv", targets: ["ConnectSrv"]),
        .library(name: "MailboxClient", targets: ["MailboxClient"]),
        .library(name: "SendSrv", targets: ["SendSrv"]),
        .library(name: "RecvSrv", targets: ["RecvSrv"]),
        .library(name: "PushSrv", targets: ["PushSrv"]),
        .library(name: "MailboxTesting", targets: ["MailboxTesting"]),
        .executable(name: "mailboxd", targets: ["mailboxd"]),
        .executable(name: "mailboxctl", targets: ["mailboxctl"]),
    ],
    dependencies: [
        // Command lines with help, completion and validation: `mailboxctl` and `mailboxd`.
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        // The network contract and its transport. The engine alone compiles none of what follows:
        // Examples/Embedding proves it.
        .package(url: "https://github.com/grpc/grpc-swift-2", exact: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", exact: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", exact: "2.4.1"),
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
        // The transport's callbacks speak of its channels: connections are counted through them.
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        // The daemon: order of start and stop, settings, logs, metrics, and their HTTP port.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", exact: "1.4.0",
            traits: ["YAML"]),
        // What parses the daemon's file for its provider; here to name keys that are unknown.
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        // Connections of clients: TLS. Their tokens: signatures. Third-party pushes: HTTP/2 calls.
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        // The tests' own push service speaks HTTP/2, as Apple's does.
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
        // The client's database.
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CLMDB", pkgConfig: "lmdb",
            providers: [.apt(["liblmdb-dev"]), .brew(["lmdb"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .target(name: "CChecksum"),
        .target(name: "LMDB", dependencies: ["CLMDB"], swiftSettings: engine),
        .target(name: "Mailbox", swiftSettings: engine),
        .target(
            name: "StoreEngine", dependencies: ["LMDB", "Mailbox", "CChecksum"],
            swiftSettings: engine),
        .target(name: "MailboxTesting", dependencies: ["Mailbox"], swiftSettings: house),
        // The contract on the wire, generated and committed; and the store's client.
        .target(
            name: "StoreAPI",
            dependencies: [
                "Mailbox", logging, .product(name: "NIOCore", package: "swift-nio"),
            ] + grpc,
            swiftSettings: house),
        // What a device and ConnectSrv say to each other, generated and committed. No gRPC: the
        // client library compiles it.
        .target(
            name: "ClientWire",
            dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: house),
        // What an app embeds: outbox and inbox in SQLite, the session, the WebSocket. No engine, no
        // gRPC.
        .target(
            name: "MailboxClient",
            dependencies: [
                "Mailbox", "ClientWire", logging,
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ] + webSocket,
            swiftSettings: house),
        // What every gRPC service of the daemon stands on: transports, limits, refusals, health,
        // reflection.
        .target(
            name: "ServiceHost",
            dependencies: [
                "StoreAPI", "Mailbox", logging, lifecycle,
                .product(name: "NIOCore", package: "swift-nio"),
            ] + grpc,
            resources: [.embedInCode("Reflection/contract.binpb")],
            swiftSettings: house),
        .target(
            name: "SendSrv",
            dependencies: ["ServiceHost", "StoreAPI", "Mailbox", logging, metrics, lifecycle]
                + grpc,
            swiftSettings: house),
        .target(
            name: "RecvSrv",
            dependencies: ["ServiceHost", "StoreAPI", "Mailbox", logging, metrics, lifecycle]
                + grpc,
            swiftSettings: house),
        .target(
            name: "PushSrv",
            dependencies: [
                "ServiceHost", "StoreAPI", "Mailbox", logging, metrics, lifecycle,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ] + grpc,
            swiftSettings: house),
        .target(
            name: "StoreSrv",
            dependencies: [
                "ServiceHost", "StoreAPI", "StoreEngine", "Mailbox", logging, metrics, lifecycle,
                .product(name: "NIOCore", package: "swift-nio"),
            ] + grpc,
            swiftSettings: house),
        // What devices connect to: WebSockets, tokens, and a page to try it with.
        .target(
            name: "ConnectSrv",
            dependencies: [
                "StoreAPI", "ClientWire", "Mailbox", logging, metrics, lifecycle,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            resources: [
                .embedInCode("Web/index.html"), .embedInCode("Web/chat.css"),
                .embedInCode("Web/chat.js"), .embedInCode("Web/client.js"),
                .embedInCode("Web/store.js"), .embedInCode("Web/tabs.js"),
                .embedInCode("Web/view.js"), .embedInCode("Web/worker.js"),
            ],
            swiftSettings: house),
        // A backend of swift-metrics that writes Prometheus's text format.
        .target(
            name: "MetricsText",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: house),
        .executableTarget(
            name: "mailboxd",
            dependencies: [
                "ServiceHost", "StoreSrv", "SendSrv", "RecvSrv", "PushSrv", "ConnectSrv",
                "StoreAPI", "StoreEngine", "Mailbox", "MetricsText", logging, metrics, lifecycle,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Yams", package: "Yams"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
            ],
            resources: [
                .embedInCode("Web/operator.html"), .embedInCode("Web/operator.css"),
                .embedInCode("Web/operator.js"), .embedInCode("Web/charts.js"),
                .embedInCode("Web/metrics.js"),
            ],
            swiftSettings: house),
        // Drives a running daemon; no product of the package. Here, and not in the benchmarks'
        // package, because it needs nothing more, and CI runs it for a moment without a second
        // build.
        .executableTarget(
            name: "daemon-bench",
            dependencies: [
                "Mailbox", "StoreAPI",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + grpc,
            path: "Benchmarks/daemon-bench", swiftSettings: house),
        // The devices of the benchmark of the whole path; no product of the package.
        .executableTarget(
            name: "e2e-bench",
            dependencies: [
                "ClientWire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Benchmarks/e2e-bench", swiftSettings: house),
        // Measures the client library against a daemon that it starts; no product of the package.
        .executableTarget(
            name: "client-bench",
            dependencies: [
                "MailboxClient", "Mailbox", "ServerTesting", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/client-bench", swiftSettings: house),
        // The sources of Examples/Chat, compiled with everything else: as a package of its own,
        // which it is for its readers, it would compile all dependencies a second time.
        .executableTarget(
            name: "chat-example", dependencies: ["MailboxClient", "Mailbox"],
            path: "Examples/Chat/Sources/Chat", swiftSettings: house),
        .executableTarget(
            name: "mailboxctl",
            dependencies: [
                "Mailbox", "StoreEngine", "StoreAPI", "MailboxClient", "ClientWire", "CZlib",
                logging,
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: houseButForMembers),
        .testTarget(
            name: "MailboxTests", dependencies: ["Mailbox", "MailboxTesting"],
            swiftSettings: house),
        .testTarget(name: "CChecksumTests", dependencies: ["CChecksum"], swiftSettings: house),
        .testTarget(
            name: "LMDBTests", dependencies: ["LMDB"],
            swiftSettings: house + [.enableExperimentalFeature("Lifetimes")]),
        // What the kill tests start and kill; no product of the package.
        .executableTarget(
            name: "crash-worker", dependencies: ["StoreEngine", "Mailbox"],
            path: "Tests/crash-worker", swiftSettings: house),
        // What `make client-powercut` records and asks: the client, and a server beside it.
        .executableTarget(
            name: "client-crash-worker",
            dependencies: [
                "MailboxClient", "ClientWire", "Mailbox", "MailboxTesting", logging,
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            path: "Tests/client-crash-worker", swiftSettings: house),
        .testTarget(
            name: "StoreEngineTests",
            dependencies: ["StoreEngine", "Mailbox", "MailboxTesting", "LMDB", "crash-worker"],
            swiftSettings: house),
        .testTarget(
            name: "StoreAPITests", dependencies: ["StoreAPI", "Mailbox", "MailboxTesting"] + grpc,
            swiftSettings: house),
        .testTarget(
            name: "StoreSrvTests",
            dependencies: [
                "ServiceHost", "StoreSrv", "StoreAPI", "StoreEngine", "Mailbox", "MailboxTesting",
                logging, metrics,
            ] + grpc,
            swiftSettings: house),
        // SendSrv and RecvSrv alone and over gRPC, in front of the model and of an engine.
        .testTarget(
            name: "ServicesTests",
            dependencies: [
                "ServiceHost", "SendSrv", "RecvSrv", "StoreSrv", "StoreAPI", "StoreEngine",
                "Mailbox", "MailboxTesting", logging, metrics,
            ] + grpc,
            swiftSettings: house),
        // PushSrv, with local servers that speak as the services for notifications do.
        .testTarget(
            name: "PushSrvTests",
            dependencies: [
                "PushSrv", "ServiceHost", "StoreAPI", "Mailbox", "MailboxTesting", logging, metrics,
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ] + grpc,
            swiftSettings: house),
        .testTarget(
            name: "ConnectSrvTests",
            dependencies: [
                "ConnectSrv", "StoreAPI", "ClientWire", "Mailbox", "MailboxTesting",
                "MetricsText", logging, metrics,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: house),
        .testTarget(
            name: "MetricsTextTests",
            dependencies: [
                "MetricsText", .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: house),
        .testTarget(
            name: "mailboxdTests",
            dependencies: [
                "mailboxd", "ServiceHost", "StoreSrv", "SendSrv", "RecvSrv", "PushSrv",
                "ConnectSrv", "MailboxClient",
                "StoreAPI", "StoreEngine", "Mailbox", "MailboxTesting", logging,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
            ] + grpc,
            swiftSettings: house),
        // Starts `mailboxd all` and signs tokens, for tests and benchmarks of its clients.
        .target(
            name: "ServerTesting",
            dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            path: "Tests/ServerTesting", swiftSettings: house),
        // What the client's kill tests start and kill; no product of the package.
        .executableTarget(
            name: "client-worker", dependencies: ["MailboxClient", "Mailbox", logging],
            path: "Tests/client-worker", swiftSettings: house),
        // A thread whose clocks, timers and random numbers are a simulation's.
        .target(name: "CVirtualThread", path: "Tests/CVirtualThread"),
        .testTarget(
            name: "MailboxClientTests",
            dependencies: [
                "MailboxClient", "ClientWire", "Mailbox", "MailboxTesting", "ServerTesting",
                "ConnectSrv", "SendSrv", "PushSrv", "ServiceHost", "StoreAPI", "CVirtualThread",
                "mailboxd", "client-worker", logging, metrics,
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ] + webSocket,
            swiftSettings: house),
        .testTarget(
            name: "mailboxctlTests",
            dependencies: [
                "mailboxctl", "mailboxd", "ServerTesting", "MailboxClient", "StoreSrv", "StoreAPI",
                "StoreEngine", "ClientWire", "Mailbox", logging, metrics,
            ],
            swiftSettings: houseButForMembers),
        .testTarget(name: "TidyTests", swiftSettings: house),
    ]
)
