import Mailbox
import StoreAPI
import Testing

@Suite("Pushes that wait, and what is left of those that find no room")
struct NotifyQueueTests {
    private static let epoch = Epoch(rawValue: 7)!

    private static func push(
        _ receiver: Int, _ sequence: SequenceNumber, bytes: Int = 10, epoch: Epoch = epoch
    ) throws -> Push {
        Push(
            mailbox: try MailboxID(sender: "a", receiver: "r\(receiver)"), epoch: epoch,
            content: .message(
                Message(
                    sequence: sequence, timestampMilliseconds: 1,
                    body: [UInt8](repeating: 1, count: bytes)[...])))
    }

    /// Everything that can be taken.
    private static func drain(_ queue: NotifyQueue) async -> [Push] {
        queue.close()
        var all: [Push] = []
        while let pushes = await queue.next() { all += pushes }
        return all
    }

    @Test("What fits comes as it is; of the rest comes the newest of each mailbox, as a notice")
    func marks() async throws {
        let queue = NotifyQueue(countMaximum: 3, bytesMaximum: 1 << 20)
        for sequence in SequenceNumber(1)...3 { #expect(queue.add(try Self.push(1, sequence))) }
        for sequence in SequenceNumber(4)...9 { #expect(queue.add(try Self.push(1, sequence))) }
        #expect(queue.add(try Self.push(2, 5)))
        #expect(queue.add(try Self.push(2, 4)))
        #expect(queue.droppedCount == 8 && queue.count == 3)
        let all = await Self.drain(queue)
        #expect(all.prefix(3).map(\.sequence) == [1, 2, 3])
        let notices = Dictionary(uniqueKeysWithValues: all.dropFirst(3).map { ($0.mailbox, $0) })
        let expected = try [Self.push(1, 9), Self.push(2, 5)]
        #expect(notices.count == 2)
        for push in expected {
            #expect(notices[push.mailbox]?.content == .notice(max: push.sequence))
            #expect(notices[push.mailbox]?.epoch == Self.epoch)
        }
        #expect(!queue.takeLoss())
    }

    @Test("A push that is larger than all the room leaves a notice, and wakes who waits")
    func tooLarge() async throws {
        let queue = NotifyQueue(countMaximum: 10, bytesMaximum: 1_000)
        async let taken = queue.next()
        #expect(queue.add(try Self.push(1, 1, bytes: 5_000)))
        #expect(await taken?.map(\.content) == [.notice(max: 1)])
    }

    @Test("Notices go out beside what waits, also while too much always waits")
    func beside() async throws {
        let queue = NotifyQueue(countMaximum: 600, bytesMaximum: 1 << 20)
        for sequence in SequenceNumber(1)...600 { queue.add(try Self.push(1, sequence)) }
        queue.add(try Self.push(2, 1))
        let first = try #require(await queue.next())
        #expect(first.contains { $0.content == .notice(max: 1) })
        #expect(first.count > 1 && queue.count > 0)
    }

    @Test("Who waits for pushes hears of a loss, once, though nothing comes")
    func lossAlone() async throws {
        let queue = NotifyQueue(countMaximum: 2, bytesMaximum: 1 << 20)
        async let taken = queue.next()
        queue.noteLoss()
        #expect(await taken?.isEmpty == true)
        #expect(queue.takeLoss())
        queue.close()
        #expect(await queue.next() == nil)
    }

    @Test("What finds no room even for a mark is a loss, told once")
    func loss() async throws {
        let queue = NotifyQueue(countMaximum: 2, bytesMaximum: 1 << 20)
        for receiver in 0..<4 { #expect(queue.add(try Self.push(receiver, 1))) }
        #expect(!queue.takeLoss())
        #expect(!queue.add(try Self.push(4, 1)))
        // One that is marked already is none.
        #expect(queue.add(try Self.push(3, 2)))
        #expect(queue.takeLoss())
        #expect(!queue.takeLoss())
        queue.noteLoss()
        #expect(queue.takeLoss())
        #expect(await Self.drain(queue).count == 4)
    }

    @Test("A newer epoch's number counts, though it is lower")
    func epochs() async throws {
        var marks = PushMarks(countMaximum: 1)
        let newer = Epoch(rawValue: 8)!
        marks.add(try Self.push(1, 100))
        marks.add(try Self.push(1, 99))
        marks.add(try Self.push(1, 3, epoch: newer))
        #expect(marks.count == 1)
        let taken = marks.take(atMost: 5)
        #expect(taken.map(\.sequence) == [3] && taken[0].epoch == newer)
        #expect(marks.isEmpty)
    }

    @Test("When a stream breaks, the newest of what was written to it lately is told again")
    func handedOver() throws {
        let handedOver = HandedOver(countMaximum: 10)
        for round in 0..<3 {
            let pushes = try (0..<100).map { number in
                try Self.push(number, SequenceNumber(round * 100 + number + 1))
            }
            handedOver.note(pushes, isIncomplete: round == 1)
        }
        let (pushes, isIncomplete) = handedOver.take()
        #expect(isIncomplete)
        // Bounded, and the latest are among them.
        #expect((10...20).contains(pushes.count))
        let latest = try (90..<100).map { try Self.push($0, SequenceNumber(200 + $0 + 1)) }
        for push in latest {
            #expect(
                pushes.contains {
                    $0.mailbox == push.mailbox && $0.content == .notice(max: push.sequence)
                })
        }
        let again = handedOver.take()
        #expect(again.pushes.isEmpty && !again.isIncomplete)
    }
}
