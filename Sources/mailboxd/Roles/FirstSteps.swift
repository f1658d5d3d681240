import Foundation

/// Where the parts of `mailboxd all` are, once they are bound; nil for what is not served.
struct AllPlaces: Sendable {
    /// `HOST:PORT`, as all of these.
    var devices: String
    /// The store over gRPC; or `unix:PATH`.
    var store: String?
    var metrics: String?
}

/// What somebody sees who starts it for the first time.
struct FirstSteps {
    let values: SettingValues
    let places: AllPlaces
    /// Whether the store goes when the process ends.
    let isTemporary: Bool
    /// How the tool is called.
    var tool = FirstSteps.siblingTool

    var text: String {
        let isEncrypted = values.optional("connect.certificate") != nil
        let (page, socket) = isEncrypted ? ("https", "wss") : ("http", "ws")
        let site = "\(page)://\(places.devices)"
        var rows: [(name: String, value: String)] = []
        if values.flag("tokens.demo"), values.flag("connect.page") {
            rows += [
                ("Chat page", "\(site)/#name=anna&to=bert"),
                ("", "\(site)/#name=bert&to=anna"),
                ("", "Open both, and write from one to the other."),
            ]
        } else if values.flag("connect.page") {
            rows.append(("Chat page", "\(site)/"))
        }
        rows.append(("Devices", "\(socket)://\(places.devices)/v1/connect"))
        if values.flag("tokens.demo") {
            rows.append(
                ("A token", "curl -H 'X-Mailbox-Demo: 1' -d anna \(site)/demo/token"))
        }
        if let store = places.store {
            rows.append(("The store", "\(tool) top --connect \(store)"))
            rows.append(("", "\(tool) inbox --connect \(store) bert"))
        }
        if let metrics = places.metrics {
            if values.flag("tokens.demo") || values.optional("operator.token") != nil {
                rows.append(("Operator", "http://\(metrics)/operator"))
            }
            rows.append(("Metrics", "http://\(metrics)/metrics"))
        }
        rows.append(
            ("Data", values.text("directory") + (isTemporary ? ", removed at the end" : "")))
        let lines = rows.map { row in
            row.name + String(repeating: " ", count: 12 - row.name.count) + row.value
        }
        let demo = values.flag("tokens.demo") ? " Whoever asks gets a token." : ""
        return """

            Everything runs in this process, for this machine alone.\(demo)

            \(lines.joined(separator: "\n"))

            `make demo` replays a trace through real connections. Ctrl-C ends this.

            """
    }

    /// `mailboxctl` beside this program, when it is there.
    private static var siblingTool: String {
        let own = ProcessInfo.processInfo.arguments.first ?? ""
        let sibling = own.contains("/") ? own.replacing(#/[^/]*$/#, with: "mailboxctl") : ""
        return FileManager.default.isExecutableFile(atPath: sibling) ? sibling : "mailboxctl"
    }
}
