/// What went wrong in a run of random operations, and how to see it again.
public struct DriverFailure: Error, CustomStringConvertible, Sendable {
    /// What decides the run.
    public let seed: UInt64
    /// The operation at which it went wrong, from 0; nil when it was behind the last.
    public let step: Int?
    /// What went wrong.
    public let reason: String
    /// The fewest operations found that go wrong, too.
    public let operations: [Operation]

    /// The seed, the step, the reason and the operations.
    public var description: String {
        let list = operations.suffix(60).enumerated().map { "  \($0): \($1)" }
        return """
            seed \(seed), \(step.map { "step \($0)" } ?? "at the end"): \(reason)
            the last of \(operations.count) operations:
            \(list.joined(separator: "\n"))
            """
    }
}

/// A run of random operations that a seed decides.
public struct DriverRun: Sendable {
    /// Makes the store of a run, empty.
    public typealias Factory = @Sendable (_ seed: UInt64) async throws -> Subject

    /// What decides the run.
    public let seed: UInt64
    /// How many operations.
    public let count: Int
    private let factory: Factory

    /// A run over the stores that a factory makes.
    public init(seed: UInt64, count: Int, _ factory: @escaping Factory) {
        self.seed = seed
        self.count = count
        self.factory = factory
    }

    /// The run's operations.
    public func operations(bodyBytesMaximum: Int) -> [Operation] {
        var generator = OperationGenerator(
            seed: seed, universe: Universe(seed: seed), bodyBytesMaximum: bodyBytesMaximum)
        return generator.operations(count)
    }

    /// Runs it, and looks for fewer operations when it goes wrong.
    ///
    /// - Parameter attempts: how many shorter lists to try.
    /// - Throws: `DriverFailure`.
    public func check(attempts: Int = 200) async throws {
        let subject = try await factory(seed)
        let operations = operations(
            bodyBytesMaximum: subject.configuration.messageBytesMaximum)
        guard let first = await run(operations, on: subject) else { return }
        var best = first
        best = await Self.minimised(best, attempts: attempts) { operations in
            guard let subject = try? await factory(seed) else { return nil }
            return await run(operations, on: subject)
        }
        throw best
    }

    /// Runs a list of operations.
    private func run(_ operations: [Operation], on subject: Subject) async -> DriverFailure? {
        var step: Int? = 0
        var failure: DriverFailure?
        var store = subject.store
        do {
            let driver = try await ModelDriver(subject: subject, universe: Universe(seed: seed))
            defer { store = driver.store }
            for (index, operation) in operations.enumerated() {
                step = index
                try await driver.perform(operation)
            }
            step = nil
            try await driver.end()
        } catch {
            failure = DriverFailure(
                seed: seed, step: step, reason: "\(error)",
                operations: Array(operations.prefix((step ?? operations.count) + 1)))
        }
        await subject.tearDown(store)
        return failure
    }

    /// Leaves out what the failure does not need: halves first, then ever smaller pieces.
    static func minimised(
        _ failure: DriverFailure, attempts: Int,
        _ run: ([Operation]) async -> DriverFailure?
    ) async -> DriverFailure {
        var best = failure
        var left = attempts
        var size = max(1, best.operations.count / 2)
        while left > 0 {
            var start = 0
            var hasShrunk = false
            while start < best.operations.count, left > 0 {
                var shorter = best.operations
                shorter.removeSubrange(start..<min(start + size, shorter.count))
                left -= 1
                if let again = await run(shorter) {
                    best = again
                    hasShrunk = true
                } else {
                    start += size
                }
            }
            if size == 1 && !hasShrunk { break }
            size = max(1, size / 2)
        }
        return best
    }
}
