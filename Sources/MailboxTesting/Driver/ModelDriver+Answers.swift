internal import Mailbox

extension ModelDriver {
    func answer<Value>(
        _ call: () async throws(StoreError) -> Value
    ) async -> Result<Value, StoreError> {
        do {
            return .success(try await call())
        } catch {
            return .failure(error)
        }
    }

    /// Where one side refuses, both must, with the same code and facts.
    func expectRefusals<Value>(
        _ expected: Result<Value, StoreError>, _ actual: Result<Value, StoreError>, _ what: String
    ) throws {
        switch (expected, actual) {
        case (.success, .success): return
        case (.success, .failure(let error)):
            throw BehaviourFailure("\(what): refused with \(error)", file: #fileID, line: #line)
        case (.failure(let error), .success):
            throw BehaviourFailure(
                "\(what): answered where \(error.code) was due", file: #fileID, line: #line)
        case (.failure(let wanted), .failure(let got)):
            try expectEqual(got.code, wanted.code, "\(what): the refusal")
            var facts = got.facts
            // Saying which mailbox is required where a call names several, and allowed everywhere.
            if wanted.facts.mailbox == nil { facts.mailbox = nil }
            try expectEqual(facts, wanted.facts, "\(what): the refusal's facts")
        }
    }

    /// Recovers the store when a call ended with `failed`: nobody knows whether it took effect.
    func isUnknown<Value>(
        _ actual: Result<Value, StoreError>, _ recover: () async throws -> Void
    ) async throws -> Bool {
        guard subject.mayFail, case .failure(let error) = actual, error.code == .failed else {
            return false
        }
        try await recover()
        return true
    }

    /// True when a call was refused by an error that passes; then it must have left no trace.
    func hasPassed<Value>(
        _ actual: Result<Value, StoreError>, _ mailboxes: [MailboxID]
    ) async throws -> Bool {
        guard case .failure(let error) = actual, subject.passingCodes.contains(error.code) else {
            return false
        }
        try await expectUntouched(mailboxes)
        return true
    }

    func expectUntouched(_ mailboxes: [MailboxID]) async throws {
        for mailbox in Set(mailboxes) { try observe(mailbox, try await store.head(mailbox)) }
    }
}
