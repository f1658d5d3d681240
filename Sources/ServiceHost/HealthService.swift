package import GRPCCore
internal import GRPCProtobuf
internal import StoreAPI
internal import SwiftProtobuf

/// The standard health service: for the server as a whole (the empty name) and for each service.
package struct HealthService: RegistrableRPCService {
    typealias Status = Grpc_Health_V1_HealthCheckResponse.ServingStatus

    private let services: Set<String>
    private let isServing: @Sendable () -> Bool

    /// - Parameters:
    ///   - services: the full names of the services beside it.
    ///   - isServing: whether calls are taken, and can be answered.
    package init(services: Set<String>, isServing: @escaping @Sendable () -> Bool) {
        self.services = services.union([""])
        self.isServing = isServing
    }

    package func registerMethods<Transport: ServerTransport>(
        with router: inout RPCRouter<Transport>
    ) {
        typealias Method = Grpc_Health_V1_Health.Method
        // Health is answered while the server ends, when every other call is refused.
        router.registerHandler(
            forMethod: Method.Check.descriptor,
            deserializer: ProtobufDeserializer<Method.Check.Input>(),
            serializer: ProtobufSerializer<Method.Check.Output>()
        ) { request, _ in
            let request = try await ServerRequest(stream: request).message
            guard services.contains(request.service) else {
                throw RPCError(code: .notFound, message: "there is no such service here")
            }
            return StreamingServerResponse(
                single: ServerResponse(message: .with { $0.status = status }))
        }
        router.registerHandler(
            forMethod: Method.Watch.descriptor,
            deserializer: ProtobufDeserializer<Method.Watch.Input>(),
            serializer: ProtobufSerializer<Method.Watch.Output>()
        ) { request, _ in
            let request = try await ServerRequest(stream: request).message
            return StreamingServerResponse { writer in
                try await watch(request.service, writer)
                return [:]
            }
        }
    }

    private var status: Status { isServing() ? .serving : .notServing }

    private func watch(
        _ service: String, _ answers: RPCWriter<Grpc_Health_V1_HealthCheckResponse>
    ) async throws {
        guard services.contains(service) else {
            try await answers.write(.with { $0.status = .serviceUnknown })
            return
        }
        var said: Status?
        var isOver = false
        while !isOver {
            let now = status
            if now != said { try await answers.write(.with { $0.status = now }) }
            said = now
            do {
                try await endingWithCall { try await Task.sleep(for: .seconds(1)) }
            } catch is CancellationError {
                isOver = true
            }
        }
        // The server ends, or the client is gone and does not hear this.
        if status != said { try await answers.write(.with { [status] in $0.status = status }) }
    }
}
