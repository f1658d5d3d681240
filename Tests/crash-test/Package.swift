// swift-tools-version: 6.2

import PackageDescription

/// As in the package's own manifest; and with the planted bugs, which no other build has.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    .define("PLANTED_BUGS"),
]
let engine: [SwiftSetting] =
    house + [
        .strictMemorySafety(),
        .enableExperimentalFeature("Lifetimes"),
    ]

/// The engine and `crash-test`, with optimisation and nothing else: `make build-crash` puts this
/// file into a folder of its own, with links to the sources. So it fetches no dependency, and
/// leaves the other builds as they are.
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
        // The model and its driver: the compiler (6.3.1) crashes on the cases with optimisation.
        .target(
            name: "MailboxTesting", dependencies: ["Mailbox"], exclude: ["Behaviour"],
            swiftSettings: house),
        .executableTarget(
            name: "crash-test", dependencies: ["StoreEngine", "Mailbox", "MailboxTesting"],
            path: "Tests/crash-test", exclude: ["shim", "Package.swift"], swiftSettings: house),
    ]
)
