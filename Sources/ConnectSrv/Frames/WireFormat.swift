internal import ClientWire
internal import Foundation
internal import NIOCore
internal import NIOWebSocket
internal import SwiftProtobuf

/// The two forms that frames have: chosen by the WebSocket's subprotocol, for the whole connection.
enum WireFormat: String, Sendable, CaseIterable {
    /// Protobuf's binary form, in binary messages.
    case proto = "mailbox.v1.proto"
    /// Protobuf's JSON form, in text messages.
    case json = "mailbox.v1.json"

    /// What a message of this form is called by the WebSocket.
    var opcode: WebSocketOpcode {
        switch self {
        case .proto: .binary
        case .json: .text
        }
    }

    /// Reads a frame.
    ///
    /// - Throws: `ProtocolViolation.undecodable`; the bytes are in no error.
    func decode(_ bytes: ByteBuffer) throws(ProtocolViolation) -> ClientFrame {
        do {
            switch self {
            case .proto:
                return try bytes.withUnsafeReadableBytes {
                    try ClientFrame(serializedBytes: Data($0))
                }
            case .json:
                return try ClientFrame(
                    jsonUTF8Bytes: Array(bytes.readableBytesView), options: Self.jsonDecoding)
            }
        } catch {
            throw .undecodable
        }
    }

    /// Writes a frame.
    func encode(_ frame: ServerFrame, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        switch self {
        case .proto:
            guard let bytes: [UInt8] = try? frame.serializedBytes() else { return nil }
            return allocator.buffer(bytes: bytes)
        case .json:
            guard let bytes: [UInt8] = try? frame.jsonUTF8Bytes() else { return nil }
            return allocator.buffer(bytes: bytes)
        }
    }

    /// A device may be newer than this server. Nothing of the contract nests deeper than four.
    private static let jsonDecoding: JSONDecodingOptions = {
        var options = JSONDecodingOptions()
        options.ignoreUnknownFields = true
        options.messageDepthLimit = 16
        return options
    }()
}
