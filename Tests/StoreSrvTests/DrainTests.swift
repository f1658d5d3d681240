import Foundation
import GRPCCore
import Mailbox
import StoreAPI
import StoreEngine
import SwiftProtobuf
import Synchronization
import Testing

@testable import StoreSrv

@Suite("The end of a server")
struct DrainTests {
    @Test("What was read is answered, the rest is told to come again, and nothing is lost")
    func underLoad() async throws {
        try await TestServer.with { server in
            // A stream that begins when the end has is refused, as a call that was never heard of.
            let heard = Senders()
            let answered = try await withThrowingTaskGroup(of: [String: UInt32].self) { group in
                for client in 0..<4 {
                    group.addTask {
                        try await Self.load(server, "s\(client)") { heard.insert($0) == 4 }
                    }
                }
                var all: [String: UInt32] = [:]
                for try await one in group { all.merge(one) { $1 } }
                return all
            }
            #expect(answered.count == 4)
            #expect(answered.values.contains { $0 >= 1_000 })
            for (sender, last) in answered {
                let head = try server.store.head(MailboxID(sender: sender, receiver: "r"))
                #expect(head.max >= last, "\(sender)")
            }
        }
    }

    /// Streams frames until the server ends the stream.
    ///
    /// - Parameter allAreHeard: hears of each answer.
    /// - Returns: the last sequence that was answered.
    private static func load(
        _ server: TestServer, _ sender: String, allAreHeard: @escaping @Sendable (String) -> Bool
    ) async throws -> [String: UInt32] {
        let mailbox = LastSequence()
        let end = try await refusal {
            try await server.calls.appendStream { writer in
                while true {
                    try await writer.write(
                        .with { $0.appends = (0..<20).map { .of(sender, "r", "\($0)") } })
                }
            } onResponse: { response in
                for try await answer in response.messages {
                    for outcome in answer.outcomes { mailbox.set(outcome.result.sequence) }
                    let isReady = allAreHeard(sender)
                    if isReady, answer.outcomes.last.map({ $0.result.sequence >= 1_000 }) == true {
                        server.server.beginDraining()
                    }
                }
            }
        }
        #expect(end.code == .closed)
        return [sender: mailbox.value]
    }

    @Test("Watches and idle streams end with the server")
    func streams() async throws {
        try await TestServer.with { server in
            let watched = try await refusal {
                try await server.calls.watch(.with { $0.receivers = ["r"] }) { response in
                    for try await answer in response.messages where answer.caughtUp {
                        server.server.beginDraining()
                    }
                }
            }
            #expect(watched.code == .closed)
        }
        try await TestServer.with { server in
            let (held, continuation) = AsyncStream.makeStream(of: Void.self)
            let fetched = try await refusal {
                try await server.calls.fetchStream { writer in
                    try await writer.write(.with { $0.frame = 1 })
                    for await _ in held {}
                } onResponse: { response in
                    defer { continuation.finish() }
                    for try await _ in response.messages { server.server.beginDraining() }
                }
            }
            #expect(fetched.code == .closed)
        }
    }
}

private final class LastSequence: Sendable {
    private let last = Atomic<UInt32>(0)
    var value: UInt32 { last.load(ordering: .relaxed) }
    func set(_ sequence: UInt32) { last.store(sequence, ordering: .relaxed) }
}

private final class Senders: Sendable {
    private let senders = Mutex<Set<String>>([])

    /// - Returns: how many have been inserted.
    func insert(_ sender: String) -> Int {
        senders.withLock { senders in
            senders.insert(sender)
            return senders.count
        }
    }
}
