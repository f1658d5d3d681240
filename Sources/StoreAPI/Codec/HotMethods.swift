package import GRPCCore
internal import GRPCProtobuf
internal import Mailbox

/// The two streams that carry most of the traffic, with codecs of their own: from the bytes of a
/// frame straight to the vocabulary, without a generated object for every message. The bytes are
/// those of the contract.
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

    /// - Throws: a status of `invalidArgument` when the bytes are no protobuf message.
    package func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> AppendFrame {
        do throws(StoreError) {
            return try AppendFrameCodec.decode(array(bytes))
        } catch {
            throw GoogleRPCStatus(error)
        }
    }
}

/// Client: the bytes of an AppendStreamRequest.
package struct AppendFrameSerializer: MessageSerializer {
    package init() {}

    package func serialize<Bytes: GRPCContiguousBytes>(
        _ frame: OutgoingAppendFrame
    ) throws -> Bytes {
        written(AppendFrameCodec.byteCount(frame)) { AppendFrameCodec.write(frame, &$0) }
    }
}

/// Server: the bytes of an AppendStreamResponse.
package struct AppendFrameAnswerSerializer: MessageSerializer {
    package init() {}

    package func serialize<Bytes: GRPCContiguousBytes>(
        _ answer: AppendFrameAnswer
    ) throws -> Bytes {
        let prepared = try AppendAnswerCodec.Prepared(answer)
        return written(AppendAnswerCodec.byteCount(prepared)) {
            AppendAnswerCodec.write(prepared, &$0)
        }
    }
}

/// Client: the bytes of an AppendStreamResponse.
package struct AppendFrameAnswerDeserializer: MessageDeserializer {
    package init() {}

    /// - Throws: `invalidArgument` when the bytes are no answer of the contract.
    package func deserialize<Bytes: GRPCContiguousBytes>(
        _ bytes: Bytes
    ) throws -> AppendFrameAnswer {
        try AppendAnswerCodec.decode(array(bytes))
    }
}

/// Server: the bytes of a FetchStreamRequest.
package struct FetchFrameDeserializer: MessageDeserializer {
    package init() {}

    /// - Throws: a status of `invalidArgument` when the bytes are no protobuf message.
    package func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> FetchFrame {
        do throws(StoreError) {
            return try FetchFrameCodec.decode(array(bytes))
        } catch {
            throw GoogleRPCStatus(error)
        }
    }
}

/// Client: the bytes of a FetchStreamRequest.
package struct FetchFrameSerializer: MessageSerializer {
    package init() {}

    package func serialize<Bytes: GRPCContiguousBytes>(
        _ frame: OutgoingFetchFrame
    ) throws -> Bytes {
        written(FetchFrameCodec.byteCount(frame)) { FetchFrameCodec.write(frame, &$0) }
    }
}

/// Server: the bytes of a FetchStreamResponse.
package struct FetchFrameAnswerSerializer: MessageSerializer {
    package init() {}

    package func serialize<Bytes: GRPCContiguousBytes>(
        _ answer: FetchFrameAnswer
    ) throws -> Bytes {
        let prepared = try FetchAnswerCodec.Prepared(answer)
        return written(prepared.byteCount) { FetchAnswerCodec.write(prepared, &$0) }
    }
}

/// Client: the bytes of a FetchStreamResponse.
package struct FetchFrameAnswerDeserializer: MessageDeserializer {
    package init() {}

    /// - Throws: `invalidArgument` when the bytes are no answer of the contract.
    package func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> FetchFrameAnswer
    {
        try FetchAnswerCodec.decode(array(bytes))
    }
}

/// The bytes as an array of their own: bodies are handed out as its slices.
private func array<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) -> [UInt8] {
    bytes.withUnsafeBytes { [UInt8]($0) }
}

/// Bytes of the right size, written once.
private func written<Bytes: GRPCContiguousBytes>(
    _ count: Int, _ body: (inout WireWriter) -> Void
) -> Bytes {
    var bytes = Bytes(repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { memory in
        var writer = WireWriter(memory)
        body(&writer)
        precondition(writer.isAtEnd)
    }
    return bytes
}
