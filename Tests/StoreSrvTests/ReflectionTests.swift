import GRPCCore
import GRPCNIOTransportHTTP2
import Mailbox
import StoreAPI
import SwiftProtobuf
import Testing

@testable import ServiceHost
@testable import StoreSrv

/// Takes bytes as they are.
private struct RawDeserializer: MessageDeserializer {
    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
        bytes.withUnsafeBytes { Array($0) }
    }
}

@Suite("Server reflection")
struct ReflectionTests {
    private static func method(_ service: String) -> MethodDescriptor {
        MethodDescriptor(fullyQualifiedService: service, method: "ServerReflectionInfo")
    }

    /// Asks, and reads the answers to the end, as text: names stand in them as they are.
    private static func ask(
        _ requests: [[UInt8]], _ server: TestServer, service: String = ReflectionService.names[0]
    ) async throws -> [String] {
        try await server.client.bidirectionalStreaming(
            request: StreamingClientRequest { writer in
                for request in requests { try await writer.write(request) }
            }, descriptor: method(service), serializer: RawSerializer(),
            deserializer: RawDeserializer(), options: .defaults
        ) { response in
            var answers: [String] = []
            for try await answer in response.messages {
                answers.append(String(decoding: answer, as: UTF8.self))
            }
            return answers
        }
    }

    /// A question: a field with a text.
    private static func question(_ number: UInt8, _ text: String) -> [UInt8] {
        [number << 3 | 2, UInt8(text.utf8.count)] + text.utf8
    }

    @Test(
        "Services, files and symbols are told, under both names",
        arguments: ReflectionService.names)
    func tells(service: String) async throws {
        try await TestServer.with { server in
            let answers = try await Self.ask(
                [
                    Self.question(7, ""), Self.question(3, "mailbox/store/v1/store.proto"),
                    Self.question(4, "mailbox.store.v1.StoreService.Fetch"),
                    Self.question(4, "mailbox.store.v1.BackupResponse.Chunk"),
                    Self.question(6, "mailbox.store.v1.Head"),
                ], server, service: service)
            try #require(answers.count == 5)
            for name in [
                "mailbox.store.v1.StoreService", "mailbox.store.v1.AdminService",
                "grpc.health.v1.Health", service,
            ] {
                #expect(answers[0].contains(name))
            }
            #expect(!answers[0].contains("SendService"))
            // A file comes with those that it builds upon.
            for answer in answers[1...2] {
                #expect(answer.contains("AppendStreamRequest"))
                #expect(answer.contains("ERROR_CODE_EPOCH_CHANGED"))
            }
            #expect(answers[3].contains("mailbox/store/v1/admin.proto"))
            #expect(answers[4].contains("mailbox.store.v1.Head"))
        }
    }

    @Test("What is not there is said to be, and the stream goes on; malformed bytes end it")
    func refuses() async throws {
        try await TestServer.with { server in
            let answers = try await Self.ask(
                [
                    Self.question(3, "none.proto"), Self.question(4, "mailbox.store.v1.None"),
                    Self.question(6, "none"), [0x2A, 3, 0x0A, 1, 0x61], [], [0x40, 1],
                    Self.question(7, "*"),
                ], server)
            #expect(answers.count == 7)
            for answer in answers[..<4] { #expect(answer.contains("there is no ")) }
            for answer in answers[4...5] { #expect(answer.contains("asks for nothing")) }
            #expect(answers.last?.contains("StoreService") == true)
            for malformed: [UInt8] in [
                [0x1A, 9], [0x1A], [0x00], [0x1B], [0x1A, 1, 0xFF], [0x18, 1], [0x2A, 2, 0x0A, 9],
                [UInt8](repeating: 0xFF, count: 99),
            ] {
                let error = await #expect(throws: RPCError.self) {
                    _ = try await Self.ask([malformed], server)
                }
                #expect(error?.code == .invalidArgument, "\(malformed)")
            }
            let refused = try await refusal {
                _ = try await Self.ask([[UInt8](repeating: 0, count: 5_000)], server)
            }
            #expect(refused.code == .invalidArgument)
        }
    }

    @Test("Every method and message of the contract is told as it is generated")
    func isCurrent() throws {
        let contract = ContractFiles.shared
        let methods =
            Wire.StoreService.Method.descriptors + Wire.AdminService.Method.descriptors
            + Wire.SendService.Method.descriptors + Wire.RecvService.Method.descriptors
            + Grpc_Health_V1_Health.Method.descriptors
        for method in methods {
            let name = "\(method.service.fullyQualifiedService).\(method.method)"
            #expect(contract.file(of: name) != nil, "run make proto: \(name)")
        }
        let messages: [any SwiftProtobuf.Message.Type] = [
            Wire.AppendRequest.self, Wire.ErrorDetail.self, Wire.GetStatsResponse.self,
            Mailbox_Store_V1_BackupResponse.Chunk.self,
        ]
        for message in messages {
            #expect(contract.file(of: message.protoMessageName) != nil, "\(message)")
        }
    }

    @Test("A tool that stays does not hold up the end of the server")
    func drains() async throws {
        try await TestServer.with { server in
            let (held, continuation) = AsyncStream.makeStream(of: Void.self)
            let error = await #expect(throws: RPCError.self) {
                try await server.client.bidirectionalStreaming(
                    request: StreamingClientRequest { writer in
                        try await writer.write(Self.question(7, ""))
                        for await _ in held {}
                    }, descriptor: Self.method(ReflectionService.names[0]),
                    serializer: RawSerializer(), deserializer: RawDeserializer(),
                    options: .defaults
                ) { response in
                    defer { continuation.finish() }
                    for try await _ in response.messages { server.server.beginDraining() }
                }
            }
            #expect(error?.code == .unavailable)
        }
    }
}
