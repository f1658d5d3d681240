/// The keys of `mailboxd push`.
enum PushSettings {
    static let all: [Setting] =
        HostSettings.places(port: 7_480) + HostSettings.metrics(port: 7_481) + HostSettings.tls
        + HostSettings.limits + PeerSettings.recv + PeerSettings.tls + push + services
        + HostSettings.process

    static let push: [Setting] = [
        Setting(
            "push.registry", .path, "",
            "the file that keeps where to notify devices; must be set, but for mailboxd all, which "
                + "has it in the store's directory"),
        Setting(
            "push.devicesPerAccount", .integer(1...10_000), "32",
            "devices of one account that may be registered"),
        Setting(
            "push.content", .choice(["none", "sender", "body"]), "none",
            "what notifications tell of a message; body brings its text to other people's servers"),
        Setting("push.alert", .text, "New message", "what notifications say to people"),
        Setting(
            "push.lifetimeSeconds", .integer(0...2_419_200), "86400",
            "how long the services keep a notification for a device that they cannot reach"),
        Setting(
            "push.collapseMilliseconds", .integer(0...60_000), "500",
            "how long the first message for a device waits for others to join its notification"),
        Setting(
            "push.quietSeconds", .integer(0...86_400), "10",
            "the shortest time between two notifications of a device"),
        Setting(
            "push.silenceSeconds", .integer(1...86_400), "30",
            "a connected device that leaves a message unconfirmed for so long is notified"),
        Setting(
            "push.recoverySeconds", .integer(0...3_600), "5",
            "how long after its start it looks for what is owed"),
        Setting(
            "push.attempts", .integer(1...100), "24",
            "attempts for one notification: with the longest wait as it is, about an hour"),
        Setting(
            "push.retryMaximumSeconds", .integer(1...86_400), "300",
            "the longest wait between two attempts"),
        Setting(
            "push.waiting", .integer(1...(1 << 24)), "65536",
            "stored messages that wait to be looked at; of more, the newest of each mailbox"),
        Setting(
            "push.owed", .integer(1...(1 << 24)), "100000",
            "devices that are owed a notification; others are looked for again later"),
        Setting("push.sends", .integer(1...10_000), "64", "notifications under way at once"),
    ]

    static let services: [Setting] = [
        Setting("apns.key", .path, "", "APNs: the key's file (.p8); empty: APNs is not offered"),
        Setting("apns.keyId", .text, "", "APNs: the key's identifier"),
        Setting("apns.teamId", .text, "", "APNs: the team's identifier"),
        Setting("apns.topic", .text, "", "APNs: the topic of devices that name none"),
        Setting(
            "apns.productionUrl", .text, "https://api.push.apple.com",
            "APNs: where tokens of the App Store's apps go"),
        Setting(
            "apns.sandboxUrl", .text, "https://api.sandbox.push.apple.com",
            "APNs: where tokens of the sandbox go"),
        Setting(
            "fcm.serviceAccount", .path, "",
            "FCM: the service account's file (JSON); empty: FCM is not offered"),
        Setting("fcm.url", .text, "https://fcm.googleapis.com", "FCM: where messages go"),
        Setting("webhook.url", .text, "", "the webhook's address; empty: none is offered"),
        Setting("webhook.secret", .path, "", "the file with the secret that signs its calls"),
        Setting(
            "notify.trustedCertificates", .path, "",
            "certificates of these services to trust (PEM); empty: the system's"),
        Setting(
            "notify.timeoutSeconds", .integer(1...300), "10",
            "how long a call to one of these services may take"),
    ]
}
