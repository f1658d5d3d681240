import ClientWire
import Mailbox
import MetricsText
import Testing

@testable import ConnectSrv

@Suite("what is counted", .timeLimit(.minutes(1)), .serialized)
struct ConnectMetricsTests {
    @Test("every metric has the value that what happened gives it")
    func values() async throws {
        let metrics = MetricsTextFactory(help: [:])
        @Sendable func value(_ series: String) -> Double? {
            for line in metrics.render().split(separator: "\n") where line.hasPrefix(series + " ") {
                return Double(line.dropFirst(series.count + 1))
            }
            return nil
        }
        try await TestServer.run(metrics: metrics) { server in
            let anna = try await server.device("anna")
            let bob = try await server.device("bob")
            _ = try await TestDevice.connect(port: server.port)
            for number in 1...5 as ClosedRange<UInt32> {
                try await anna.send("hello", to: "bob", number)
                #expect(try await anna.frame().accepted.sequence == number)
                #expect(try await bob.frame().pushed.message.sequence == number)
            }
            try await anna.send("gap", to: "bob", 9)
            #expect(try await anna.frame().refused.code == .producerGap)
            let late = try await TestDevice.open(port: server.port)
            try await late.send("before hello", to: "bob", 1)
            _ = try await late.untilClose()
            await late.close()
            // The third connection is taken by the kernel first, by the server a moment later.
            while server.server.connectionCount != 3 { await Task.yield() }
            #expect(value("mailbox_connect_connections") == 3)
            #expect(value("mailbox_connect_sessions") == 2)
            #expect(value("mailbox_connect_pushes_total") == 5)
            // Two hellos, six sends, and one of who said no hello.
            #expect(value("mailbox_connect_frames_received_total") == 9)
            #expect(value("mailbox_connect_ack_seconds_count") == 5)
            #expect(value(#"mailbox_connect_refusals_total{code="producer_gap"}"#) == 1)
            #expect(value(#"mailbox_connect_goodbyes_total{reason="protocol"}"#) == 1)
        }
        #expect(value("mailbox_connect_connections") == 0)
        #expect(value("mailbox_connect_sessions") == 0)
        #expect(value(#"mailbox_connect_goodbyes_total{reason="shutdown"}"#) == 2)
        for line in metrics.render().split(separator: "\n") {
            for secret in ["anna", "bob", "phone", "hello"] { #expect(!line.contains(secret)) }
        }
    }
}
