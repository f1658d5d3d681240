import Testing

@testable import MailboxClient
@testable import mailboxctl

/// What a chat shows, without a server.
@Suite struct ChatTests {
    private static func incoming(_ sequence: UInt32, _ body: [UInt8]) -> StoredMessage {
        StoredMessage(
            id: Int64(sequence), peer: "bert", direction: .incoming(isConfirmed: false),
            sequence: sequence, timestampMilliseconds: 1, body: body)
    }

    @Test func everyStepIsToldOnce() {
        var transcript = ChatTranscript(peer: "bert")
        #expect(transcript.send(7, "hi") == ["> 7 saved"])
        #expect(transcript.settle(7, .saved).isEmpty)
        #expect(transcript.settle(7, .accepted(1)) == ["> 7 accepted 1"])
        #expect(transcript.settle(7, .accepted(1)).isEmpty)
        #expect(transcript.send(8, "there") == ["> 8 saved"])
        // A receipt that is faster than the answer to the sender.
        let receipt = ChatTranscript.receipt(through: 2)
        #expect(transcript.receive(Self.incoming(1, receipt)) == ["> 7 delivered"])
        #expect(transcript.settle(8, .accepted(2)) == ["> 8 accepted 2", "> 8 delivered"])
        #expect(transcript.receive(Self.incoming(2, receipt)).isEmpty)
        #expect(transcript.settle(8, .accepted(2)).isEmpty)
        #expect(transcript.send(9, "?") == ["> 9 saved"])
        #expect(transcript.settle(9, .refused(.forbidden)) == ["> 9 refused forbidden"])
        #expect(
            transcript.receive(Self.incoming(3, Array("\u{1B}[2J".utf8)))
                == ["bert 3: \\u{1B}[2J"])
        #expect(transcript.entries.count == 4)
    }

    @Test(arguments: [
        [6], [6, 0x78], [6] + Array("4294967296".utf8), Array("12".utf8), [],
        [6] + Array("+1".utf8), [6] + Array(repeating: 0x31, count: 30),
    ])
    func whatIsNoReceiptIsAMessage(body: [UInt8]) {
        #expect(ChatTranscript.receiptSequence(body) == nil)
    }

    @Test func theScreenShowsTheNewestAndTheMarks() {
        var transcript = ChatTranscript(peer: "bert")
        _ = transcript.send(1, "first")
        _ = transcript.send(2, "second")
        _ = transcript.settle(1, .accepted(1))
        _ = transcript.receive(Self.incoming(1, Array("a longer answer than fits".utf8)))
        let lines = ChatScreen.lines(
            transcript, status: "connected", input: "typing", columns: 20, rows: 8)
        #expect(
            lines == [
                "chat with bert: conn", "", "", "  ✓  first", "  …  second",
                "bert: a longer answe", "     r than fits", "> typing",
            ])
        let small = ChatScreen.lines(
            transcript, status: "", input: "0123456789", columns: 8, rows: 3)
        #expect(small.count == 3)
        #expect(small.allSatisfy { $0.count <= 8 })
        #expect(small.last == "> 56789")
    }

    @Test func keysMakeALine() {
        var line = ChatLine()
        func type(_ bytes: [UInt8]) -> [ChatLine.Key] { bytes.compactMap { line.take($0) } }
        #expect(type(Array("hü".utf8)) == [.changed, .changed, .changed])
        #expect(line.text == "hü")
        // A cursor key leaves nothing behind; backspace takes a whole character.
        #expect(type([0x1B, 0x5B, 0x44]).isEmpty)
        #expect(type([0x7F]) == [.changed])
        #expect(line.text == "h")
        #expect(type([0xC3]) == [.changed])
        #expect(line.text == "h")
        #expect(type([0xBC, 0x0D]) == [.changed, .entered("hü")])
        #expect(line.text.isEmpty)
        #expect(type([0x0D]).isEmpty)
        #expect(type([0x61, 0x04, 0x15, 0x04]) == [.changed, .changed, .end])
        #expect(type([0x03]) == [.end])
    }
}
