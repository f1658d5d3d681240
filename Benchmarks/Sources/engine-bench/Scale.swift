/// How much of everything: enough that background work falls inside the timing, or little for a
/// smoke test.
struct Scale: Sendable {
    var mailboxes = 100_000
    /// Per contestant and run; LMDB stops at `secondsMaximum`.
    var bulkMessages = 4_000_000
    var secondsMaximum = 20.0
    var rounds = 3
    var tasks = 1_000
    var taskMessages = 1_000_000
    var singleSamples = 10_000
    var basePerMailbox = 60
    var baseReads = 100_000
    var tailMailboxesPerPageSize = 500
    var tailPerMailbox = 1_000
    var latencySeconds = 12.0
    var latencyPerSecond = 100_000
    var recoverMessages = 4_000_000
    var memoryMessages = 2_000_000
    var sustainedMessages = 20_000_000
    var sustainedMailboxes = 1_000_000
    var bareDiskSeconds = 2.0

    static let smoke: Scale = {
        var scale = Scale()
        scale.mailboxes = 1_000
        scale.bulkMessages = 20_000
        scale.secondsMaximum = 0.5
        scale.rounds = 1
        scale.tasks = 100
        scale.taskMessages = 5_000
        scale.singleSamples = 100
        scale.baseReads = 500
        scale.tailMailboxesPerPageSize = 4
        scale.latencySeconds = 2
        scale.latencyPerSecond = 10_000
        scale.recoverMessages = 20_000
        scale.memoryMessages = 50_000
        scale.sustainedMessages = 100_000
        scale.sustainedMailboxes = 5_000
        scale.bareDiskSeconds = 0.1
        return scale
    }()

    init() {}

    init(_ options: Options) {
        self = options.smoke ? .smoke : Scale()
        if let messages = options.messages {
            bulkMessages = messages
            taskMessages = messages
            recoverMessages = messages
            memoryMessages = messages
            sustainedMessages = messages
        }
        if let count = options.rounds { rounds = count }
    }
}
