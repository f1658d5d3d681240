// swift-tools-version: 6.2

import PackageDescription

/// What every Swift target is compiled with: the house rules that the compiler can check.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// The engine's targets: every use of an unsafe construct is marked, and lifetimes of borrowed
/// memory are checked.
let engine: [SwiftSetting] =
    house + [
        .strictMemorySafety(),
        .enableExperimentalFeature("Lifetimes"),
    ]

let package = Package(
    name: "mailbox-store",
    platforms: [.macOS(.v26), .iOS(.v26)],
    products: [
        .library(name: "Mailbox", targets: ["Mailbox"]),
        .library(name: "StoreEngine", targets: ["StoreEngine"]),
        .library(name: "MailboxTesting", targets: ["MailboxTesting"]),
        .executable(name: "mailboxctl", targets: ["mailboxctl"]),
    ],
    dependencies: [
        // Command lines with help, completion and validation; used by `mailboxctl` alone.
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
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
        .executableTarget(
            name: "mailboxctl",
            dependencies: [
                "Mailbox", "StoreEngine", "CZlib",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house),
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
        .testTarget(
            name: "StoreEngineTests",
            dependencies: ["StoreEngine", "Mailbox", "MailboxTesting", "LMDB", "crash-worker"],
            swiftSettings: house),
        .testTarget(name: "mailboxctlTests", dependencies: ["mailboxctl"], swiftSettings: house),
        .testTarget(name: "TidyTests", swiftSettings: house),
    ]
)
