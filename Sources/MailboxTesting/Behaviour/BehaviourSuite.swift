/// One promise of the contract, as a check that runs against any store.
public struct BehaviourCase: Sendable, CustomStringConvertible {
    /// Makes a fresh store for a case.
    public typealias Factory = @Sendable (Fixture.Options) async throws -> Fixture

    /// How a case ended, when the store did not fail it.
    public enum Outcome: Hashable, Sendable {
        /// The store did what the contract says.
        case passed
        /// The store lacks a lever that the case needs.
        case skipped(Fixture.Lever)
    }

    /// What is promised, in a few words; no two cases have the same.
    public let name: String
    let lever: Fixture.Lever?
    let options: Fixture.Options
    let check: @Sendable (Fixture) async throws -> Void

    init(
        _ name: String, needs lever: Fixture.Lever? = nil, options: Fixture.Options = .init(),
        _ check: @escaping @Sendable (Fixture) async throws -> Void
    ) {
        self.name = name
        self.lever = lever
        self.options = options
        self.check = check
    }

    /// The case's name.
    public var description: String { name }

    /// Runs the case against a store of its own.
    ///
    /// - Parameters:
    ///   - deadline: how long the case may take: a lost wake-up would be waited for without end.
    ///   - factory: makes the store.
    /// - Throws: `BehaviourFailure` when the store breaks the promise, and what the store throws.
    @discardableResult
    public func run(
        deadline: Duration = .seconds(120), _ factory: Factory
    ) async throws -> Outcome {
        let fixture = try await factory(options)
        if let missing = lever, !fixture.has(missing) {
            await fixture.tearDown()
            return .skipped(missing)
        }
        do {
            try await check(fixture, within: deadline)
        } catch {
            await fixture.tearDown()
            throw error
        }
        await fixture.tearDown()
        return .passed
    }

    private func check(_ fixture: Fixture, within deadline: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await check(fixture) }
            group.addTask {
                try await Task.sleep(for: deadline)
                throw BehaviourFailure("not done after \(deadline)", file: #fileID, line: #line)
            }
            try await group.next()
            group.cancelAll()
        }
    }
}

/// What every store must do, whoever keeps the messages: the contract as a list of checks.
///
/// A test target runs each case over its own kind of store:
///
/// ```swift
/// @Test(arguments: BehaviourSuite.cases)
/// func behaves(_ behaviour: BehaviourCase) async throws {
///     try await behaviour.run { options in try makeFixture(options) }
/// }
/// ```
public enum BehaviourSuite {
    /// All cases.
    public static let cases: [BehaviourCase] = [
        appendCases, producerCases, batchCases, exhaustionCases, fetchCases, fetchRefusalCases,
        pageCases, readCases, acknowledgeCases, inboxCases, syncCases, syncPageCases, watchCases,
        compactionCases, addressCases, lifecycleCases, concurrencyCases,
    ].flatMap(\.self)
}
