internal import Mailbox

extension ModelDriver {
    enum Manner {
        case single
        case each
        case atomic
    }

    func append(_ plans: [Operation.AppendPlan], as manner: Manner) async throws {
        let appends = resolve(plans)
        switch manner {
        case .single: try await appendOne(appends[0])
        case .each: try await appendEach(appends)
        case .atomic: try await appendAll(appends)
        }
    }

    private func appendOne(_ append: Append) async throws {
        let actual = await answer { () throws(StoreError) in try await self.store.append(append) }
        if try await isUnknown(actual, { try await self.crash(unknown: [append]) }) { return }
        if try await hasPassed(actual, [append.mailbox]) { return }
        try expectAnswers(
            await answer { () throws(StoreError) in try await self.model.append(append) }, actual,
            "append to \(append.mailbox)")
    }

    private func appendEach(_ appends: [Append]) async throws {
        let mailboxes = appends.map(\.mailbox)
        let actual = await answer { () throws(StoreError) in
            try await self.store.append(batch: appends)
        }
        if try await isUnknown(actual, { try await self.crash(unknown: appends) }) { return }
        if try await hasPassed(actual, mailboxes) { return }
        if case .success(let results) = actual,
            let failed = results.first(where: { self.isFailed($0) })
        {
            // The group failed: what was answered as stored is, the rest nobody knows.
            _ = try await isUnknown(failed) { try await self.crash(unknown: appends) }
            return try expectStored(appends, results)
        }
        guard case .success(var got) = actual else {
            let expected = await answer { () throws(StoreError) in
                try await self.model.append(batch: appends)
            }
            return try expectRefusals(expected, actual, "batch of \(appends.count)")
        }
        try expectEqual(got.count, appends.count, "batch: the number of answers")
        // What was refused in passing left no trace: as if it had not been sent.
        var sent = appends
        for index in got.indices.reversed() {
            guard case .failure(let error) = got[index], subject.passingCodes.contains(error.code)
            else { continue }
            got.remove(at: index)
            sent.remove(at: index)
        }
        let wanted = try await model.append(batch: sent)
        for (index, append) in sent.enumerated() {
            try expectAnswers(
                wanted[index], got[index], "batch: answer \(index), to \(append.mailbox)")
        }
        if sent.count < appends.count { try await expectUntouched(mailboxes) }
    }

    private func appendAll(_ appends: [Append]) async throws {
        let mailboxes = appends.map(\.mailbox)
        let actual = await answer { () throws(StoreError) in
            try await self.store.append(atomically: appends)
        }
        let isUnknown = try await isUnknown(actual) {
            try await self.crash(unknown: appends, isAtomic: true)
        }
        if isUnknown { return }
        if try await hasPassed(actual, mailboxes) { return }
        if case .failure(let error) = actual, error.code == .invalidArgument,
            subject.splitsReceivers, Set(mailboxes.map(\.receiver)).count > 1
        {
            return try await expectUntouched(mailboxes)
        }
        // Two addresses and a device have 192 bytes at most; what numbers need is less than 64.
        if case .failure(let error) = actual, error.code == .invalidArgument,
            appends.reduce(0, { $0 + $1.body.count + 256 }) > subject.atomicBytesMaximum
        {
            return try await expectUntouched(mailboxes)
        }
        let expected = await answer { () throws(StoreError) in
            try await self.model.append(atomically: appends)
        }
        if case .failure(let wanted) = expected, case .failure(let got) = actual,
            isArgumentRefusal(got), got.code != wanted.code
        {
            // Arguments may be checked for the whole batch before any number is looked at.
            let isReasonable = appends.contains { append in
                append.mailbox == got.facts.mailbox && got.code == argumentRefusal(of: append)
            }
            return try expect(
                isReasonable, "atomic batch: refused without a reason: \(got)")
        }
        guard case .success(let wanted) = expected, case .success(let got) = actual else {
            return try expectRefusals(expected, actual, "atomic batch of \(appends.count)")
        }
        try expectEqual(got, wanted, "atomic batch: the answers")
    }

    private func isArgumentRefusal(_ error: StoreError) -> Bool {
        error.code == .invalidArgument || error.code == .messageTooLarge
    }

    private func expectStored(
        _ appends: [Append], _ results: [Result<AppendResult, StoreError>]
    ) throws {
        for (append, result) in zip(appends, results) {
            guard case .success(let answer) = result, let sequence = answer.sequence else {
                continue
            }
            try expect(
                modelHead(append.mailbox).max >= sequence,
                "\(append.mailbox): \(sequence) was answered, and is lost")
        }
    }

    private func argumentRefusal(of append: Append) -> StoreError.Code? {
        model.inspect { state in
            do throws(StoreError) {
                try state.checkArguments(append)
                return nil
            } catch {
                return error.code
            }
        }
    }

    private func isFailed<Value>(_ answer: Result<Value, StoreError>) -> Bool {
        guard case .failure(let error) = answer else { return false }
        return subject.mayFail && error.code == .failed
    }

    private func expectAnswers(
        _ expected: Result<AppendResult, StoreError>, _ actual: Result<AppendResult, StoreError>,
        _ what: String
    ) throws {
        guard case .success(let wanted) = expected, case .success(let got) = actual else {
            return try expectRefusals(expected, actual, what)
        }
        try expectEqual(got, wanted, what)
    }

    // MARK: From plans to messages

    /// Says what the plans mean now: each in the state that those in front of it leave.
    private func resolve(_ plans: [Operation.AppendPlan]) -> [Append] {
        let now = subject.clock.now()
        return model.inspect { model in
            var model = model
            return plans.map { plan in
                let append = resolve(plan, in: model)
                if plans.count > 1 { _ = try? model.append(append, now: now) }
                return append
            }
        }
    }

    private func resolve(_ plan: Operation.AppendPlan, in model: ModelState) -> Append {
        var random = SeededRandom(seed: plan.bodySeed)
        var body = random.bytes(plan.bodyBytes)[...]
        func last(_ device: DeviceID) -> ClientSequence {
            model.mailboxes[plan.mailbox]?.producers[device]?.last ?? 0
        }
        func earlier(_ device: DeviceID, _ back: UInt32) -> Producer {
            let number = max(1, Int64(last(device)) - Int64(back))
            if let entry = model.mailboxes[plan.mailbox]?.producers[device]?
                .entry(ClientSequence(number))
            {
                body = entry.body
            }
            return Producer(device: device, clientSequence: ClientSequence(number))
        }
        var producer: Producer?
        switch plan.numbering {
        case .none: producer = nil
        case .next(let device):
            producer = Producer(device: device, clientSequence: last(device) + 1)
        case .again(let device, let back): producer = earlier(device, back)
        case .conflict(let device, let back):
            producer = earlier(device, back)
            body = body.isEmpty ? [1] : body.dropLast() + [body[body.endIndex - 1] ^ 1]
        case .skipping(let device, let count):
            producer = Producer(device: device, clientSequence: last(device) + 1 + count)
        case .zero(let device):
            // One thing wrong at a time: what is checked first is left open.
            body = body.prefix(100)
            producer = Producer(device: device, clientSequence: 0)
        }
        return Append(plan.mailbox, producer: producer, body: body)
    }
}
