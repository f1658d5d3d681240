import GRPCCore
import StoreAPI
import SwiftProtobuf
import Testing

@testable import StoreSrv

@Suite("Health")
struct HealthTests {
    @Test(
        "Every service is healthy; others are not known",
        arguments: [
            "", "mailbox.store.v1.StoreService", "mailbox.store.v1.AdminService",
        ])
    func check(service: String) async throws {
        try await TestServer.with { server in
            let health = Grpc_Health_V1_Health.Client(wrapping: server.client)
            let answer = try await health.check(.with { $0.service = service })
            #expect(answer.status == .serving)
            await #expect(throws: RPCError.self) {
                _ = try await health.check(.with { $0.service = "other" })
            }
        }
    }

    @Test("A watcher hears that the server ends")
    func watch() async throws {
        try await TestServer.with { server in
            let health = Grpc_Health_V1_Health.Client(wrapping: server.client)
            try await health.watch(.init()) { response in
                var answers = response.messages.makeAsyncIterator()
                var answer = try await answers.next()
                #expect(answer?.status == .serving)
                server.server.beginDraining()
                #expect(!server.server.isReady)
                answer = try await answers.next()
                #expect(answer?.status == .notServing)
                answer = try await answers.next()
                #expect(answer == nil)
            }
        }
    }
}
