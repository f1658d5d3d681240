internal import Logging
internal import Mailbox
internal import ServiceHost
internal import StoreEngine

/// What all services of a server share.
struct ServerCore: CallHost {
    let store: MailboxStore
    let configuration: StoreServerConfiguration
    let lifecycle: ServerLifecycle
    /// For calls that read.
    let reads: BlockingPool
    /// For calls that take long, and of which there is one at a time.
    let maintenance: BlockingPool
    /// Appends of all streams that wait for the journal.
    let appendCredit: CreditCounter
    let activity: StoreActivity
    let logger: Logger

    var requestBytesMaximum: Int { configuration.requestBytesMaximum }

    func refused(_ code: StoreError.Code) { activity.refused(code) }
}
