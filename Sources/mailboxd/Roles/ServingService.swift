import ServiceHost
import ServiceLifecycle
import StoreAPI

/// A server, with its errors in the daemon's terms.
struct ServingService: Service {
    let values: SettingValues
    let serve: @Sendable () async throws -> Void

    func run() async throws {
        do {
            try await serve()
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let tcp = "\(values.text("listen.host")):\(values.text("listen.port"))"
            let places = [
                values.flag("listen.tcp") ? tcp : nil,
                values.optional("listen.socket").map { "unix:\($0)" },
            ].compactMap { $0 }
            throw Failure.cannotListen("listen", places.joined(separator: " or "), error)
        }
    }
}

/// A client of another role, for as long as the services behind it in the order run.
struct ClientService: Service {
    let work: @Sendable () async throws -> Void
    let close: @Sendable () -> Void

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await work()
        } onGracefulShutdown: {
            close()
        }
    }
}

/// Something that is to be finished once the services behind it in the order have ended.
struct FinishingService: Service {
    let finish: @Sendable () async -> Void

    func run() async throws {
        try? await gracefulShutdown()
        await finish()
    }
}

/// What the line says that tells that a role is ready.
struct ReadyLine: Sendable {
    /// Where calls are taken: words like `grpc=127.0.0.1:7180`.
    var places: String
    /// What else there is to know, each word with a space in front.
    var facts = ""
    /// What people are told behind the line, given where the metrics are: `HOST:PORT`, or nil.
    var greeting: (@Sendable (_ metrics: String?) -> String)?

    init(places: String, facts: String = "") {
        self.places = places
        self.facts = facts
    }

    /// - Returns: nil when nothing is bound.
    init?(grpc addresses: [ListeningAddress]?, facts: String = "") {
        guard let addresses, !addresses.isEmpty else { return nil }
        self.init(places: addresses.map { "grpc=\($0)" }.joined(separator: " "), facts: facts)
    }
}
