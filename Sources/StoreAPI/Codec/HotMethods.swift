package import GRPCCore
internal import GRPCProtobuf
internal import Mailbox
internal import SwiftProtobuf

/// The two streams that carry most of the traffic, with codecs of their own: from the bytes of a
/// frame straight to the vocabulary, without a generated object for every message.
///
/// A server registers its handlers for them behind the generated registration, which they replace:
///
/// ```swift
/// router.registerHandler(
///     forMethod: HotMethods.appendStream, deserializer: AppendFrameDeserializer(),
///     serializer: AppendFrameAnswerSerializer()) { request, context in … }
/// ```
package enum HotMethods {
    package static var appendStream: MethodDescriptor {
        Wire.StoreService.Method.AppendStream.descriptor
    }
    package static var fetchStream: MethodDescriptor {
        Wire.StoreService.Method.FetchStream.descriptor
    }
}

/// Server: the bytes of an AppendStreamRequest.
package struct AppendFrameDeserializer: MessageDeserializer {
    package init() {}

    package func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> AppendFrame {
        let wire = try ProtobufDeserializer<Wire.AppendStreamRequest>().deserialize(bytes)
        var frame = AppendFrame(frame: wire.frame, appends: [])
        for (index, append) in wire.appends.enumerated() {
            do throws(StoreError) {
                frame.appends.append(try Append(wire: append))
            } catch {
                frame.refusals.append(FrameRefusal(index: index, error: error))
            }
        }
        return frame
    }
}

/// Client: the bytes of an AppendStreamRequest.
package struct AppendFrameSerializer: MessageSerializer {
    package init() {}

    package func serialize<Bytes: GRPCContiguousBytes>(
        _ frame: OutgoingAppendFrame
    ) throws -> Bytes {
        var wire = Wire.AppendStreamRequest()
        wire.frame = frame.number
        wire.appends = frame.stretches.flatMap { $0.map { Wire.Append($0) } }
        return try ProtobufSerializer().serialize(wire)
    }
}

/// Server: the bytes of an AppendStreamResponse.
package struct AppendFrameAnswerSerializer: MessageSerializer {
    package init() {}

    package func serialize<Bytes: GRPCContiguousBytes>(
        _ answer: AppendFrameAnswer
    ) throws -> Bytes {
        var wire = Wire.AppendStreamResponse()
        wire.frame = answer.frame
        wire.outcomes = answer.outcomes.map { Wire.AppendOutcome($0) }
        return try ProtobufSerializer().serialize(wire)
    }
}

/// Client: the bytes of an AppendStreamResponse.
package struct AppendFrameAnswerDeserializer: MessageDeserializer {
    package init() {}

    package func deserialize<Bytes: GRPCContiguousBytes>(
        _ bytes: Bytes
    ) throws -> AppendFrameAnswer {
        let wire = try ProtobufDeserializer<Wire.AppendStreamResponse>().deserialize(bytes)
        return AppendFrameAnswer(
            frame: wire.frame, outcomes: try wire.outcomes.map { try $0.decoded() })
    }
}

/// Server: the bytes of a FetchStreamRequest.
package struct FetchFrameDeserializer: MessageDeserializer {
    package init() {}

    package func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> FetchFrame {
        let wire = try ProtobufDeserializer<Wire.FetchStreamRequest>().deserialize(bytes)
        var frame = FetchFrame(frame: wire.frame, fetches: [])
        for (index, fetch) in wire.fetches.enumerated() {
            do throws(StoreError) {
                frame.fetches.append(try FetchCall(wire: fetch))
            } catch {
                frame.refusals.append(FrameRefusal(index: index, error: error))
            }
        }
        return frame
    }
}

/// Client: the bytes of a FetchStreamRequest.
package struct FetchFrameSerializer: MessageSerializer {
    package init() {}

    package func serialize<Bytes: GRPCContiguousBytes>(
        _ frame: OutgoingFetchFrame
    ) throws -> Bytes {
        var wire = Wire.FetchStreamRequest()
        wire.frame = frame.number
        wire.fetches = frame.stretches.flatMap { $0.map { Wire.FetchRequest($0) } }
        return try ProtobufSerializer().serialize(wire)
    }
}

/// Server: the bytes of a FetchStreamResponse.
package struct FetchFrameAnswerSerializer: MessageSerializer {
    package init() {}

    package func serialize<Bytes: GRPCContiguousBytes>(
        _ answer: FetchFrameAnswer
    ) throws -> Bytes {
        var wire = Wire.FetchStreamResponse()
        wire.frame = answer.frame
        wire.outcomes = answer.outcomes.map { Wire.FetchOutcome($0) }
        wire.continues = answer.continues
        return try ProtobufSerializer().serialize(wire)
    }
}

/// Client: the bytes of a FetchStreamResponse.
package struct FetchFrameAnswerDeserializer: MessageDeserializer {
    package init() {}

    package func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> FetchFrameAnswer
    {
        let wire = try ProtobufDeserializer<Wire.FetchStreamResponse>().deserialize(bytes)
        return FetchFrameAnswer(
            frame: wire.frame, outcomes: try wire.outcomes.map { try $0.decoded() },
            continues: wire.continues)
    }
}
