import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import Mailbox
import StoreAPI
import StoreEngine
import SwiftProtobuf
import Synchronization
import Testing

@Suite("The daemon and signals")
struct SignalTests {
    /// For callers that are to be refused.
    private static func impatient(_ daemon: Daemon) -> StoreClientConfiguration {
        var configuration = daemon.target
        configuration.connectTimeout = .seconds(1)
        configuration.callTimeout = .seconds(1)
        return configuration
    }

    @Test(
        "SIGTERM and SIGINT under load: ends with 0, and what was answered is there",
        arguments: [SIGTERM, SIGINT])
    func underLoad(signal: Int32) async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(directory.file("store"))
        try #require(daemon.isReady)
        let mailbox = try MailboxID(sender: "a", receiver: "b")
        let answered = try await withStoreClient(Self.impatient(daemon)) { client in
            var answered: SequenceNumber = 0
            var hasFailed = false
            var hasSignalled = false
            // Before the signal, a slow machine is no end: it is asked again.
            while !hasFailed || !hasSignalled {
                do throws(StoreError) {
                    let results = try await client.append(
                        batch: (0..<50).map { Append(mailbox, text: "\($0)") })
                    for case .success(let result) in results {
                        answered = max(answered, result.sequence ?? 0)
                    }
                    for case .failure in results { hasFailed = hasSignalled }
                } catch {
                    hasFailed = hasSignalled
                }
                if answered >= 1_000, !hasSignalled {
                    daemon.signal(signal)
                    hasSignalled = true
                }
            }
            return answered
        }
        let end = try await daemon.end()
        #expect(end.status == 0, "\(end.notes)")
        #expect(!end.wasKilled)
        #expect(answered >= 1_000)
        let store = try MailboxStore.open(at: directory.file("store"))
        #expect(try store.head(mailbox).max >= answered)
        // Closed well: nothing had to be brought back.
        #expect(try store.statistics().recoveredRecords == 0)
        try store.close()
    }

    @Test("SIGSTOP: callers hear of it, the store stays locked, nothing is lost or doubled")
    func stopped() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(directory.file("store"))
        try #require(daemon.isReady)
        defer { daemon.signal(SIGCONT) }
        let mailbox = try MailboxID(sender: "a", receiver: "b")
        let device = try DeviceID("phone")
        @Sendable func message(_ number: UInt32) -> Append {
            Append(
                mailbox, producer: Producer(device: device, clientSequence: number),
                text: "\(number)")
        }
        try await withStoreClient(daemon.target) { client in
            _ = try await client.append(message(1))
            try await withStoreClient(Self.impatient(daemon)) { caller in
                while (try? await caller.head(mailbox)) == nil {}
                daemon.signal(SIGSTOP)
                // It may be done when the process goes on.
                let refusal = await #expect(throws: StoreError.self) {
                    try await caller.append(message(2))
                }
                #expect([.unknown, .unavailable].contains(refusal?.code))
            }
            let another = try await Daemon.start(directory.file("store"))
            #expect(!another.isReady)
            #expect(try await another.end().notes.hasPrefix("mailboxd: locked: "))
            daemon.signal(SIGCONT)
            var result: AppendResult?
            while result == nil { result = try? await client.append(message(2)) }
            #expect(result?.sequence == 2)
            #expect(try await client.head(mailbox).max == 2)
        }
        #expect(try await daemon.stop().status == 0)
    }

    @Test(
        "A second signal ends a daemon that still waits for a client, at once",
        arguments: [SIGTERM, SIGINT])
    func second(signal: Int32) async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(
            directory.file("store"), ["--drain-seconds", "600"])
        try #require(daemon.isReady)
        let client = GRPCClient(
            transport: try HTTP2ClientTransport.Posix(
                target: .ipv4(address: "127.0.0.1", port: daemon.port),
                transportSecurity: .plaintext,
                config: .defaults { config in
                    config.channelDebuggingCallbacks.onCreateTCPConnection = ReadCompletion.add
                }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await client.runConnections() }
            let calls = Wire.StoreService.Client(wrapping: client)
            let (began, beginning) = AsyncStream.makeStream(of: Void.self)
            let (held, holding) = AsyncStream.makeStream(of: Void.self)
            group.addTask {
                // Sends without end, and reads nothing but the first answer.
                try? await calls.appendStream { writer in
                    let frame = Wire.AppendStreamRequest.with {
                        $0.appends = (0..<2_000).map { _ in
                            .with {
                                $0.sender = "a"
                                $0.receiver = "b"
                            }
                        }
                    }
                    for _ in 0..<500 { try await writer.write(frame) }
                } onResponse: { response in
                    var answers = response.messages.makeAsyncIterator()
                    _ = try await answers.next()
                    beginning.finish()
                    for await _ in held {}
                }
            }
            for await _ in began {}
            daemon.signal(signal)
            while try await daemon.page("readyz").status != 503 {}
            daemon.signal(signal)
            let end = try await daemon.end()
            #expect(end.status == 128 + signal)
            #expect(!end.wasKilled)
            holding.finish()
            group.cancelAll()
        }
    }
}
