import Hummingbird
import Logging
import Mailbox
import MetricsText
import NIOCore
import ServiceLifecycle

/// `/metrics`, `/healthz` and `/readyz`, on a port of their own; and the operator's page, where it
/// is served.
struct MetricsService: Service {
    let host: String
    let port: Int
    let connectionsMaximum: Int
    let idleMaximum: Duration
    let metrics: MetricsTextFactory
    let process: ProcessGauges
    let probes: RoleProcess.Probes
    let logger: Logger
    /// Told once the port is known, or nil once it cannot be had.
    let bound: Announcement<Int?>

    func run() async throws {
        let application = Application(
            router: router(),
            server: .http1(configuration: .init(idleTimeout: TimeAmount(idleMaximum))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), serverName: "mailboxd",
                availableConnectionsDelegate: .maximum(connectionsMaximum, logger: quiet)),
            onServerRunning: { channel in bound.tell(channel.localAddress?.port ?? port) },
            logger: quiet)
        do {
            try await application.run()
        } catch {
            bound.tell(nil)
            throw Failure.cannotListen("metrics.port", "\(host):\(port)", error)
        }
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("metrics") { _, _ in
            process.collect()
            await probes.collect()
            return Response(
                status: .ok, headers: [.contentType: MetricsTextFactory.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.render())))
        }
        // Alive, as long as it answers and its store takes what it is given: else, start it anew.
        router.get("healthz") { _, _ in
            probes.failure().map { Self.answer(.serviceUnavailable, "failed: \($0.message)") }
                ?? Self.answer(.ok, "ok")
        }
        router.get("readyz") { _, _ in
            probes.isReady()
                ? Self.answer(.ok, "ready") : Self.answer(.serviceUnavailable, "not ready")
        }
        probes.operatorPage?.addRoutes(to: router)
        return router
    }

    private static func answer(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }

    /// What the HTTP server says of its own start and end is no news; its errors are told here.
    private var quiet: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .critical)
        return logger
    }
}
