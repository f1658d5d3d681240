import Foundation
import Mailbox
import SwiftProtobuf

@testable import StoreAPI

/// The daemon's own readers of frames against the generated code, and what services make of
/// messages. A refusal is `invalidArgument`, always.
extension EdgeTarget {
    static let appendFrames = EdgeTarget(name: "append-frames", byteCountMaximum: 2_048) {
        [
            try Wire.AppendStreamRequest.with {
                $0.frame = 5
                $0.appends = [Wire.Append(ServiceSeeds.append), Wire.Append(ServiceSeeds.plain)]
            }.serializedBytes()
        ]
    } run: { input in
        let own = ServiceSeeds.refusing { () throws(StoreError) in
            try AppendFrameCodec.decode(input)
        }
        guard let wire = try? Wire.AppendStreamRequest(serializedBytes: input) else { return }
        // What the generated code reads, this reads; of UTF-8 it is told per append.
        let frame = try own.get()
        try EdgeViolation.unless(
            frame.frame == wire.frame
                && frame.appends.count + frame.refusals.count == wire.appends.count,
            "another number of appends")
        let good = wire.appends.compactMap { try? Append(wire: $0) }
        try EdgeViolation.unless(frame.appends == good, "other appends")
    }

    static let fetchFrames = EdgeTarget(name: "fetch-frames", byteCountMaximum: 1_024) {
        [
            try Wire.FetchStreamRequest.with {
                $0.frame = 5
                $0.fetches = [Wire.FetchRequest(ServiceSeeds.fetch)]
            }.serializedBytes()
        ]
    } run: { input in
        let own = ServiceSeeds.refusing { () throws(StoreError) in
            try FetchFrameCodec.decode(input)
        }
        guard let wire = try? Wire.FetchStreamRequest(serializedBytes: input) else { return }
        let frame = try own.get()
        try EdgeViolation.unless(
            frame.frame == wire.frame
                && frame.fetches.count + frame.refusals.count == wire.fetches.count,
            "another number of fetches")
        let good = wire.fetches.compactMap { try? FetchCall(wire: $0) }
        try EdgeViolation.unless(
            frame.fetches.map(ServiceSeeds.words) == good.map(ServiceSeeds.words), "other fetches")
    }

    static let appendAnswers = EdgeTarget(name: "append-answers", byteCountMaximum: 1_024) {
        [
            try Wire.AppendStreamResponse.with {
                $0.frame = 5
                $0.outcomes = [
                    Wire.AppendOutcome(
                        .success(
                            AppendResult(sequence: 9, isDuplicate: false, durability: .commit))),
                    Wire.AppendOutcome(.failure(.invalidArgument("why"))),
                ]
            }.serializedBytes()
        ]
    } run: { input in
        let own = ServiceSeeds.refusing { () throws(StoreError) in
            try AppendAnswerCodec.decode(input)
        }
        guard let answer = try? own.get() else { return }
        guard let wire = try? Wire.AppendStreamResponse(serializedBytes: input) else { return }
        try EdgeViolation.unless(
            answer.frame == wire.frame && answer.outcomes.count == wire.outcomes.count,
            "another number of outcomes")
    }

    static let fetchAnswers = EdgeTarget(name: "fetch-answers", byteCountMaximum: 4_096) {
        [
            try Wire.FetchStreamResponse.with {
                $0.frame = 5
                $0.outcomes = [
                    Wire.FetchOutcome(.success(ServiceSeeds.result)),
                    Wire.FetchOutcome(.failure(.invalidArgument("why"))),
                ]
            }.serializedBytes()
        ]
    } run: { input in
        let own = ServiceSeeds.refusing { () throws(StoreError) in
            try FetchAnswerCodec.decode(input)
        }
        guard let answer = try? own.get() else { return }
        for case .success(let result) in answer.outcomes {
            var previous: SequenceNumber?
            for message in result.messages {
                try EdgeViolation.unless(
                    previous.map { message.sequence > $0 } ?? true, "messages out of order")
                previous = message.sequence
            }
        }
    }

    /// The first byte says of which kind a message is.
    static let serviceMessages = EdgeTarget(name: "service-messages", byteCountMaximum: 2_048) {
        let messages: [(UInt8, any SwiftProtobuf.Message)] = [
            (0, Wire.Append(ServiceSeeds.append)), (1, Wire.FetchRequest(ServiceSeeds.fetch)),
            (2, Wire.FetchResponse(ServiceSeeds.result)),
            (3, Wire.ErrorDetail(.invalidArgument("why"))),
            (4, Wire.RetentionPolicy(.newest(3))),
            (
                5,
                Wire.SyncRequest(
                    try Address("anna"), cursors: [try Address("bert"): .zero], limit: .standard)
            ),
        ]
        return try messages.map { kind, message in
            let bytes: [UInt8] = try message.serializedBytes()
            return [kind] + bytes
        }
    } run: { input in
        let bytes = Array(input.dropFirst())
        _ = ServiceSeeds.refusing { () throws(StoreError) in
            try ServiceSeeds.convert((input.first ?? 0) % 13, bytes)
        }
    }
}

enum ServiceSeeds {
    static let mailbox = MailboxID(
        sender: Address(trustedSeed: "anna"), receiver: Address(trustedSeed: "bert"))
    static let append = Append(
        mailbox, producer: (try? DeviceID("phone")).map { Producer(device: $0, clientSequence: 7) },
        body: [1, 2, 3])
    static let plain = Append(mailbox, body: [])
    static let fetch = FetchCall(mailbox, cursor: Cursor(3, epoch: Epoch(rawValue: 9)))
    static let result = FetchResult(
        messages: MessageBatch([
            Message(
                sequence: 4, timestampMilliseconds: 5, producer: append.producer, body: [1, 2][...])
        ]), hasMore: false,
        head: Head(
            max: 4, acknowledged: 3, floor: 0, bodyBytes: 2, newestTimestampMilliseconds: 5),
        epoch: Epoch(rawValue: 9) ?? .mint())

    static func words(_ call: FetchCall) -> String {
        "\(call.mailbox) \(call.cursor) \(call.limit)"
    }

    /// What was read; a refusal of another kind than a bad message's ends the process.
    static func refusing<Value>(
        _ body: () throws(StoreError) -> Value
    ) -> Result<Value, StoreError> {
        do throws(StoreError) {
            return .success(try body())
        } catch {
            precondition(error.code == .invalidArgument, "refused as \(error.code)")
            return .failure(error)
        }
    }

    private static func read<Value: SwiftProtobuf.Message>(
        _ bytes: [UInt8], as type: Value.Type = Value.self
    ) throws(StoreError) -> Value {
        do {
            return try Value(serializedBytes: bytes)
        } catch {
            throw .invalidArgument("no message")
        }
    }

    static func convert(_ kind: UInt8, _ bytes: [UInt8]) throws(StoreError) {
        switch kind {
        case 0:
            let append = try Append(wire: try read(bytes, as: Wire.Append.self))
            precondition((try? Append(wire: Wire.Append(append))) == append, "another append")
        case 1:
            let call = try FetchCall(wire: try read(bytes))
            let again = try FetchCall(wire: Wire.FetchRequest(call))
            precondition(words(again) == words(call), "another fetch")
        case 2:
            let result = try FetchResult(wire: try read(bytes, as: Wire.FetchResponse.self))
            precondition(result.messages.reduce(0) { $0 + $1.body.count } >= 0)
        case 3: _ = StoreError(wire: try read(bytes, as: Wire.ErrorDetail.self))
        case 4: _ = try RetentionPolicy(wire: try read(bytes))
        case 5: _ = try read(bytes, as: Wire.SyncRequest.self).decodedCursors()
        case 6: _ = try InboxPage(wire: try read(bytes))
        case 7: _ = try Push(wire: try read(bytes))
        case 8: _ = try PresenceChange(wire: try read(bytes))
        case 9: _ = try PushRegistration(wire: try read(bytes))
        case 10: _ = try ServerStatistics(wire: try read(bytes))
        case 11: _ = try StoreInfo(wire: try read(bytes))
        default: _ = try FetchResult(wire: try read(bytes, as: Wire.ReadResponse.self))
        }
    }
}

extension Address {
    /// Precondition: it is an address.
    fileprivate init(trustedSeed text: String) {
        guard let address = try? Address(text) else { preconditionFailure("\(text)") }
        self = address
    }
}
