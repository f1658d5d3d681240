package import GRPCCore
internal import GRPCProtobuf
package import Logging
package import Mailbox
internal import StoreAPI

/// What the calls of a service have in common: whether they are taken, how large they may be, and
/// how they are refused.
package protocol CallHost: Sendable {
    /// Whether calls are taken.
    var lifecycle: ServerLifecycle { get }
    /// The most bytes of one request, or of one frame of a stream.
    var requestBytesMaximum: Int { get }
    /// Says what goes wrong; never what messages hold.
    var logger: Logger { get }
    /// Counts a refusal.
    func refused(_ code: StoreError.Code)
}

extension CallHost {
    /// Runs a call: refuses it while the server ends, and gives every refusal its typed status.
    package func call<Answer>(
        _ method: MethodDescriptor, _ body: () async throws -> Answer
    ) async throws -> Answer {
        do {
            try lifecycle.beginCall()
            defer { lifecycle.endCall() }
            return try await body()
        } catch {
            throw status(of: error, method)
        }
    }

    private func status(of error: any Error, _ method: MethodDescriptor) -> RPCError {
        switch error {
        case let error as StoreError: return status(of: error, method)
        case let error as RPCError:
            // What could not be decoded: the runtime's own refusal has no detail.
            guard error.code == .invalidArgument, StoreError(detailOf: error) == nil else {
                return error
            }
            return status(of: StoreError.invalidArgument(error.message), method)
        case let error as any RPCErrorConvertible: return status(of: RPCError(error), method)
        case is CancellationError:
            if lifecycle.isDraining { return status(of: ServerLifecycle.draining, method) }
            return RPCError(code: .cancelled, message: "the call was cancelled")
        default:
            // A connection that is gone: nobody hears this.
            logger.debug(
                "a call was cut off",
                metadata: ["method": "\(method.method)", "error": "\(error)"])
            return RPCError(code: .unavailable, message: "the call was cut off", cause: error)
        }
    }

    private func status(of error: StoreError, _ method: MethodDescriptor) -> RPCError {
        refused(error.code)
        // A client's codes have no detail on the wire: they say that no answer came from behind.
        if error.code == .unavailable || error.code == .unknown {
            let code: RPCError.Code = error.code == .unavailable ? .unavailable : .unknown
            return RPCError(code: code, message: error.message)
        }
        if error.code == .failed || error.code == .corrupted {
            logger.error(
                "a call failed",
                metadata: ["method": "\(method.method)", "error": "\(error)"])
        } else {
            logger.debug(
                "a call was refused",
                metadata: ["method": "\(method.method)", "code": "\(error.code)"])
        }
        return RPCError(GoogleRPCStatus(error))
    }
}

/// Runs a piece of work that ends, by cancellation, when its call does: because the client is gone,
/// or because the server shuts down.
package func endingWithCall<Answer: Sendable>(
    on executor: (any TaskExecutor)? = nil,
    _ body: @escaping @Sendable () async throws -> Answer
) async throws -> Answer {
    let task = Task(executorPreference: executor) { try await body() }
    return try await withTaskCancellationHandler {
        try await withRPCCancellationHandler {
            try await task.value
        } onCancelRPC: {
            task.cancel()
        }
    } onCancel: {
        task.cancel()
    }
}

extension Result where Failure == StoreError {
    /// The outcome as a service answers it that has a store behind a network: `unavailable` and
    /// `unknown` go as `closed`, on which a client makes its connection anew, and sends again what
    /// can be repeated.
    package var relayed: Self {
        guard case .failure(let error) = self,
            error.code == .unavailable || error.code == .unknown
        else { return self }
        return .failure(StoreError(code: .closed, message: error.message, facts: error.facts))
    }
}
