import Mailbox
import MailboxTesting
import Testing

@Suite("The suite notices a store that breaks the contract")
struct SuiteNoticesTests {
    /// The cases that fail over a store that is broken in one way.
    private func failures(
        _ factory: @escaping BehaviourCase.Factory, among prefixes: [String]
    ) async -> [String] {
        var failures: [String] = []
        for behaviour in BehaviourSuite.cases
        where prefixes.contains(where: { behaviour.name.hasPrefix($0) }) {
            do {
                try await behaviour.run(deadline: .milliseconds(400), factory)
            } catch {
                failures.append(behaviour.name)
            }
        }
        return failures
    }

    @Test("Each defect is noticed", arguments: Defect.allCases)
    func noticed(_ defect: Defect) async {
        let failures = await failures(
            { options in .model(options) { DefectiveStore(model: $0, defect: defect) } },
            among: defect.noticedBy)
        #expect(!failures.isEmpty, "nothing noticed \(defect)")
    }

    @Test("Without a defect the same store is not complained about")
    func noFalseAlarm() async throws {
        for behaviour in BehaviourSuite.cases {
            try await behaviour.run { options in
                .model(options) { DefectiveStore(model: $0, defect: nil) }
            }
        }
    }

    @Test("A store that forgets everything when it is reopened")
    func forgetsAtReopen() async {
        let failures = await failures(
            { options in
                var fixture = Fixture.model(options)
                fixture.reopen = { ModelStore() }
                return fixture
            }, among: ["reopen:"])
        #expect(failures.count == 4)
    }

    @Test("A restored store that keeps its epoch")
    func restoresItsEpoch() async {
        let failures = await failures(
            { options in
                var fixture = Fixture.model(options)
                fixture.restore = fixture.reopen
                return fixture
            }, among: ["restore:"])
        #expect(failures == ["restore: it has a new epoch, and old cursors are refused"])
    }

    @Test("Cases without their lever are skipped, not passed")
    func skips() async throws {
        var skipped: Set<Fixture.Lever> = []
        for behaviour in BehaviourSuite.cases {
            let outcome = try await behaviour.run { options in
                var fixture = Fixture.model(options)
                fixture.clock = nil
                fixture.seed = nil
                fixture.close = nil
                fixture.reopen = nil
                fixture.restore = nil
                return fixture
            }
            if case .skipped(let lever) = outcome { skipped.insert(lever) }
        }
        #expect(skipped == Set(Fixture.Lever.allCases))
    }
}
