import Mailbox
import Testing

@Suite("StoreError")
struct StoreErrorTests {
    private struct Cause: Error, CustomStringConvertible {
        let description = "the cause"
    }

    @Test("Codes are told by the names that the contract has")
    func names() {
        let codes: [StoreError.Code] = [
            .invalidArgument, .messageTooLarge, .producerGap, .producerConflict,
            .sequenceExhausted, .cursorAhead, .epochChanged, .trimmed, .overloaded, .storageFull,
            .corrupted, .failed, .locked, .closed,
        ]
        #expect(
            codes.map(\.description) == [
                "invalidArgument", "messageTooLarge", "producerGap", "producerConflict",
                "sequenceExhausted", "cursorAhead", "epochChanged", "trimmed", "overloaded",
                "storageFull", "corrupted", "failed", "locked", "closed",
            ])
        #expect(Set(codes).count == 14)
    }

    @Test("Each refusal has its code and its facts")
    func facts() {
        let epoch = Epoch.mint()
        #expect(StoreError.producerGap(expected: 7).facts.expectedClientSequence == 7)
        #expect(StoreError.cursorAhead(max: 8).facts.maxSequence == 8)
        #expect(StoreError.epochChanged(current: epoch).facts.currentEpoch == epoch)
        #expect(StoreError.trimmed(floor: 9).facts.floor == 9)
        for (error, code) in [
            (.producerGap(expected: 1), .producerGap), (.cursorAhead(max: 1), .cursorAhead),
            (.epochChanged(current: epoch), .epochChanged), (.trimmed(floor: 1), .trimmed),
            (.invalidArgument("x"), .invalidArgument),
            (.messageTooLarge(bytes: 2, limit: 1), .messageTooLarge),
            (.producerConflict(clientSequence: 1), .producerConflict),
            (.sequenceExhausted(), .sequenceExhausted), (.closed(), .closed),
            (.corrupted("x"), .corrupted),
        ] as [(StoreError, StoreError.Code)] {
            #expect(error.code == code)
            #expect(!error.message.isEmpty)
            #expect(error.description.hasPrefix("\(code): "))
        }
    }

    @Test("The mailbox is added, and nothing else lost")
    func about() throws {
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let plain = StoreError(code: .failed, message: "no sync", cause: Cause())
        let error = plain.about(mailbox)
        #expect(error.facts.mailbox == mailbox)
        #expect(error.code == .failed)
        #expect(error.cause is Cause)
        #expect(error.description == "failed: no sync [alice → bob] (the cause)")
        #expect(plain.facts.mailbox == nil)
        let gap = StoreError.producerGap(expected: 3).about(mailbox)
        #expect(gap.facts.expectedClientSequence == 3)
    }

    @Test("It rides in a result without widening it")
    func size() {
        #expect(MemoryLayout<StoreError>.size == MemoryLayout<Int>.size)
    }
}
