// swift-tools-version: 6.2

import PackageDescription

// A package of its own, so that nothing of libFuzzer is in the product's graph. `make fuzz` builds
// it with the flags that it needs: every module of the product that a target reaches is compiled
// anew, with coverage, the address sanitizer and assertions.

/// What every Swift target is compiled with: the product's rules.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "mailbox-store-fuzz",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "mailbox-store", path: ".."),
        // The versions of the product's own manifest.
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
    ],
    targets: [
        .target(name: "CFuzzer"),
        .target(name: "Fuzzing", dependencies: ["CFuzzer"], swiftSettings: house),
        // The engine's targets: no gRPC, so that they build within a minute.
        .executableTarget(
            name: "fuzz-engine",
            dependencies: [
                "Fuzzing",
                .product(name: "Mailbox", package: "mailbox-store"),
                .product(name: "StoreEngine", package: "mailbox-store"),
                .product(name: "MailboxTesting", package: "mailbox-store"),
            ],
            swiftSettings: house),
        // What comes from networks: frames, handshakes, tokens, messages of services.
        .executableTarget(
            name: "fuzz-edge",
            dependencies: [
                "Fuzzing",
                .product(name: "Mailbox", package: "mailbox-store"),
                .product(name: "StoreAPI", package: "mailbox-store"),
                .product(name: "ConnectSrv", package: "mailbox-store"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ],
            swiftSettings: house),
    ]
)
