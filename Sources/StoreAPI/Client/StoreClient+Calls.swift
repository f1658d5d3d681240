internal import GRPCCore
internal import GRPCNIOTransportHTTP2
public import Mailbox
internal import Synchronization

/// What it means to a call that its answer was lost.
enum Repetition {
    /// The call is sent again: the second answer tells the truth, too.
    case harmless
    /// The call fails with `unknown`.
    case harmful
}

extension StoreClient {
    typealias Service = Wire.StoreService.Client<Transport>
    typealias AdminService = Wire.AdminService.Client<Transport>

    var service: Service { Service(wrapping: grpc) }
    var adminService: AdminService { AdminService(wrapping: grpc) }

    /// Makes a call, again when its answer was lost and that does no harm, until its time is over.
    ///
    /// - Parameter body: makes the call and decodes its answer.
    func call<Answer: Sendable>(
        _ repetition: Repetition = .harmless,
        _ body: (CallOptions) async throws -> Answer
    ) async throws(StoreError) -> Answer {
        try checkOpen()
        let start = ContinuousClock.now
        let deadline = start + configuration.callTimeout
        if case .harmful = repetition {
            // Nothing is at stake yet: a connection that is not there is found out about first.
            _ = try await call { options in try await self.askStoreInfo(options) }
        }
        var backoff = Backoff(configuration)
        while true {
            let now = ContinuousClock.now
            var options = CallOptions.defaults
            options.maxResponseMessageBytes = configuration.answerBytesMaximum
            options.waitForReady = repetition == .harmless
            options.timeout =
                isConnected ? deadline - now : min(deadline - now, configuration.connectTimeout)
            let failure: StoreError
            do {
                return try await body(options)
            } catch {
                failure = Self.storeError(error)
                let isLost = Self.isLost(error, failure)
                guard isLost else { throw failure }
                if case .harmful = repetition { throw Self.lost(failure) }
            }
            let wait = backoff.next()
            let latest =
                isConnected ? deadline : min(deadline, start + configuration.connectTimeout)
            guard ContinuousClock.now + wait < latest, (try? await Task.sleep(for: wait)) != nil
            else { throw Self.unreached(failure) }
            try checkOpen()
        }
    }

    /// True while a stream is open.
    var isConnected: Bool { lifecycle.withLock { $0.openStreams > 0 } }

    func askStoreInfo(_ options: CallOptions) async throws -> StoreInfo {
        try StoreInfo(wire: try await service.getStoreInfo(.init(), options: options))
    }

    /// What the server says of itself, as soon as there is one.
    func storeInfo() async throws -> StoreInfo {
        var options = CallOptions.defaults
        options.waitForReady = true
        return try await askStoreInfo(options)
    }

    /// The store's epoch and limits. Asked for anew on every connection.
    ///
    /// - Throws: `unavailable`, `closed`.
    public func info() async throws(StoreError) -> StoreInfo {
        try checkOpen()
        let known = lifecycle.withLock { $0.openStreams > 0 ? $0.info : nil }
        if let known { return known }
        return try await call { options in try await self.askStoreInfo(options) }
    }

    // MARK: Errors

    /// True when the call may be answered by another attempt: its answer was lost, or the store is
    /// going away.
    static func isLost(_ error: any Error, _ failure: StoreError) -> Bool {
        if failure.code == .closed || failure.code == .locked { return true }
        guard let error = error as? RPCError, StoreError(detailOf: error) == nil else {
            return error is CancellationError
        }
        return [.unavailable, .cancelled, .deadlineExceeded, .aborted, .unknown].contains(
            error.code)
    }

    /// The error of a call as the vocabulary's.
    static func storeError(_ error: any Error) -> StoreError {
        switch error {
        case let error as StoreError:
            // What came over the wire was none of the contract's.
            StoreError(
                code: .failed, message: "the server's answer is not understood", cause: error)
        case let error as RPCError:
            StoreError(detailOf: error)
                ?? StoreError(
                    code: ErrorMap.code(status: error.code),
                    message: "the call failed with \(error.code): \(error.message)", cause: error)
        default:
            StoreError(code: .unavailable, message: "the call was given up", cause: error)
        }
    }

    static func lost(_ cause: StoreError) -> StoreError {
        StoreError(
            code: .unknown,
            message: "the connection was lost before the answer came; what was asked for may be "
                + "done once, or not at all",
            cause: cause)
    }

    private static func unreached(_ cause: StoreError) -> StoreError {
        StoreError(
            code: .unavailable, message: "the store could not be reached in time; try again",
            cause: cause)
    }
}
