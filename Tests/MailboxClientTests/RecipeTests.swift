import ClientWire
import Foundation
import GRDB
import SwiftProtobuf
import Testing

@testable import MailboxClient

/// docs/CLIENT.md's recipes, one after the other: what the server says, and what the client does.
@Suite("The client's recipes")
struct RecipeTests {
    // MARK: Receiving

    @Test("cursorAhead: the conversation begins at 0, what is held is dropped, nothing is skipped")
    func cursorAhead() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox(ScriptedCore.messages("bert", 1...5)))
        #expect(script.events.contains(.caughtUp))
        #expect(script.waiting(.acknowledge).first?.acknowledge.cursor.sequence == 5)
        // The store lost 4 and 5, in the same epoch.
        try script.refuse(.acknowledge, .cursorAhead) {
            $0.peer = "bert"
            $0.maxSequence = 3
        }
        #expect(script.events.contains(.cursorAhead(peer: "bert", held: 5, newest: 3)))
        let fetch = try #require(script.waiting(.fetch).first?.fetch)
        #expect(fetch.cursor.sequence == 0 && fetch.cursor.epoch == 0)
        // They are numbered anew; one more came in between.
        let answer = ScriptedCore.messages("bert", 1...6, acknowledged: 0)
        try script.answer(.fetch) { $0.messages = answer }
        #expect(try script.received() == (1...6).map { "phone \($0)" })
        #expect(try script.cursor() == 6)
        #expect(script.core.activity.dropped == 5)
    }

    @Test("cursorAhead for a sync names whose cursor; the others' are asked for again")
    func cursorAheadOfSync() throws {
        let script = try ScriptedCore()
        try script.connect(
            inbox: ScriptedCore.inbox(
                ScriptedCore.messages("bert", 1...2), ScriptedCore.messages("carl", 1...2)))
        script.cut()
        try script.connect()
        #expect(script.waiting(.sync).first?.sync.cursors.count == 2)
        try script.refuse(.sync, .cursorAhead) {
            $0.peer = "carl"
            $0.maxSequence = 1
        }
        #expect(script.events.contains(.cursorAhead(peer: "carl", held: 2, newest: 1)))
        #expect(script.waiting(.sync).first?.sync.cursors.map(\.sender) == ["bert"])
        #expect(try script.cursor("bert") == 2 && script.cursor("carl") == 0)
    }

    @Test("trimmed: the conversation goes on behind what is gone, and the app hears of it")
    func trimmed() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox(ScriptedCore.messages("bert", 1...2)))
        try script.refuse(.acknowledge, .trimmed) {
            $0.peer = "bert"
            $0.floor = 7
        }
        #expect(script.events.contains(.trimmed(peer: "bert", floor: 7)))
        #expect(script.waiting(.fetch).first?.fetch.cursor.sequence == 0)
        let answer = ScriptedCore.messages("bert", 8...9, acknowledged: 7)
        try script.answer(.fetch) { $0.messages = answer }
        #expect(try script.received().suffix(2) == ["phone 8", "phone 9"])
        #expect(try script.cursor() == 9)
    }

    @Test("epochChanged between two connections: receiving begins anew, numbers are asked for")
    func epochChanged() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox(ScriptedCore.messages("bert", 1...3)))
        let sent = try script.save("one", "two", "three")
        try script.sayLast(0)
        for sequence in UInt32(1)...3 { try script.accept(sequence) }
        #expect(sent.allSatisfy { script.states[$0] != nil })
        script.cut()
        // Restored from a backup that has one of the three that went, and two that came.
        try script.connect(epoch: 2)
        #expect(script.events.contains(.epochChanged(conversations: 1)))
        #expect(script.waiting(.sync).first?.sync.cursors.isEmpty == true)
        // The third is another one there; the old third may come under the fourth's number.
        let inbox = ScriptedCore.inbox(
            .with {
                $0.sender = "bert"
                $0.epoch = 2
                $0.head.maxSequence = 4
                $0.messages = [
                    ScriptedCore.message(1, "phone", 1), ScriptedCore.message(2, "phone", 2),
                    ScriptedCore.message(3, "laptop", 1), ScriptedCore.message(4, "phone", 3),
                ]
            })
        try script.answer(.sync) { $0.inbox = inbox }
        #expect(try script.received() == ["phone 1", "phone 2", "phone 3", "laptop 1"])
        #expect(try script.cursor() == 4)
        try script.sayLast(1)
        #expect(script.events.contains(.sentAgain(peer: "bert", count: 2)))
        let again = script.waiting(.send).map(\.send)
        #expect(again.map(\.clientSequence) == [2, 3])
        #expect(again.map(\.body) == [Data("two".utf8), Data("three".utf8)])
        for sequence in UInt32(2)...3 { try script.accept(sequence, epoch: 2) }
        #expect(script.core.waitingCount == 0)
        // A handle that was settled stays so.
        #expect(script.states[sent[1]] == .accepted(2))
    }

    @Test("epochChanged in the middle of a connection")
    func epochChangedMeanwhile() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox(ScriptedCore.messages("bert", 1...3)))
        try script.refuse(.acknowledge, .epochChanged) { $0.currentEpoch = 2 }
        #expect(script.events.contains(.epochChanged(conversations: 1)))
        #expect(try script.cursor() == 0)
        let inbox = ScriptedCore.inbox(
            ScriptedCore.messages("bert", 1...4, epoch: 2))
        try script.answer(.sync) { $0.inbox = inbox }
        #expect(try script.received() == (1...4).map { "phone \($0)" })
        #expect(script.core.session.state == .connected)
    }

    /// The periodic sync was answered with the first page of the restored store's messages, and
    /// asked again at once, as long as the connection lived. Found by the simulated services.
    @Test("epochChanged while nothing is under way: a sync with more than a page begins no loop")
    func epochChangedWhileIdle() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox(ScriptedCore.messages("bert", 1...3)))
        try script.answer(.acknowledge) { frame in
            frame.acknowledged = .with {
                $0.sender = "bert"
                $0.head.maxSequence = 3
                $0.head.acknowledgedSequence = 3
            }
        }
        script.now = try #require(script.core.link).syncAt
        script.handle(.tick)
        let page = ScriptedCore.messages("bert", 1...2, max: 3, epoch: 2)
        try script.answer(.sync) { frame in
            frame.inbox = ScriptedCore.inbox(page)
            frame.inbox.hasMore_p = true
        }
        #expect(script.events.contains(.epochChanged(conversations: 1)))
        #expect(script.waiting(.fetch).isEmpty)
        try script.answer(.sync) { frame in
            frame.inbox = ScriptedCore.inbox(page)
            frame.inbox.hasMore_p = true
        }
        #expect(script.waiting(.sync).map { $0.sync.cursors.map(\.cursor.sequence) } == [[2]])
        let rest = ScriptedCore.inbox(
            ScriptedCore.messages("bert", 3...4, acknowledged: 2, epoch: 2))
        try script.answer(.sync) { $0.inbox = rest }
        #expect(try script.received() == (1...4).map { "phone \($0)" })
    }

    /// A client that was idle never heard of it, and the message was lost until it connected anew
    /// or sent another one. Found by the simulated services.
    @Test("epochChanged while nothing waits: what the backup lacks is sent again")
    func epochChangedWhileEmpty() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: .with { $0.epoch = 1 })
        try script.save("one", "two")
        try script.sayLast(0)
        for sequence in UInt32(1)...2 { try script.accept(sequence) }
        script.now = try #require(script.core.link).syncAt
        script.handle(.tick)
        try script.answer(.sync) { $0.inbox = .with { $0.epoch = 2 } }
        #expect(script.events.contains(.epochChanged(conversations: 0)))
        try script.sayLast(1)
        #expect(script.waiting(.send).map(\.send.clientSequence) == [2])
    }

    /// What was sent under a name that the device has given up waited for the next connection.
    /// Found by the simulated services.
    @Test("epochChanged behind a new name: what the old one sent is asked for at once")
    func epochChangedUnderAnotherName() throws {
        for isHeardAtOnce in [true, false] {
            let script = try ScriptedCore()
            try script.connect(inbox: .with { $0.epoch = 1 })
            try script.save("one", "two")
            try script.sayLast(0)
            for sequence in UInt32(1)...2 { try script.accept(sequence) }
            try script.database.write { try DeviceTable.add("another", $0) }
            script.cut()
            if isHeardAtOnce {
                try script.connect(epoch: 2)
            } else {
                try script.connect(inbox: .with { $0.epoch = 1 })
                script.now = try #require(script.core.link).syncAt
                script.handle(.tick)
                try script.answer(.sync) { $0.inbox = .with { $0.epoch = 2 } }
            }
            try script.connect(epoch: 2)
            #expect(try script.core.link?.device.name != script.device)
            try script.sayLast(1)
            #expect(script.waiting(.send).map(\.send.clientSequence) == [2])
            try script.accept(2, epoch: 2)
            try script.connect(epoch: 2)
            #expect(script.core.link?.device.name == "another")
            try script.save("three")
            try script.sayLast(0)
            #expect(script.waiting(.send).map(\.send.body) == [Data("three".utf8)])
        }
    }

    @Test("An inbox of before what was heard meanwhile changes nothing back")
    func lateInbox() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox(ScriptedCore.messages("bert", 1...3)))
        script.tell { $0.notice = .init() }
        #expect(script.waiting(.sync).count == 1)
        try script.refuse(.acknowledge, .epochChanged) { $0.currentEpoch = 2 }
        try script.answer(.sync) { $0.inbox = .with { $0.epoch = 1 } }
        #expect(script.core.link?.epoch == 2)
        #expect(script.waiting(.sync).count == 1)
    }

    /// Two questions were under way; the second one's answer was of before what the first one's had
    /// set going: accepted messages went again, and were counted twice. Found by the simulated
    /// services.
    @Test("epochChanged while the server's number is asked for: it is asked again, one at a time")
    func epochChangedWhileAsking() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox(ScriptedCore.messages("bert", 1...3)))
        try script.save("one", "two")
        try script.sayLast(0)
        for sequence in UInt32(1)...2 { try script.accept(sequence) }
        try script.save("three")
        try script.refuse(.send, .unavailable) { $0.retryAfterMilliseconds = 10 }
        script.now += 10
        script.handle(.tick)
        #expect(script.waiting(.sendStates).count == 1)
        try script.refuse(.acknowledge, .epochChanged) { $0.currentEpoch = 2 }
        #expect(script.waiting(.sendStates).count == 1)
        // Whichever epoch this is of: it is not gone by.
        try script.sayLast(0)
        #expect(script.waiting(.send).isEmpty)
        #expect(script.waiting(.sendStates).count == 1)
        try script.sayLast(0)
        #expect(script.events.contains(.sentAgain(peer: "bert", count: 2)))
        #expect(script.waiting(.send).map(\.send.clientSequence) == [1, 2, 3])
        for sequence in UInt32(1)...3 { try script.accept(sequence, epoch: 2) }
        #expect(script.core.waitingCount == 0)
        #expect(script.waiting(.sendStates).isEmpty && script.waiting(.send).isEmpty)
    }

    @Test("receivedElsewhere: what another device confirmed is skipped, and said")
    func receivedElsewhere() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox(ScriptedCore.messages("bert", 1...2)))
        try script.answer(.acknowledge) { frame in
            frame.acknowledged = .with {
                $0.sender = "bert"
                $0.head.maxSequence = 9
                $0.head.acknowledgedSequence = 7
            }
        }
        #expect(script.waiting(.fetch).first?.fetch.cursor.sequence == 2)
        let answer = ScriptedCore.messages("bert", 8...9, acknowledged: 7)
        try script.answer(.fetch) { $0.messages = answer }
        #expect(script.events.contains(.receivedElsewhere(peer: "bert", after: 2, through: 7)))
        #expect(try script.cursor() == 9)
    }

    @Test("A push is stored when it is the next one; else the difference is fetched, once")
    func pushes() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox(ScriptedCore.messages("bert", 1...1)))
        try script.answer(.acknowledge) { $0.acknowledged.sender = "bert" }
        func push(_ sequence: UInt32) {
            script.tell {
                $0.pushed.sender = "bert"
                $0.pushed.epoch = 1
                $0.pushed.message = ScriptedCore.message(sequence, "phone", sequence)
            }
        }
        push(2)
        #expect(try script.received() == ["phone 1", "phone 2"])
        push(2)
        push(4)
        push(5)
        #expect(try script.received().count == 2)
        try script.answer(.acknowledge) { $0.acknowledged.sender = "bert" }
        #expect(script.waiting(.fetch).count == 1)
        let answer = ScriptedCore.messages("bert", 3...5, acknowledged: 2)
        try script.answer(.fetch) { $0.messages = answer }
        #expect(try script.received() == (1...5).map { "phone \($0)" })
    }

    // MARK: Sequences that come to their end

    @Test("sequenceExhausted: all that waits for the receiver is set aside, others go on")
    func sequenceExhausted() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox())
        let exhausted = try script.save("last", "beyond", "far beyond")
        try script.sayLast(0)
        try script.accept(.max)
        #expect(script.events.contains(.sequenceExhausted(peer: "bert")))
        for _ in 0..<2 { try script.refuse(.send, .sequenceExhausted) }
        try script.sayLast(1)
        #expect(script.states[exhausted[0]] == .accepted(.max))
        for id in exhausted[1...] {
            #expect(script.states[id] == .refused(.sequenceExhausted))
            #expect(
                script.events.contains(
                    .refused(message: id, peer: "bert", reason: .sequenceExhausted)))
        }
        let other = try script.save("to carl", to: "carl")
        try script.sayLast(0, of: "carl")
        try script.accept(1)
        #expect(script.states[other[0]] == .accepted(1))
        #expect(script.core.waitingCount == 0)
        let aside = try script.database.read { try HistoryTable.refused(limit: 10, $0) }
        #expect(Set(aside.map(\.id)) == Set(exhausted[1...]))
    }

    @Test("A device that has numbered its last message to a receiver saves no more to it")
    func clientSequencesExhausted() throws {
        let script = try ScriptedCore()
        try script.save("first")
        try script.database.write { db in
            try db.run("UPDATE lane SET next = 4294967295")
        }
        let error = #expect(throws: ClientError.self) { try script.save("beyond") }
        #expect(error?.code == .sequenceExhausted)
        #expect(throws: Never.self) { try script.save("other", to: "carl") }
    }

    @Test("The last sequence of a sender is received, and said to be the last")
    func lastIncoming() throws {
        let script = try ScriptedCore()
        try script.connect(
            inbox: ScriptedCore.inbox(
                ScriptedCore.messages(
                    "bert", 4_294_967_294...4_294_967_295, acknowledged: 4_294_967_293)))
        #expect(try script.cursor() == .max)
        #expect(script.events.contains(.sequenceExhausted(peer: "bert")))
        #expect(try script.received().count == 2)
    }

    // MARK: Accounts, tokens, clocks

    @Test("wrongAccount: nothing is sent or asked for, and it stays away")
    func wrongAccount() throws {
        let script = try ScriptedCore()
        try script.connect(account: "anna", inbox: ScriptedCore.inbox())
        script.cut()
        try script.save("anna's")
        try script.connect(account: "carl")
        #expect(script.events.contains(.wrongAccount(expected: "anna")))
        #expect(script.core.session.state == .replaced && script.core.deadline == nil)
        #expect(script.waiting(.send).isEmpty && script.waiting(.sendStates).isEmpty)
        #expect(script.waiting(.sync).isEmpty)
        #expect(script.core.waitingCount == 1)
        try script.connect(account: "anna")
        try script.sayLast(0)
        #expect(script.waiting(.send).count == 1)
    }

    @Test("A token is renewed on the connection; one that is refused does not end it")
    func tokenRefresh() throws {
        let script = try ScriptedCore { $0.timing.heartbeatMilliseconds = 1 << 40 }
        try script.connect(tokenLife: 600_000, inbox: ScriptedCore.inbox())
        let start = script.now
        #expect(script.core.deadline ?? 0 <= start + 540_000)
        script.now = start + 540_000
        script.handle(.tick)
        #expect(script.tokenRequests == [false, true])
        script.handle(.token("newer"))
        #expect(script.waiting(.refreshToken).map(\.refreshToken.token) == ["newer"])
        try script.refuse(.refreshToken, .unauthenticated)
        #expect(script.core.session.state == .connected && script.closedCount == 0)
        // The server ends it when the old one expires; then another is asked for at once.
        script.tell { $0.goodbye.reason = .unauthenticated }
        #expect(script.tokenRequests == [false, true, true])
        #expect(script.events.filter { $0 == .tokenRefused }.count == 1)
    }

    @Test("The date jumps a day either way: nothing expires, nothing waits longer, order stays")
    func clockJumps() throws {
        let script = try ScriptedCore { $0.timing.heartbeatMilliseconds = 1 << 40 }
        try script.connect(tokenLife: 3_600_000, inbox: ScriptedCore.inbox())
        let day: Int64 = 86_400_000
        try script.save("before")
        let deadline = script.core.deadline
        for (name, jump) in [("ahead", day), ("back", -2 * day), ("again", day)] {
            script.wall += jump
            script.handle(.tick)
            #expect(script.core.deadline == deadline)
            #expect(script.tokenRequests == [false])
            #expect(script.core.session.state == .connected && script.closedCount == 0)
            try script.save(name)
        }
        try script.sayLast(0)
        #expect(script.waiting(.send).map(\.send.clientSequence) == [1, 2, 3, 4])
        let bodies = script.waiting(.send).map { String(decoding: $0.send.body, as: UTF8.self) }
        #expect(bodies == ["before", "ahead", "back", "again"])
    }

    // MARK: Sending

    @Test("A message that is refused for good leaves the queue, and those behind it move up")
    func refusedForGood() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox())
        let ids = try script.save("one", "two", "three")
        try script.sayLast(0)
        try script.accept(1)
        try script.refuse(.send, .forbidden)
        // Not before everything under way is answered, and the server's number is known.
        #expect(script.waiting(.sendStates).isEmpty && script.states[ids[1]] == nil)
        try script.refuse(.send, .producerGap) { $0.expectedClientSequence = 2 }
        try script.sayLast(1)
        #expect(script.states[ids[1]] == .refused(.forbidden))
        let next = script.waiting(.send).map(\.send)
        #expect(next.map(\.clientSequence) == [2] && next.map(\.body) == [Data("three".utf8)])
        try script.accept(2)
        #expect(script.states[ids[2]] == .accepted(2))
    }

    @Test("The number of a message that was discarded is not given to another one")
    func discarded() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox())
        let ids = try script.save("poison")
        try script.sayLast(0)
        try script.refuse(.send, .forbidden)
        try script.sayLast(0)
        #expect(script.states[ids[0]] == .refused(.forbidden))
        let isDiscarded = try script.database.write { try HistoryTable.discard(ids[0], $0) }
        #expect(isDiscarded)
        let next = try script.save("next")
        #expect(next[0] > ids[0])
        let newest = try script.database.read { db in
            try HistoryTable.conversations(limit: 10, offset: 0, db).map(\.newestMessage?.id)
        }
        #expect(newest == next)
    }

    @Test("Conversations come with the newest message first, whoever wrote it")
    func conversations() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox())
        for peer in ["bert", "carl", "bert", "dora"] { try script.save("to \(peer)", to: peer) }
        func order() throws -> [String] {
            try script.database.read { db in
                try HistoryTable.conversations(limit: 10, offset: 0, db).map(\.peer)
            }
        }
        #expect(try order() == ["dora", "bert", "carl"])
        try script.save("again", to: "carl")
        #expect(try order() == ["carl", "dora", "bert"])
    }

    @Test("Other bytes under a number of its own: the device takes a new name")
    func producerConflict() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox())
        let name = try script.device
        let ids = try script.save("mine")
        try script.sayLast(0)
        try script.refuse(.send, .producerConflict)
        try script.sayLast(1)
        #expect(script.events.contains(.identityRenewed(.conflict)))
        #expect(try script.device != name)
        // Compared once more under the old name, then sent under the new one.
        try script.refuse(.send, .producerConflict)
        try script.connect(inbox: ScriptedCore.inbox())
        try script.sayLast(0)
        #expect(script.waiting(.send).map(\.send.clientSequence) == [1])
        try script.accept(2)
        #expect(script.states[ids[0]] == .accepted(2))
    }

    /// The copy sent it meanwhile, and it came twice. Found by the simulated services.
    @Test("A copy may be sending what waits above its number: it goes under the old name, alone")
    func aheadOfACopy() throws {
        let script = try ScriptedCore()
        try script.connect(inbox: ScriptedCore.inbox())
        let name = try script.device
        let ids = try script.save("one", "two", "three", "four")
        func sent() -> [UInt32] { script.waiting(.send).map(\.send.clientSequence) }
        try script.sayLast(1)
        #expect(try script.device != name)
        #expect(sent() == [1])
        try script.accept(1, isDuplicate: true)
        #expect(sent() == [2])
        try script.accept(2, isDuplicate: true)
        #expect(sent() == [3])
        // The copy's third message is another one: nothing behind it may be stored in front of it.
        try script.refuse(.send, .producerConflict)
        #expect(sent() == [])
        try script.connect(inbox: ScriptedCore.inbox())
        try script.sayLast(0)
        #expect(script.waiting(.send).map(\.send.body) == [Data("three".utf8), Data("four".utf8)])
        #expect(sent() == [1, 2])
        for sequence in UInt32(4)...5 { try script.accept(sequence) }
        #expect(ids.map { script.states[$0] } == [1, 2, 4, 5].map { .accepted($0) })
    }

    @Test("A duplicate of a first sending is another's, unless a server had to send it again")
    func duplicates() throws {
        for wasResent in [true, false] {
            let script = try ScriptedCore()
            try script.connect(inbox: ScriptedCore.inbox())
            let name = try script.device
            let ids = try script.save("one", "two")
            try script.sayLast(0)
            try script.accept(1, isDuplicate: true, wasResent: wasResent)
            #expect(script.states[ids[0]] == .accepted(1))
            try script.accept(2)
            if wasResent {
                #expect(script.waiting(.sendStates).isEmpty)
            } else {
                try script.sayLast(2)
            }
            let isRenewed = try script.device != name
            #expect(isRenewed == !wasResent)
            #expect(script.events.contains(.identityRenewed(.ahead)) == !wasResent)
        }
    }

    @Test("A server that is overloaded gets fewer at once, and more again when it takes them")
    func overloaded() throws {
        let script = try ScriptedCore { $0.sendsInFlightMaximum = 16 }
        try script.connect(inbox: ScriptedCore.inbox())
        for number in 1...400 { try script.save("\(number)") }
        try script.sayLast(0)
        #expect(script.waiting(.send).count == 16)
        // Those behind the first refusal were under way with it: they do not count again.
        for _ in 0..<16 {
            try script.refuse(.send, .overloaded) {
                $0.retryAfterMilliseconds = 20
            }
        }
        #expect(script.waiting(.sendStates).isEmpty)
        script.now += 1_000
        script.handle(.tick)
        try script.sayLast(0)
        #expect(script.waiting(.send).count == 8)
        var sequence: UInt32 = 0
        while !script.waiting(.send).isEmpty {
            sequence += 1
            try script.accept(sequence)
            #expect(script.waiting(.send).count <= 16)
            if sequence == 300 { #expect(script.waiting(.send).count > 8) }
        }
        #expect(sequence == 400 && script.core.waitingCount == 0)
    }
}
