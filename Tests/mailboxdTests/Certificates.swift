import Foundation

/// Two authorities, and certificates of theirs, made anew for one test with the system's
/// `openssl`.
struct Certificates {
    struct Failed: Error {
        let message: String
    }

    /// Whether the tool is here.
    static let canBeMade = FileManager.default.isExecutableFile(atPath: tool)
    private static let tool = "/usr/bin/openssl"

    private let directory: TestDirectory

    /// The authority that the daemon and its client trust.
    var authority: String { directory.file("authority.pem") }
    /// One that nobody trusts.
    var stranger: String { directory.file("stranger.pem") }
    /// The daemon's certificate, for `localhost` and 127.0.0.1.
    var daemon: String { directory.file("daemon.pem") }
    var daemonKey: String { directory.file("daemon.key") }
    /// Another one, for `localhost` alone.
    var named: String { directory.file("named.pem") }
    var namedKey: String { directory.file("named.key") }
    /// A client's certificate.
    var client: String { directory.file("client.pem") }
    var clientKey: String { directory.file("client.key") }
    /// One that the stranger gave to somebody.
    var intruder: String { directory.file("intruder.pem") }
    var intruderKey: String { directory.file("intruder.key") }

    init() throws {
        directory = try TestDirectory()
        for name in ["authority", "stranger"] { try makeAuthority(name) }
        let server = "extendedKeyUsage=serverAuth\n"
        try makeCertificate("daemon", server + "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        try makeCertificate("named", server + "subjectAltName=DNS:localhost\n")
        try makeCertificate("client", "extendedKeyUsage=clientAuth\n")
        try makeCertificate("intruder", by: "stranger", "extendedKeyUsage=clientAuth\n")
    }

    private static let newKey = [
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
    ]

    private func makeAuthority(_ name: String) throws {
        try run(
            ["req", "-x509", "-days", "2", "-subj", "/CN=\(name)"] + Self.newKey + [
                "-keyout", directory.file(name + ".key"), "-out", directory.file(name + ".pem"),
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign",
            ])
    }

    private func makeCertificate(
        _ name: String, by authority: String = "authority", _ extensions: String
    ) throws {
        let file = directory.file(name)
        try directory.write(extensions, to: name + ".extensions")
        try run(
            ["req", "-new", "-subj", "/CN=\(name)"] + Self.newKey
                + ["-keyout", file + ".key", "-out", file + ".request"])
        try run([
            "x509", "-req", "-days", "2", "-in", file + ".request", "-out", file + ".pem",
            "-CA", directory.file(authority + ".pem"),
            "-CAkey", directory.file(authority + ".key"), "-CAcreateserial",
            "-extfile", file + ".extensions",
        ])
    }

    private func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: Self.tool)
        process.arguments = arguments
        let notes = Pipe()
        process.standardError = notes
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = try notes.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failed(message: String(decoding: text, as: UTF8.self))
        }
    }
}
