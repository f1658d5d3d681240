import MailboxTesting
import Testing

@Suite("The model behaves as the contract says")
struct ModelBehaviourTests {
    @Test("The model", arguments: BehaviourSuite.cases)
    func behaves(_ behaviour: BehaviourCase) async throws {
        let outcome = try await behaviour.run { options in .model(options) }
        #expect(outcome == .passed)
    }

    @Test("No two cases have the same name")
    func namesDiffer() {
        #expect(Set(BehaviourSuite.cases.map(\.name)).count == BehaviourSuite.cases.count)
        #expect(BehaviourSuite.cases.count >= 100)
    }
}
