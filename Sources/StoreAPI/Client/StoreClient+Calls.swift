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
        let deadline = ContinuousClock.now + configuration.callTimeout
        var backoff = Backoff(configuration)
        while true {
            try checkOpen()
            // Before harm can be done, it is found out whether anybody is there at all.
            if repetition == .harmful || !isReachable { try await reach(before: deadline) }
            let failure: StoreError
            do {
                return try await body(options(before: deadline, waiting: false))
            } catch {
                failure = Self.storeError(error)
                guard Self.isLost(error, failure) else { throw failure }
                lifecycle.withLock { $0.isReachable = false }
                if repetition == .harmful { throw Self.lost(failure) }
            }
            try await pause(&backoff, before: deadline, failure)
        }
    }

    /// Waits until the server answers, for as long as a call waits for a connection.
    func reach(before limit: ContinuousClock.Instant? = nil) async throws(StoreError) {
        let patience = ContinuousClock.now + configuration.connectTimeout
        let deadline = min(patience, limit ?? patience)
        var backoff = Backoff(configuration)
        while true {
            try checkOpen()
            let failure: StoreError
            do {
                _ = try await askStoreInfo(options(before: deadline, waiting: true))
                lifecycle.withLock { $0.isReachable = true }
                return
            } catch {
                failure = Self.storeError(error)
                guard Self.isLost(error, failure) else { throw failure }
            }
            try await pause(&backoff, before: deadline, failure)
        }
    }

    private func options(
        before deadline: ContinuousClock.Instant, waiting: Bool
    ) -> CallOptions {
        var options = CallOptions.defaults
        options.maxResponseMessageBytes = configuration.answerBytesMaximum
        options.waitForReady = waiting
        options.timeout = max(.milliseconds(1), deadline - .now)
        return options
    }

    /// Waits before the next attempt.
    ///
    /// - Throws: `unavailable` when there is no time for one, or the task was cancelled.
    private func pause(
        _ backoff: inout Backoff, before deadline: ContinuousClock.Instant, _ failure: StoreError
    ) async throws(StoreError) {
        let wait = backoff.next()
        guard ContinuousClock.now + wait < deadline, (try? await Task.sleep(for: wait)) != nil
        else { throw Self.unreached(failure) }
    }

    /// True while nothing speaks against the server being there.
    var isReachable: Bool {
        lifecycle.withLock { $0.openStreams > 0 || $0.isReachable }
    }

    /// Leaves the call behind when its task is cancelled: one that was cancelled just before it
    /// queued for a connection would wait there until there is one, whatever its time
    /// (grpc-swift-nio-transport 2.9.2, `GRPCChannel.enqueue`). It ends with the client.
    func askStoreInfo(_ options: CallOptions) async throws -> StoreInfo {
        let (answers, answered) = AsyncThrowingStream.makeStream(of: StoreInfo.self)
        let call = Task {
            do {
                answered.yield(
                    try StoreInfo(wire: try await service.getStoreInfo(.init(), options: options)))
            } catch {
                answered.finish(throwing: error)
            }
        }
        defer { call.cancel() }
        // A cancelled task's stream ends without an answer.
        for try await answer in answers { return answer }
        throw CancellationError()
    }

    /// What the server says of itself, as soon as there is one.
    ///
    /// Its time is limited: a call can wait for ever on a connection that is closed before its
    /// first frame (a server at its limit of connections does that), and who waits would never try
    /// again.
    func storeInfo() async throws -> StoreInfo {
        var options = CallOptions.defaults
        options.waitForReady = true
        options.timeout = configuration.connectTimeout
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
