import Mailbox
import MailboxTesting

/// A way to break the contract. The suite must notice each: a check that cannot fail proves
/// nothing.
enum Defect: String, CaseIterable, Sendable {
    case confirmsAnotherEpoch
    case confirmsWhatIsAhead
    case takesACursorWithoutEpoch
    case handsOutWhatIsConfirmed
    case watermarkSinks
    case forgetsTheDuplicatesSequence
    case storesDuplicates
    case takesGaps
    case takesConflicts
    case tellsNoExpectedNumber
    case changesALongBody
    case leavesAHole
    case neverSaysMore
    case alwaysSaysMore
    case ignoresTheCount
    case ignoresTheBytes
    case answersNothingWhenTooLarge
    case readConfirms
    case readsFromBelowTheFloor
    case atomicIsNot
    case atomicNamesNoMailbox
    case batchStopsAtARefusal
    case inboxUnordered
    case inboxEndsEarly
    case inboxListsOthers
    case syncLimitsEachMailbox
    case syncConfirmsBeforeItChecks
    case syncListsEmptyMailboxes
    case compactsWhatWaits
    case compactsNothing
    case compactsByPolicyOfAnother
    case compactionForgetsDevices
    case compactionForgetsTheSequence
    case watchIsDeaf
    case watchNeverCatchesUp
    case watchHearsNothingLive
    case accentsAreOne
    case caseIsOne
    case timestampsFollowNothing
    case answersAnotherTime
    case answersNoEpoch
    case producersAreNotHandedOut
    case isOpenWhenClosed

    /// The names of the cases that must notice begin with one of these.
    var noticedBy: [String] {
        switch self {
        case .confirmsAnotherEpoch, .confirmsWhatIsAhead, .takesACursorWithoutEpoch: ["cursor:"]
        case .handsOutWhatIsConfirmed: ["fetch: max 200, confirmed 150, cursor 120"]
        case .watermarkSinks: ["fetch:", "acknowledge:"]
        case .forgetsTheDuplicatesSequence, .storesDuplicates, .takesGaps, .takesConflicts,
            .tellsNoExpectedNumber:
            ["producer:"]
        case .changesALongBody: ["append: bodies of every size"]
        case .leavesAHole: ["fetch:"]
        case .neverSaysMore, .alwaysSaysMore, .ignoresTheCount, .ignoresTheBytes,
            .answersNothingWhenTooLarge:
            ["page:"]
        case .readConfirms, .readsFromBelowTheFloor: ["read:"]
        case .atomicIsNot, .atomicNamesNoMailbox: ["atomic batch:"]
        case .batchStopsAtARefusal: ["batch:"]
        case .inboxUnordered, .inboxEndsEarly, .inboxListsOthers: ["inbox:"]
        case .syncLimitsEachMailbox: ["sync page:"]
        case .syncConfirmsBeforeItChecks, .syncListsEmptyMailboxes: ["sync:"]
        case .compactsWhatWaits, .compactsNothing, .compactsByPolicyOfAnother,
            .compactionForgetsTheSequence:
            ["compact:"]
        case .compactionForgetsDevices: ["producer: the numbering outlives"]
        case .watchIsDeaf, .watchNeverCatchesUp, .watchHearsNothingLive: ["watch:"]
        case .accentsAreOne: ["address: composed"]
        case .caseIsOne: ["address: composed", "inbox: senders"]
        case .timestampsFollowNothing: ["append: timestamps", "append: the head has"]
        case .answersAnotherTime, .answersNoEpoch: ["append: the answer tells"]
        case .producersAreNotHandedOut: ["append: a message carries"]
        case .isOpenWhenClosed: ["close:"]
        }
    }
}

/// The model, broken in one way or in none.
struct DefectiveStore: MailboxStorage {
    let model: ModelStore
    let defect: Defect?

    var epoch: Epoch {
        get async throws(StoreError) { try await model.epoch }
    }

    func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try await model.sendState(seen(mailbox), device: device)
    }

    func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        if defect == .isOpenWhenClosed { return .empty }
        return try await model.head(seen(mailbox))
    }

    /// The mailbox as a store sees it that compares addresses wrongly.
    func seen(_ mailbox: MailboxID) -> MailboxID {
        guard let sender = seen(mailbox.sender), let receiver = seen(mailbox.receiver) else {
            return mailbox
        }
        return MailboxID(sender: sender, receiver: receiver)
    }

    func seen(_ address: Address) -> Address? {
        let text = address.description
        switch defect {
        // A String compares by canonical equivalence: this is both spellings.
        case .accentsAreOne: return text == "\u{E9}" ? try? Address("\u{E9}") : address
        case .caseIsOne: return try? Address(text.lowercased())
        default: return address
        }
    }
}

// MARK: Append

extension DefectiveStore {
    func append(_ append: Append) async throws(StoreError) -> AppendResult {
        var append = append
        append.mailbox = seen(append.mailbox)
        if defect == .changesALongBody, append.body.count > 4_000, append.body.count < 70_000 {
            append.body[append.body.endIndex - 1] ^= 1
        }
        do {
            var result = try await model.append(append)
            if defect == .answersAnotherTime, let time = result.timestampMilliseconds {
                result.timestampMilliseconds = time + 1
            }
            if defect == .answersNoEpoch { result.epoch = nil }
            if result.isDuplicate {
                if defect == .forgetsTheDuplicatesSequence { result.sequence = nil }
                if defect == .storesDuplicates {
                    append.producer = nil
                    return try await model.append(append)
                }
            }
            return result
        } catch {
            if defect == .takesGaps, error.code == .producerGap {
                append.producer = nil
                return try await model.append(append)
            }
            if defect == .takesConflicts, error.code == .producerConflict {
                return AppendResult(sequence: 1, isDuplicate: true, durability: .commit)
            }
            if defect == .tellsNoExpectedNumber {
                throw StoreError(code: error.code, message: error.message)
            }
            throw error
        }
    }

    func append(
        batch: [Append]
    ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        guard batch.count <= 500 else { return try await model.append(batch: batch) }
        _ = try await model.epoch
        var results: [Result<AppendResult, StoreError>] = []
        for append in batch {
            if defect == .batchStopsAtARefusal, case .failure? = results.last {
                results.append(.failure(.closed()))
                continue
            }
            do throws(StoreError) {
                results.append(.success(try await self.append(append)))
            } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    func append(atomically batch: [Append]) async throws(StoreError) -> [AppendResult] {
        if defect == .atomicIsNot, batch.count <= 500 {
            var results: [AppendResult] = []
            for append in batch {
                do {
                    results.append(try await model.append(append))
                } catch {
                    throw error.about(append.mailbox)
                }
            }
            return results
        }
        do {
            return try await model.append(
                atomically: batch.map { append in
                    var append = append
                    append.mailbox = seen(append.mailbox)
                    return append
                })
        } catch {
            guard defect == .atomicNamesNoMailbox else { throw error }
            throw StoreError(code: error.code, message: error.message)
        }
    }
}
