// swift-tools-version: 6.2

import PackageDescription

// A package of its own, so that what only the measurements need (RocksDB) stays out of the
// product's graph.
//
// apt install liblmdb-dev librocksdb-dev; then `swift run -c release engine-bench`.

/// What every Swift target is compiled with: the product's rules.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "mailbox-store-benchmarks",
    platforms: [.macOS(.v26)],
    dependencies: [.package(name: "mailbox-store", path: "..")],
    targets: [
        .target(name: "CBench"),
        .target(name: "BareDisk", dependencies: ["CBench"]),
        .target(
            name: "PeerLMDB", dependencies: ["CBench"], linkerSettings: [.linkedLibrary("lmdb")]),
        .target(
            name: "PeerRocksDB", dependencies: ["CBench"],
            linkerSettings: [.linkedLibrary("rocksdb")]),
        .executableTarget(
            name: "engine-bench",
            dependencies: [
                "CBench", "BareDisk", "PeerLMDB", "PeerRocksDB",
                .product(name: "Mailbox", package: "mailbox-store"),
                .product(name: "StoreEngine", package: "mailbox-store"),
            ],
            swiftSettings: house),
    ]
)
