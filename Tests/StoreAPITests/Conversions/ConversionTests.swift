import Foundation
import Mailbox
import StoreAPI
import SwiftProtobuf
import Testing

@Suite("The vocabulary on the wire")
struct ConversionTests {
    private func mailbox() throws -> MailboxID { try MailboxID(sender: "zoë", receiver: "bob") }

    private func refusal(_ body: () throws(StoreError) -> Void) -> String? {
        do throws(StoreError) {
            try body()
            return nil
        } catch {
            return error.code == .invalidArgument ? error.message : "\(error)"
        }
    }

    @Test("What is sent comes back")
    func roundTrips() throws {
        let head = Head(
            max: 9, acknowledged: 5, floor: 3, bodyBytes: 77, newestTimestampMilliseconds: 12)
        let epoch = try #require(Epoch(rawValue: 5))
        let producer = Producer(device: try DeviceID("phone"), clientSequence: 0)
        let messages = MessageBatch([
            Message(sequence: 6, timestampMilliseconds: 1, producer: producer, body: [1, 2]),
            Message(sequence: 7, timestampMilliseconds: 2, body: []),
        ])
        #expect(try MailboxID(wire: Wire.MailboxID(mailbox())) == mailbox())
        #expect(try Producer(wire: Wire.Producer(producer)) == producer)
        #expect(try Head(wire: Wire.Head(head)) == head)
        for cursor in [Cursor.zero, Cursor(4, epoch: epoch), Cursor(4, epoch: nil)] {
            #expect(try Cursor(wire: Wire.Cursor(cursor)) == cursor)
        }
        for producer in [nil, producer] {
            let append = Append(try mailbox(), producer: producer, body: [1, 2, 3])
            #expect(try Append(wire: Wire.Append(append)) == append)
        }
        let result = FetchResult(messages: messages, hasMore: true, head: head, epoch: epoch)
        let decoded = try FetchResult(wire: Wire.FetchResponse(result))
        #expect(Array(decoded.messages) == Array(messages))
        #expect(decoded.hasMore && decoded.head == head && decoded.epoch == epoch)
        for policy in [
            RetentionPolicy.unacknowledged, .acknowledged(forMilliseconds: 5), .newest(0),
        ] {
            #expect(try RetentionPolicy(wire: Wire.RetentionPolicy(policy)) == policy)
        }
        let page = InboxPage(
            entries: [.init(sender: try Address("a"), head: head)], next: try Address("b"))
        #expect(try InboxPage(wire: Wire.ListInboxResponse(page, epoch: epoch)) == page)
        let sync = SyncResult(
            entries: [.init(sender: try Address("a"), result: result)], hasMore: true, epoch: epoch)
        let synced = try SyncResult(wire: Wire.SyncResponse(sync))
        #expect(synced.entries.map(\.sender) == sync.entries.map(\.sender))
        #expect(Array(synced.entries[0].result.messages) == Array(messages))
        let report = CompactionReport(
            mailboxesExamined: 1, mailboxesCompacted: 2, messagesRemoved: 3, bodyBytesRemoved: 4)
        #expect(CompactionReport(wire: Wire.CompactResponse(report)) == report)
    }

    @Test("Every durability and every result comes back")
    func results() throws {
        for durability in Durability.allCases {
            for (sequence, isDuplicate) in [(4, false), (4, true), (nil, true)]
                as [(SequenceNumber?, Bool)]
            {
                var result = AppendResult(
                    sequence: sequence, isDuplicate: isDuplicate, durability: durability)
                #expect(try AppendResult(wire: Wire.AppendResult(result)) == result)
                for timestamp in [0, 1, Int64.max] {
                    result.timestampMilliseconds = timestamp
                    result.epoch = Epoch(rawValue: 7)
                    result.wasResent.toggle()
                    #expect(try AppendResult(wire: Wire.AppendResult(result)) == result)
                }
            }
        }
    }

    @Test("A limit of nothing takes the default, and a huge one is no crash")
    func pageLimits() {
        #expect(PageLimit(wire: nil) == .standard)
        #expect(PageLimit(wire: Wire.PageLimit()) == .standard)
        let huge = PageLimit(messages: .max, bytes: .max)
        #expect(
            PageLimit(wire: Wire.PageLimit(huge)) == PageLimit(messages: 0xFFFF_FFFF, bytes: .max))
        #expect(PageLimit(wire: .with { $0.bytes = .max }).bytes == .max)
    }

    @Test("What is none is refused, with the field's name")
    func refusals() throws {
        #expect(
            refusal { () throws(StoreError) in _ = try MailboxID(wire: nil) }
                == "mailbox is missing")
        let empty = Wire.MailboxID.with { $0.receiver = "bob" }
        #expect(
            refusal { () throws(StoreError) in _ = try MailboxID(wire: empty) }?
                .hasPrefix("mailbox.sender: the address is empty") == true)
        let long = Wire.Append.with {
            $0.sender = "a"
            $0.receiver = String(repeating: "b", count: 65)
        }
        #expect(
            refusal { () throws(StoreError) in _ = try Append(wire: long) }?
                .hasPrefix("append.receiver: ") == true)
        #expect(
            refusal { () throws(StoreError) in _ = try Cursor(wire: nil) } == "cursor is missing")
        #expect(refusal { () throws(StoreError) in _ = try Epoch(wire: 0) } == "epoch is missing")
        let upsideDown = Wire.Head.with { $0.floor = 1 }
        #expect(
            refusal { () throws(StoreError) in _ = try Head(wire: upsideDown) }
                == "head: not floor ≤ acknowledged ≤ max")
        #expect(
            refusal { () throws(StoreError) in _ = try Durability(wire: .UNRECOGNIZED(9)) }
                == "durability: unknown value 9")
        #expect(
            refusal { () throws(StoreError) in _ = try RetentionPolicy(wire: .init()) }
                == "policy is missing")
        #expect(
            refusal { () throws(StoreError) in _ = try Wire.AppendOutcome().decoded() }
                == "outcome is missing")
        let negative = Wire.RetentionPolicy.with { $0.acknowledgedForMilliseconds = -1 }
        #expect(
            refusal { () throws(StoreError) in _ = try RetentionPolicy(wire: negative) } != nil)
        let twice = Wire.SyncRequest.with { request in
            request.cursors = ([1, 2] as [UInt32]).map { number in
                .with {
                    $0.sender = "a"
                    $0.cursor = .with { $0.sequence = number }
                }
            }
        }
        #expect(
            refusal { () throws(StoreError) in _ = try twice.decodedCursors() }
                == "cursors.sender: a comes twice")
    }

    @Test("Messages with holes, without a sequence or out of time are refused")
    func messages() {
        func message(_ sequence: UInt32, _ timestamp: Int64 = 0) -> Wire.Message {
            .with {
                $0.sequence = sequence
                $0.timestampMilliseconds = timestamp
            }
        }
        let bad: [[Wire.Message]] = [
            [message(1), message(3)], [message(0)], [message(.max), message(0)],
            [message(1, -1)], [message(1, .max)], [message(2), message(1)],
        ]
        for messages in bad {
            #expect(
                refusal { () throws(StoreError) in _ = try MessageBatch(wire: messages) } != nil)
        }
    }
}
