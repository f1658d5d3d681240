// swift-tools-version: 6.2

import PackageDescription

// What a program's package needs to have a store inside. Elsewhere the path is a URL and a version.
let package = Package(
    name: "embedding",
    platforms: [.macOS(.v26)],
    dependencies: [.package(name: "mailbox-store", path: "../..")],
    targets: [
        .executableTarget(
            name: "Embedding",
            dependencies: [.product(name: "StoreEngine", package: "mailbox-store")],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)])
    ]
)
