// swift-tools-version: 6.2

import PackageDescription

/// As in the package's own manifest.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]
let engine: [SwiftSetting] =
    house + [
        .strictMemorySafety(),
        .enableExperimentalFeature("Lifetimes"),
    ]

/// The engine, its tests and nothing else: `make test-sanitize` puts this file into a folder of its
/// own, with links to the sources, so that no dependency is compiled under a sanitizer.
let package = Package(
    name: "mailbox-store",
    platforms: [.macOS(.v26), .iOS(.v26)],
    targets: [
        .systemLibrary(
            name: "CLMDB", pkgConfig: "lmdb",
            providers: [.apt(["liblmdb-dev"]), .brew(["lmdb"])]),
        .target(name: "CChecksum"),
        .target(name: "LMDB", dependencies: ["CLMDB"], swiftSettings: engine),
        .target(name: "Mailbox", swiftSettings: engine),
        .target(
            name: "StoreEngine", dependencies: ["LMDB", "Mailbox", "CChecksum"],
            swiftSettings: engine),
        .target(name: "MailboxTesting", dependencies: ["Mailbox"], swiftSettings: house),
        .testTarget(
            name: "MailboxTests", dependencies: ["Mailbox", "MailboxTesting"],
            swiftSettings: house),
        .testTarget(name: "CChecksumTests", dependencies: ["CChecksum"], swiftSettings: house),
        .testTarget(
            name: "LMDBTests", dependencies: ["LMDB"],
            swiftSettings: house + [.enableExperimentalFeature("Lifetimes")]),
        .executableTarget(
            name: "crash-worker", dependencies: ["StoreEngine", "Mailbox"],
            path: "Tests/crash-worker", swiftSettings: house),
        .testTarget(
            name: "StoreEngineTests",
            dependencies: ["StoreEngine", "Mailbox", "MailboxTesting", "LMDB", "crash-worker"],
            swiftSettings: house),
    ]
)
