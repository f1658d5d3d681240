package import GRPCCore
internal import GRPCProtobuf
internal import Mailbox
internal import StoreAPI
package import SwiftProtobuf

// Every method is registered through one of these, so that every method refuses in the same way.

extension RPCRouter {
    /// A method with one request and one answer.
    package mutating func registerUnary<
        Request: SwiftProtobuf.Message, Answer: SwiftProtobuf.Message
    >(
        _ method: MethodDescriptor, _ host: some CallHost,
        _ body: @escaping @Sendable (Request) async throws -> Answer
    ) {
        registerHandler(
            forMethod: method,
            deserializer: BoundedDeserializer(
                ProtobufDeserializer<Request>(), host.requestBytesMaximum),
            serializer: ProtobufSerializer<Answer>()
        ) { request, _ in
            let answer = try await host.call(method) {
                try await body(ServerRequest(stream: request).message)
            }
            return StreamingServerResponse(single: ServerResponse(message: answer))
        }
    }

    /// A method with one request and many answers.
    package mutating func registerServerStream<
        Request: SwiftProtobuf.Message, Answer: SwiftProtobuf.Message
    >(
        _ method: MethodDescriptor, _ host: some CallHost,
        _ body: @escaping @Sendable (Request, RPCWriter<Answer>) async throws -> Void
    ) {
        registerStream(
            method, host, ProtobufDeserializer<Request>(), ProtobufSerializer<Answer>()
        ) { requests, answers in
            var iterator = requests.makeAsyncIterator()
            guard let request = try await iterator.next() else {
                throw StoreError.invalidArgument("the call has no request")
            }
            try await body(request, answers)
        }
    }

    /// A method with many requests and many answers, as they are generated.
    package mutating func registerProtobufStream<
        Request: SwiftProtobuf.Message, Answer: SwiftProtobuf.Message
    >(
        _ method: MethodDescriptor, _ host: some CallHost,
        _ body:
            @escaping @Sendable (
                RPCAsyncSequence<Request, any Error>, RPCWriter<Answer>
            ) async throws -> Void
    ) {
        registerStream(
            method, host, ProtobufDeserializer<Request>(), ProtobufSerializer<Answer>(), body)
    }

    /// A method with many requests and many answers, with codecs of its own.
    package mutating func registerStream<
        Requests: MessageDeserializer, Answers: MessageSerializer
    >(
        _ method: MethodDescriptor, _ host: some CallHost, _ deserializer: Requests,
        _ serializer: Answers,
        _ body:
            @escaping @Sendable (
                RPCAsyncSequence<Requests.Message, any Error>, RPCWriter<Answers.Message>
            ) async throws -> Void
    ) where Requests.Message: Sendable, Answers.Message: Sendable {
        registerHandler(
            forMethod: method,
            deserializer: BoundedDeserializer(
                deserializer, host.requestBytesMaximum),
            serializer: serializer
        ) { request, _ in
            StreamingServerResponse { writer in
                try await host.call(method) { try await body(request.messages, writer) }
                return [:]
            }
        }
    }
}

/// Refuses a message above the limit with a status that says so.
///
/// The transport's own limit is above this one: what exceeds that has its call reset without a
/// word.
struct BoundedDeserializer<Base: MessageDeserializer>: MessageDeserializer {
    private let base: Base
    private let bytesMaximum: Int

    init(_ base: Base, _ bytesMaximum: Int) {
        self.base = base
        self.bytesMaximum = bytesMaximum
    }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Base.Message {
        let count = bytes.withUnsafeBytes(\.count)
        guard count <= bytesMaximum else {
            let refusal = StoreError.invalidArgument(
                "the request has \(count) bytes; this server takes at most \(bytesMaximum)")
            throw RPCError(GoogleRPCStatus(refusal))
        }
        return try base.deserialize(bytes)
    }
}
