package import GRPCCore
internal import GRPCNIOTransportHTTP2

/// Server reflection: tells tools such as grpcurl which services there are, and what their messages
/// look like. Of the contract's files alone, and nothing of what they carry.
package struct ReflectionService: RegistrableRPCService {
    /// Both names of the service: the messages are the same, and older tools ask for the older one.
    package static let names = [
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
    ]

    /// Names are short.
    private static let requestBytesMaximum = 4_096

    private let services: [String]

    /// - Parameter services: what is served beside it.
    package init(of services: [any RegistrableRPCService]) {
        var router = RPCRouter<HTTP2ServerTransport.Posix>()
        for service in services { service.registerMethods(with: &router) }
        let names = Set(router.methods.map(\.service.fullyQualifiedService))
        self.services = (Array(names) + Self.names).sorted()
    }

    package func registerMethods<Transport: ServerTransport>(
        with router: inout RPCRouter<Transport>
    ) {
        for name in Self.names {
            router.registerHandler(
                forMethod: MethodDescriptor(
                    fullyQualifiedService: name, method: "ServerReflectionInfo"),
                deserializer: BoundedDeserializer(
                    ReflectionRequestDeserializer(), Self.requestBytesMaximum),
                serializer: ReflectionAnswerSerializer()
            ) { request, _ in
                StreamingServerResponse { writer in
                    try await answer(request.messages, writer)
                    return [:]
                }
            }
        }
    }

    private func answer(
        _ requests: RPCAsyncSequence<ReflectionRequest, any Error>,
        _ answers: RPCWriter<ReflectionAnswer>
    ) async throws {
        do {
            try await endingWithCall {
                for try await request in requests {
                    try await answers.write(
                        ReflectionAnswer(to: request, outcome(of: request.question)))
                }
                try Task.checkCancellation()
            }
        } catch is CancellationError {
            throw RPCError(code: .unavailable, message: "the server is shutting down")
        }
    }

    private func outcome(of question: ReflectionRequest.Question) -> ReflectionAnswer.Outcome {
        let contract = ContractFiles.shared
        switch question {
        case .services: return .services(services)
        case .file(let name):
            return contract.files(from: name).map { .files($0) } ?? .unknown("file \(name)")
        case .symbol(let name):
            return contract.file(of: name).flatMap { contract.files(from: $0) }
                .map { .files($0) } ?? .unknown("symbol \(name)")
        // The contract extends no message, and lets none be extended.
        case .extensions(let name):
            return contract.file(of: name) == nil ? .unknown("type \(name)") : .noExtensions(name)
        case .anExtension(let name): return .unknown("extension of \(name)")
        case .none: return .refused("the request asks for nothing that is known here")
        }
    }
}
