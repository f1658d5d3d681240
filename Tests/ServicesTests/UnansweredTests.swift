import Mailbox
import MailboxTesting
import Metrics
import StoreAPI
import Synchronization
import Testing

@testable import SendSrv

/// A device whose message the store took without saying so asks for the store's number, and does
/// not send again. Found by the simulated services: its receiver was not told before the next
/// message.
@Suite("Messages whose outcome the store did not tell", .timeLimit(.minutes(2)))
struct UnansweredTests {
    private let model = ModelStore()
    private let pushes = RecordedPushes()

    private func append(_ sender: String = "alice") throws -> Append {
        Append(try MailboxID(sender: sender, receiver: "bob"), text: "hello")
    }

    private func sender(_ storage: any MailboxStorage, delay: Duration = .zero) -> MessageSender {
        var configuration = SendConfiguration()
        configuration.unansweredDelay = delay
        return MessageSender(
            storage: storage, facts: ServiceStack.facts(storage), push: pushes,
            configuration: configuration,
            activity: SendActivity(metrics: NOOPMetricsHandler.instance))
    }

    private func unanswered(_ storage: any MailboxStorage, room: Int = 10) -> UnansweredAppends {
        UnansweredAppends(storage: storage, push: pushes, countMaximum: room, delay: .zero)
    }

    private static func failure(_ code: StoreError.Code) -> AppendOutcome {
        .failure(StoreError(code: code, message: "told by a test"))
    }

    private func waitFor(_ isTrue: @Sendable () -> Bool) async {
        while !isTrue(), !Task.isCancelled { await Task.yield() }
        #expect(isTrue())
    }

    @Test("What was stored is announced, though nobody sends it again")
    func announced() async throws {
        let sender = sender(ForgetfulStorage(model, every: 1))
        await #expect(throws: StoreError.self) { try await sender.send(try append()) }
        await waitFor { !pushes.all.isEmpty }
        let push = Push(
            mailbox: try append().mailbox, epoch: try await model.epoch, content: .notice(max: 1))
        #expect(pushes.all == [push])
        await sender.drain()
        #expect(pushes.lossCount == 0)
    }

    @Test("A store that does not answer is asked again; what was not stored is not announced")
    func lookedAtAgain() async throws {
        let storage = ForgetfulStorage(model)
        storage.failHeads(3)
        let unanswered = unanswered(storage)
        _ = try await model.append(append("carol"))
        let mailboxes = try [append("dora").mailbox, append("carol").mailbox]
        unanswered.note(mailboxes, [Self.failure(.unknown), Self.failure(.unknown)])
        await waitFor { !pushes.all.isEmpty }
        #expect(pushes.all.map(\.mailbox) == [mailboxes[1]])
        #expect(storage.headCount > 4)
        #expect(pushes.lossCount == 0)
    }

    @Test("Beyond its room, PushSrv looks at all")
    func overfull() async throws {
        let unanswered = unanswered(model, room: 2)
        let appends = try ["carol", "dora", "emil"].map(append)
        for append in appends { _ = try await model.append(append) }
        unanswered.note(
            appends.map(\.mailbox), [AppendOutcome](repeating: Self.failure(.unknown), count: 3))
        await waitFor { pushes.lossCount == 1 && pushes.all.count == 2 }
    }

    @Test("A store that had failed and takes messages again: PushSrv looks at all, once")
    func failed() async throws {
        let unanswered = unanswered(model)
        let mailbox = try append().mailbox
        let success = AppendResult(sequence: 2, isDuplicate: false, durability: .commit)
        unanswered.note([mailbox], [Self.failure(.failed)])
        #expect(pushes.lossCount == 0)
        unanswered.note([mailbox], [.success(success)])
        unanswered.note([mailbox], [.success(success)])
        #expect(pushes.lossCount == 1)
        // Whatever is refused in other ways was not stored.
        unanswered.note([mailbox], [Self.failure(.unavailable)])
        unanswered.note([mailbox], [.success(success)])
        await unanswered.close()
        #expect(pushes.lossCount == 1 && pushes.all.isEmpty)
    }

    @Test("A SendSrv that ends before it could look leaves it to PushSrv")
    func ended() async throws {
        let sender = sender(ForgetfulStorage(model, every: 1), delay: .seconds(3_600))
        await #expect(throws: StoreError.self) { try await sender.send(try append()) }
        await sender.drain()
        #expect(pushes.lossCount == 1)
    }
}
