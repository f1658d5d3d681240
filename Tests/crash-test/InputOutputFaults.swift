import Glibc

/// `crash-test faults`: every call of every operation fails once, in each way that it can. The
/// error is a typed one, nothing untrue is promised, reads go on, and the store opens again.
struct InputOutputFaults {
    let options: Options
    let part: Int
    let parts: Int

    private static let kinds: [(name: String, deed: String)] = [
        ("EIO", String(EIO)), ("ENOSPC", String(ENOSPC)), ("short", "short"),
        ("EINTR", String(EINTR)),
    ]
    /// What a call on a file may be answered with when the disk is at fault.
    private static let codes: Set<String> = ["failed", "storageFull"]

    func run() throws {
        for operation in Operation.allCases {
            let sweep = try Sweep(
                operation, shim: options.text("shim"),
                scratch: "\(try options.text("scratch"))/\(operation)")
            for kind in Self.kinds {
                print("faults.\(operation).\(kind.name): \(try run(sweep, kind))")
            }
        }
    }

    private func run(_ sweep: Sweep, _ kind: (name: String, deed: String)) throws -> Int {
        let stride = try options.number("stride", else: 1)
        var faults = 0
        var call = 1 + part * stride
        while true {
            let attempt = try sweep.attempt(call: call, kind.deed)
            let place = "\(sweep.operation), \(kind.name) at call \(call)"
            guard attempt.ending == .exit(0) else {
                print("violation: \(place): ended with \(attempt.ending)")
                print("faults.violations: 1")
                call += parts * stride
                continue
            }
            guard let hit = attempt.hit else { return faults }
            faults += 1
            do throws(Failure) {
                try check(sweep, attempt, hit, kind.name)
            } catch {
                print("violation: \(place) (\(hit)): \(error)")
                print("faults.violations: 1")
            }
            call += parts * stride
        }
    }

    private func check(
        _ sweep: Sweep, _ attempt: Sweep.Try, _ hit: String, _ kind: String
    ) throws(Failure) {
        if let wrong = attempt.history.wrong { throw Failure("a wrong body was read: \(wrong)") }
        let failed = attempt.answers["E"]
        // LMDB takes a header that was read in part for another program's file.
        let isShortHeader = kind == "short" && hit == "pread" && failed == "corrupted"
        if let failed, !Self.codes.contains(failed), !isShortHeader {
            throw Failure("it failed with \(failed)")
        }
        let isSync = hit == "fsync" || hit == "fdatasync"
        if let next = attempt.answers["T"] {
            guard next == "ok" || Self.codes.contains(next) else {
                throw Failure("the next append failed with \(next)")
            }
            // What the operation itself could not sync ends the store's writes.
            let endsWrites: [Operation] = [.append, .segments, .checkpoint, .compaction]
            if isSync, failed == "failed", endsWrites.contains(sweep.operation), next != "failed" {
                throw Failure("after a sync that failed, an append was answered \(next)")
            }
        }
        // A checkpoint on the side may remove what is confirmed, between a look at the floor and
        // the read above it: `trimmed` is the answer of a store that reads.
        if let reads = attempt.answers["G"], reads != "ok", reads != "trimmed" {
            // LMDB itself reads no more when it cannot write its meta page, a write of less than a
            // page.
            guard hit == "pwrite", reads == "failed" else {
                throw Failure("reads do not go on: \(reads)")
            }
            print("faults.reads_ended_by_meta_page: 1")
        }
        // A disk that failed once works again: so does whatever is begun anew.
        let begunAnew: [Operation] = [.create, .open, .restore]
        if begunAnew.contains(sweep.operation), let again = attempt.answers["Y"], again != "ok" {
            throw Failure("tried again, it failed with \(again)")
        }
        var random = SeededRandom(seed: UInt64(attempt.history.lineCount))
        try Oracle().checkAllCopies(sweep.root, attempt.history)
        try Oracle().open("\(sweep.root)/store", attempt.history, &random)
    }
}
