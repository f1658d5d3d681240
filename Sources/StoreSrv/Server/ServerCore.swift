internal import GRPCCore
internal import GRPCProtobuf
internal import Logging
internal import Mailbox
internal import StoreAPI
internal import StoreEngine

/// What all services of a server share.
struct ServerCore: Sendable {
    let store: MailboxStore
    let configuration: StoreServerConfiguration
    let lifecycle: ServerLifecycle
    /// For calls that read.
    let reads: BlockingPool
    /// For calls that take long, and of which there is one at a time.
    let maintenance: BlockingPool
    /// Appends of all streams that wait for the journal.
    let appendCredit: CreditCounter
    let activity: StoreActivity
    let logger: Logger

    /// Runs a call: refuses it while the server ends, and gives every refusal its typed status.
    func call<Answer>(
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
        activity.refused(error.code)
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
func endingWithCall<Answer: Sendable>(
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
