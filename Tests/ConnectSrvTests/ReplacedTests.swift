import ClientWire
import Testing

@testable import ConnectSrv

/// A device settles by the store's numbers what its older connection sent. So when it is welcome,
/// nothing of that connection may be taken any more: not what it has sent already either.
@Suite("a device that connects anew")
struct ReplacedTests {
    @Test("nothing of the older connection is taken once the newer one is welcome")
    func olderIsDeaf() async throws {
        var limits = ConnectLimits()
        limits.requestsInFlightMaximum = 65_536
        let much = ConnectLimits.Rate(perSecond: 1e9, burst: 1e9)
        limits.connectionTraffic = .init(requests: much, bytes: much)
        limits.accountTraffic = limits.connectionTraffic
        limits.addressTraffic = limits.connectionTraffic
        try await TestServer.run(limits: limits) { server in
            for round in 1...30 {
                let name = "phone\(round)"
                let old = try await server.device("anna", name)
                let new = try await TestDevice.open(port: server.port)
                let token = try server.tokens.token("anna")
                let before = server.services.sentCount
                let flood = Task {
                    // What a closed connection does not take any more is no failure here.
                    for number in UInt32(1)...3_000 {
                        guard (try? await old.send("x", to: "bert", number)) != nil else { return }
                    }
                }
                while server.services.sentCount < before + round * 10 { await Task.yield() }
                try await new.hello(token, device: name)
                let atWelcome = server.services.sentCount
                await flood.value
                let (frames, _) = try await old.untilClose()
                #expect(frames.last?.goodbye.reason == .replaced)
                // What the newer one asks for is taken behind everything.
                let own = try await new.send("own", to: "carl", 1)
                #expect(try await new.answer(own) != nil)
                #expect(server.services.sentCount == atWelcome + 1, "round \(round)")
                await old.close()
                await new.close()
            }
        }
    }
}
