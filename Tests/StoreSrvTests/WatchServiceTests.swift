import GRPCCore
import Mailbox
import StoreAPI
import StoreEngine
import SwiftProtobuf
import Testing

@testable import StoreSrv

@Suite("Watches over the network")
struct WatchServiceTests {
    @Test("What waits, then caught up, then live")
    func watch() async throws {
        try await TestServer.with { server in
            let mailbox = try MailboxID(sender: "a", receiver: "r")
            _ = try await server.store.append(Append(mailbox, text: "1"))
            try await server.withConnection { connection in
                let calls = Wire.StoreService.Client(wrapping: connection)
                try await calls.watch(.with { $0.receivers = ["r", "q"] }) { response in
                    var answers = response.messages.makeAsyncIterator()
                    var heads: [Wire.MailboxHead] = []
                    var isCaughtUp = false
                    while !isCaughtUp, let answer = try await answers.next() {
                        heads += answer.heads
                        isCaughtUp = answer.caughtUp
                        #expect(answer.epoch == server.store.epoch.rawValue)
                    }
                    #expect(heads.map(\.head.maxSequence) == [1])
                    _ = try await server.store.append(Append(mailbox, text: "2"))
                    let live = try await answers.next()
                    #expect(live?.heads.first?.mailbox == .of("a", "r"))
                    #expect(live?.heads.first?.head.maxSequence == 2)
                    #expect(live?.caughtUp == false)
                }
            }
        }
    }

    @Test("Too many watches are refused; one that was cut makes room")
    func limits() async throws {
        try await TestServer.with(store: { $0.watchersMaximum = 1 }) { server in
            try await server.withConnection { connection in
                let calls = Wire.StoreService.Client(wrapping: connection)
                try await calls.watch(.with { $0.receivers = ["r"] }) { response in
                    var answers = response.messages.makeAsyncIterator()
                    _ = try await answers.next()
                    let many = try await refusal {
                        try await server.calls.watch(.with { $0.receivers = ["q"] }) { response in
                            for try await _ in response.messages {}
                        }
                    }
                    #expect(many.code == .overloaded)
                    let none = try await refusal {
                        try await server.calls.watch(.init()) { response in
                            for try await _ in response.messages {}
                        }
                    }
                    #expect(none.code == .invalidArgument)
                }
            }
            // The cut connection's watch ends by itself; until then the next one is refused.
            try await eventually {
                try await server.withConnection { connection in
                    let calls = Wire.StoreService.Client(wrapping: connection)
                    return try await calls.watch(.with { $0.receivers = ["r"] }) { response in
                        var answers = response.messages.makeAsyncIterator()
                        return try await answers.next()?.caughtUp == true
                    }
                }
            }
        }
    }

    /// Tries until it works; each try waits for the network.
    private func eventually(_ body: () async throws -> Bool) async throws {
        for _ in 0..<1_000 {
            if (try? await body()) == true { return }
        }
        Issue.record("it never worked")
    }
}
