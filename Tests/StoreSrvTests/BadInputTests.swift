import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import Mailbox
import ServiceHost
import StoreAPI
import StoreEngine
import SwiftProtobuf
import Testing

@testable import StoreSrv

/// Sends bytes as they are.
struct RawSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes {
        Bytes(message)
    }
}

@Suite("Bad input over the network")
struct BadInputTests {
    private typealias Method = Wire.StoreService.Method

    /// Sends bytes to a method, and reads its answers to the end.
    private static func send(
        _ bytes: [[UInt8]], to method: MethodDescriptor, _ server: TestServer
    ) async throws {
        try await server.client.bidirectionalStreaming(
            request: StreamingClientRequest { writer in
                for message in bytes { try await writer.write(message) }
            }, descriptor: method, serializer: RawSerializer(),
            deserializer: ProtobufDeserializer<Google_Protobuf_Empty>(), options: .defaults
        ) { response in
            for try await _ in response.messages {}
        }
    }

    @Test("Malformed bytes are refused with a typed status, by every method")
    func malformed() async throws {
        try await TestServer.with { server in
            let methods = Method.descriptors + Wire.AdminService.Method.descriptors
            for method in methods {
                // A field whose length goes beyond the end.
                let refused = try await refusal {
                    try await Self.send([[0x0A, 0xFF, 0xFF, 0x03, 1]], to: method, server)
                }
                #expect(refused.code == .invalidArgument, "\(method)")
            }
            _ = try await server.calls.getStoreInfo(.init())
        }
    }

    @Test("A request above the limit is refused with what is allowed; far above, it is cut off")
    func oversized() async throws {
        try await TestServer.with(server: { $0.requestBytesMaximum = 64 << 10 }) { server in
            let body = [UInt8](repeating: 0, count: 65 << 10)
            for method in [Method.Append.descriptor, Method.AppendStream.descriptor] {
                let refused = try await refusal { try await Self.send([body], to: method, server) }
                #expect(refused.code == .invalidArgument)
                #expect(refused.message.contains("at most 65536"))
            }
            let huge = [UInt8](repeating: 0, count: 1 << 20)
            await #expect(throws: RPCError.self) {
                try await Self.send([huge], to: Method.Append.descriptor, server)
            }
            _ = try await server.calls.getStoreInfo(.init())
        }
    }

    @Test("Unknown fields and unknown enum values are no reason to fail")
    func unknown() async throws {
        try await TestServer.with { server in
            // Field 1 of GetHead: a mailbox "a" → "b"; field 100: a varint nobody knows.
            let bytes: [UInt8] = [0x0A, 6, 0x0A, 1, 0x61, 0x12, 1, 0x62, 0xA0, 0x06, 1]
            try await Self.send([bytes], to: Method.GetHead.descriptor, server)
            // A policy of a kind that is not known is none.
            let refused = try await refusal {
                try await Self.send(
                    [[0x0A, 3, 0xA0, 0x06, 1]], to: Wire.AdminService.Method.Compact.descriptor,
                    server)
            }
            #expect(refused.code == .invalidArgument)
        }
    }

    @Test("A method that is not there")
    func unimplemented() async throws {
        try await TestServer.with { server in
            let method = MethodDescriptor(
                fullyQualifiedService: "mailbox.store.v1.StoreService", method: "Delete")
            let error = await #expect(throws: RPCError.self) {
                try await Self.send([[]], to: method, server)
            }
            #expect(error?.code == .unimplemented)
        }
    }

    @Test("Every method of the contract is registered")
    func registered() async throws {
        try await TestServer.with { server in
            let health = Grpc_Health_V1_Health.Method.descriptors
            let methods = Method.descriptors + Wire.AdminService.Method.descriptors + health
            for method in methods {
                do {
                    try await server.withConnection { connection in
                        try await connection.bidirectionalStreaming(
                            request: StreamingClientRequest { try await $0.write([0xFF]) },
                            descriptor: method, serializer: RawSerializer(),
                            deserializer: ProtobufDeserializer<Google_Protobuf_Empty>(),
                            options: .defaults
                        ) { response in for try await _ in response.messages {} }
                    }
                } catch let error as RPCError {
                    #expect(error.code == .invalidArgument, "\(method): \(error)")
                }
            }
        }
    }

    @Test("A client that never reads its answers holds up itself alone")
    func neverReads() async throws {
        try await TestServer.with(server: {
            $0.streamBytesMaximum = 256 << 10
            $0.appendBytesMaximum = 1 << 20
        }) { server in
            let frame = Wire.AppendStreamRequest.with {
                $0.appends = (0..<100).map { .of("lazy", "r", "\($0)") }
            }
            try await server.withConnection { connection in
                let calls = Wire.StoreService.Client(wrapping: connection)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    let (held, continuation) = AsyncStream.makeStream(of: Void.self)
                    group.addTask {
                        try? await calls.appendStream { writer in
                            while !Task.isCancelled { try await writer.write(frame) }
                        } onResponse: { response in
                            // Reads nothing, until the test is done.
                            for await _ in held {}
                            _ = response
                        }
                    }
                    // Others are served meanwhile, again and again.
                    for number in 0..<50 {
                        let answers = try await server.calls.appendStream { writer in
                            try await writer.write(
                                .with { $0.appends = [.of("busy", "r", "\(number)")] })
                        } onResponse: { response in
                            try await response.messages.reduce(into: 0) { count, _ in count += 1 }
                        }
                        #expect(answers == 1)
                    }
                    continuation.finish()
                    group.cancelAll()
                }
            }
            let head = try server.store.head(MailboxID(sender: "busy", receiver: "r"))
            #expect(head.max == 50)
            #expect(try server.store.verify().isSound)
        }
    }

    @Test("Streams above the limit wait their turn, and nobody else does")
    func manyStreams() async throws {
        try await TestServer.with(server: { $0.streamsPerConnectionMaximum = 8 }) { server in
            let client = try TestServer.makeClient(server.port)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try? await client.runConnections() }
                let calls = Wire.StoreService.Client(wrapping: client)
                let (begun, beginning) = AsyncStream.makeStream(of: Void.self)
                for _ in 0..<300 {
                    group.addTask {
                        try? await calls.watch(.with { $0.receivers = ["r"] }) { response in
                            for try await _ in response.messages { beginning.yield() }
                        }
                    }
                }
                var count = 0
                for await _ in begun {
                    count += 1
                    if count == 8 { break }
                }
                // Another connection is served all the same.
                for _ in 0..<20 { _ = try await server.calls.getStoreInfo(.init()) }
                #expect(try server.store.statistics().watchers == 8)
                client.beginGracefulShutdown()
                server.server.beginDraining()
                group.cancelAll()
            }
        }
    }

    private static func ask(
        _ calls: Wire.StoreService.Client<HTTP2ClientTransport.Posix>, _ options: CallOptions
    ) async throws {
        _ = try await calls.getStoreInfo(.init(), options: options)
    }

    @Test("A connection above the limit is closed, and those that are there are served")
    func manyConnections() async throws {
        try await TestServer.with(server: { $0.connectionsMaximum = 2 }) { server in
            _ = try await server.calls.getStoreInfo(.init())
            try await server.withConnection { second in
                let calls = Wire.StoreService.Client(wrapping: second)
                _ = try await calls.getStoreInfo(.init())
                try await server.withConnection { third in
                    let calls = Wire.StoreService.Client(wrapping: third)
                    var options = CallOptions.defaults
                    options.waitForReady = false
                    // A connection that is closed before its first frame leaves the call waiting
                    // for the next one: the runtime does not tell it.
                    options.timeout = .seconds(3)
                    let patience = options
                    await #expect(throws: RPCError.self) {
                        try await Self.ask(calls, patience)
                    }
                }
                _ = try await calls.getStoreInfo(.init())
            }
            _ = try await server.calls.getStoreInfo(.init())
        }
    }
}
