/// Keys that every role has: where it takes calls, what a client may cost, what the process says.
enum HostSettings {
    static func places(port: Int) -> [Setting] {
        [
            Setting("listen.tcp", .boolean, "true", "take TCP connections"),
            Setting(
                "listen.host", .text, "127.0.0.1", "the IPv4 or IPv6 address for them"),
            Setting(
                "listen.port", .integer(0...65_535), "\(port)", "their port; 0 takes a free one"),
            Setting("listen.socket", .path, "", "a Unix socket's path; empty takes none"),
        ]
    }

    static func metrics(port: Int) -> [Setting] {
        [
            Setting(
                "metrics.enabled", .boolean, "true", "serve /metrics, /healthz and /readyz"),
            Setting("metrics.host", .text, "127.0.0.1", "the address for them"),
            Setting(
                "metrics.port", .integer(0...65_535), "\(port)", "their port; 0 takes a free one"),
            Setting(
                "metrics.connections", .integer(1...10_000), "64",
                "connections to it at once; others wait"),
            Setting(
                "metrics.idleSeconds", .integer(1...3_600), "60",
                "a connection that asks nothing is closed after this time"),
        ]
    }

    static let tls: [Setting] = [
        Setting("tls.certificate", .path, "", "the server's certificate (PEM); empty: no TLS"),
        Setting("tls.key", .path, "", "its private key (PEM)"),
        Setting(
            "tls.clientAuthority", .path, "",
            "serve only clients with a certificate of this authority (PEM); empty: all clients"),
    ]

    static let limits: [Setting] = [
        Setting(
            "limits.requestBytes", .bytes((64 << 10)...(64 << 20)), "8MiB",
            "the largest request, or frame of a stream"),
        Setting("limits.connections", .integer(1...1_000_000), "4096", "connections at once"),
        Setting(
            "limits.streamsPerConnection", .integer(1...100_000), "128",
            "calls at once on one connection"),
        Setting(
            "limits.streamBytes", .bytes((64 << 10)...(1 << 30)), "8MiB",
            "unanswered appends of one stream, before it is no longer read"),
        Setting(
            "limits.idleSeconds", .integer(0...86_400), "1800",
            "a connection without a call is closed after this time; 0: never"),
        Setting(
            "limits.ageSeconds", .integer(0...31_536_000), "0",
            "a connection is closed at this age; 0: never"),
        Setting(
            "limits.graceSeconds", .integer(1...86_400), "60",
            "what is under way on a connection that is closed for its age may go on so long"),
        Setting(
            "limits.keepaliveSeconds", .integer(1...86_400), "30",
            "a quiet connection is asked for a sign of life this often"),
        Setting(
            "limits.keepaliveTimeoutSeconds", .integer(1...3_600), "10",
            "without a sign of life after this time, it is closed"),
        Setting(
            "limits.pingSeconds", .integer(0...3_600), "10",
            "a client that asks for signs of life more often is cut off"),
    ]

    static let process: [Setting] = [
        Setting(
            "log.level",
            .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), "info",
            "the least that is logged"),
        Setting("log.format", .choice(["text", "json"]), "text", "how a log line is written"),
        Setting(
            "drain.seconds", .integer(1...3_600), "30",
            "after SIGTERM, what is under way may go on so long"),
    ]
}
