/// The keys of `mailboxd send`.
enum SendSettings {
    static let all: [Setting] =
        HostSettings.places(port: 7_280) + HostSettings.metrics(port: 7_281) + HostSettings.tls
        + HostSettings.limits + PeerSettings.store + PeerSettings.push + PeerSettings.tls + send
        + HostSettings.process

    static let send: [Setting] = [
        Setting("send.lanes", .integer(1...64), "4", "batches that may be at the store at once"),
        Setting(
            "send.waitingBytes", .bytes((1 << 20)...(1 << 36)), "64MiB",
            "messages that wait for the store, before they are refused"),
        Setting(
            "send.pushBodyBytes", .bytes(0...(1 << 20)), "16KiB",
            "the largest body that is pushed; of a larger one devices get a notice"),
    ]
}

/// The keys of `mailboxd recv`.
enum RecvSettings {
    static let all: [Setting] =
        HostSettings.places(port: 7_380) + HostSettings.metrics(port: 7_381) + HostSettings.tls
        + HostSettings.limits + PeerSettings.store + PeerSettings.tls + HostSettings.process
}

/// Where the other roles are, and how they are spoken to.
enum PeerSettings {
    static let store: [Setting] = [
        Setting("store.address", .addresses, "127.0.0.1:7180", "where the store is: one address")
    ]

    static let push: [Setting] = [
        Setting(
            "push.addresses", .addresses, "127.0.0.1:7480",
            "where every PushSrv is; empty: nothing is pushed")
    ]

    static let recv: [Setting] = [
        Setting(
            "recv.addresses", .addresses, "127.0.0.1:7380",
            "where every RecvSrv is; several must be IPv4 addresses")
    ]

    static let send: [Setting] = [
        Setting(
            "send.addresses", .addresses, "127.0.0.1:7280",
            "where every SendSrv is; several must be IPv4 addresses")
    ]

    static let tls: [Setting] = [
        Setting("peers.tls", .boolean, "false", "speak TLS to the other roles"),
        Setting(
            "peers.trustedCertificates", .path, "",
            "certificates of theirs to trust (PEM); empty: the system's"),
        Setting("peers.certificate", .path, "", "the certificate to show them (PEM)"),
        Setting("peers.key", .path, "", "its private key (PEM)"),
    ]
}
