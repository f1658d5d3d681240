public import Mailbox

extension Fixture {
    /// A model with every lever: what the suite itself is tested with.
    ///
    /// - Parameter wrap: puts something around the model, to see whether the suite notices.
    public static func model(
        _ options: Options, wrap: @escaping @Sendable (ModelStore) -> any MailboxStorage = { $0 }
    ) -> Fixture {
        let clock = ManualClock()
        var configuration = ModelStore.Configuration(clock: clock)
        configuration.messageBytesMaximum = 70_000
        configuration.batchMessagesMaximum = 500
        configuration.retention = options.retention
        let model = ModelStore(configuration: configuration)
        var fixture = Fixture(
            store: wrap(model), messageBytesMaximum: configuration.messageBytesMaximum,
            batchMessagesMaximum: configuration.batchMessagesMaximum)
        fixture.clock = clock
        fixture.seed = { mailbox, sequence in model.seed(mailbox, max: sequence) }
        fixture.close = { model.close() }
        fixture.reopen = {
            model.close()
            model.reopen()
            return wrap(model)
        }
        fixture.restore = { wrap(ModelStore(restoring: model.backup())) }
        return fixture
    }
}
