internal import GRPCCore
internal import GRPCProtobuf
internal import StoreAPI
internal import StoreEngine
internal import SwiftProtobuf

/// The standard health service: for the server as a whole (the empty name) and for each service.
struct HealthService: RegistrableRPCService {
    typealias Status = Grpc_Health_V1_HealthCheckResponse.ServingStatus

    let core: ServerCore

    private static let services: Set<String> = [
        "", Wire.StoreService.descriptor.fullyQualifiedService,
        Wire.AdminService.descriptor.fullyQualifiedService,
    ]

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        typealias Method = Grpc_Health_V1_Health.Method
        // Health is answered while the server ends, when every other call is refused.
        router.registerHandler(
            forMethod: Method.Check.descriptor,
            deserializer: ProtobufDeserializer<Method.Check.Input>(),
            serializer: ProtobufSerializer<Method.Check.Output>()
        ) { request, _ in
            let request = try await ServerRequest(stream: request).message
            guard Self.services.contains(request.service) else {
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

    /// Serving, unless the server ends or its store failed.
    private var status: Status {
        core.lifecycle.isDraining || core.store.failure != nil ? .notServing : .serving
    }

    private func watch(
        _ service: String, _ answers: RPCWriter<Grpc_Health_V1_HealthCheckResponse>
    ) async throws {
        guard Self.services.contains(service) else {
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
