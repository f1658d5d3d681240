// swift-tools-version: 6.2

import PackageDescription

// What an app's package needs to talk through a mailbox server. Elsewhere the path is a URL and a
// version.
let package = Package(
    name: "chat",
    platforms: [.macOS(.v26), .iOS(.v26)],
    dependencies: [.package(name: "mailbox-store", path: "../..")],
    targets: [
        .executableTarget(
            name: "Chat",
            dependencies: [
                .product(name: "Mailbox", package: "mailbox-store"),
                .product(name: "MailboxClient", package: "mailbox-store"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)])
    ]
)
