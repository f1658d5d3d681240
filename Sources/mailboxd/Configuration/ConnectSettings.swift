/// The keys of `mailboxd connect`.
enum ConnectSettings {
    static let all: [Setting] =
        connect + tokens + HostSettings.metrics(port: 7_191) + PeerSettings.send
        + PeerSettings.recv + PeerSettings.push + PeerSettings.tls + limits + HostSettings.process

    /// Where devices connect.
    static let connect: [Setting] = [
        Setting("connect.host", .text, "127.0.0.1", "the IPv4 or IPv6 address for devices"),
        Setting("connect.port", .integer(0...65_535), "7190", "their port; 0 takes a free one"),
        Setting(
            "connect.certificate", .path, "", "the certificate to show them (PEM); empty: no TLS"),
        Setting("connect.key", .path, "", "its private key (PEM)"),
        Setting(
            "connect.instance", .text, "",
            "this instance's name, unique among all; empty draws one at random"),
        Setting("connect.page", .boolean, "true", "serve the chat page at /"),
    ]

    /// Who a device is.
    static let tokens: [Setting] = [
        Setting(
            "tokens.key", .path, "",
            "a key that tokens are signed with: a public key (PEM), or the secret of HS256"),
        Setting("tokens.keyId", .text, "main", "that key's name in tokens (kid)"),
        Setting(
            "tokens.algorithm", .choice(["EdDSA", "ES256", "HS256"]), "EdDSA",
            "the one algorithm that it is for"),
        Setting("tokens.jwks", .path, "", "a file with more keys (JWKS)"),
        Setting("tokens.issuer", .text, "", "who must have issued a token; empty: anybody"),
        Setting("tokens.audience", .text, "", "whom a token must be for; empty: anybody"),
        Setting(
            "tokens.leewaySeconds", .integer(0...300), "0", "how far clocks may be apart"),
        Setting(
            "tokens.demo", .boolean, "false",
            "mint a token for any name that asks: on loopback only, for a first look"),
    ]

    /// What one connection, account or address may take.
    static let limits: [Setting] = [
        Setting(
            "devices.connections", .integer(1...1_000_000), "20000", "connections at once"),
        Setting(
            "devices.connectionsPerAccount", .integer(1...100_000), "32",
            "connections of one account at once"),
        Setting(
            "devices.connectionsPerAddress", .integer(1...1_000_000), "1000",
            "connections of one IPv4 address or IPv6 /64 network at once"),
        Setting(
            "devices.handshakeSeconds", .integer(1...300), "10",
            "from the connection to the welcome"),
        Setting(
            "devices.heartbeatSeconds", .integer(1...3_600), "30",
            "a quiet connection is asked for a sign of life, and ended after as long again"),
        Setting(
            "devices.frameBytes", .bytes((16 << 10)...(32 << 20)), "512KiB",
            "the largest frame; above it the connection is ended"),
        Setting(
            "devices.requestsInFlight", .integer(1...65_536), "256",
            "requests of a connection that wait for their answers"),
        Setting(
            "devices.requestsPerSecond", .integer(1...1_000_000), "2000",
            "requests of a connection in a second; twice as many at once; an account has twice, an "
                + "address eight times as many"),
        Setting(
            "devices.bytesPerSecond", .bytes((16 << 10)...(1 << 40)), "4MiB",
            "bytes of a connection in a second; four times as many at once; an account has twice, "
                + "an address eight times as many"),
        Setting(
            "devices.pushBodyBytes", .bytes(0...(1 << 20)), "64KiB",
            "the largest body that is pushed to devices; of larger ones they get a notice"),
        Setting(
            "devices.outgoingBytes", .bytes((64 << 10)...(1 << 30)), "8MiB",
            "what waits for a device that does not read, before its connection is ended"),
        Setting(
            "devices.drainSeconds", .integer(0...600), "10",
            "after SIGTERM, answers under way are waited for so long"),
    ]
}
