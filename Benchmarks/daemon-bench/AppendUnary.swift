import GRPCCore
import GRPCNIOTransportHTTP2
import Mailbox
import StoreAPI
import SwiftProtobuf

/// One client that sends one message, waits for its answer, and sends the next.
struct AppendUnary {
    let target: StoreClientConfiguration.Target
    let seconds: Double

    func run() async throws {
        let traffic = try Traffic()
        let unary = try await calls(traffic)
        say("daemon.append.unary.p50_ms", milliseconds(unary, at: 0.5), digits: 3)
        say("daemon.append.unary.p99_ms", milliseconds(unary, at: 0.99), digits: 3)
        let streamed = try await withStoreClient(StoreClientConfiguration(target)) { client in
            try await latencies(traffic) { _ = try await client.append($0) }
        }
        say("daemon.append.single.p50_ms", milliseconds(streamed, at: 0.5), digits: 3)
        say("daemon.append.single.p99_ms", milliseconds(streamed, at: 0.99), digits: 3)
    }

    private func calls(_ traffic: Traffic) async throws -> [Duration] {
        guard case .tcp(let host, let port) = target else { return [] }
        let transport = try HTTP2ClientTransport.Posix(
            target: .ipv4(address: host, port: port), transportSecurity: .plaintext)
        return try await withGRPCClient(transport: transport) { client in
            let service = Mailbox_Store_V1_StoreService.Client(wrapping: client)
            return try await latencies(traffic) { append in
                let request = Mailbox_Store_V1_AppendRequest.with { $0.append = .init(append) }
                _ = try await service.append(request)
            }
        }
    }

    private func latencies(
        _ traffic: Traffic, _ send: (Append) async throws -> Void
    ) async throws -> [Duration] {
        var generator = FastRandom(seed: 7)
        for _ in 0..<50 { try await send(traffic.append(&generator)) }
        var latencies: [Duration] = []
        let start = ContinuousClock.now
        while elapsed(ContinuousClock.now - start) < seconds / 2 {
            let append = traffic.append(&generator)
            let begun = ContinuousClock.now
            try await send(append)
            latencies.append(ContinuousClock.now - begun)
        }
        return latencies
    }
}
