extension ConnectServer {
    /// Each metric's name, its kind in Prometheus's words, and what it tells.
    public static let metricDescriptions: [(name: String, kind: String, help: String)] = [
        ("mailbox_connect_connections", "gauge", "Connections, before and after their handshake."),
        ("mailbox_connect_sessions", "gauge", "Devices that were welcomed."),
        ("mailbox_connect_frames_received_total", "counter", "Frames that devices sent."),
        ("mailbox_connect_pushes_total", "counter", "Pushes that were handed to sessions."),
        (
            "mailbox_connect_ack_seconds", "histogram",
            "Time from a message's arrival to the answer that it is durable."
        ),
        ("mailbox_connect_refusals_total", "counter", "Requests that were refused, by code."),
        (
            "mailbox_connect_goodbyes_total", "counter",
            "Connections that this server ended, by reason."
        ),
    ]
}
