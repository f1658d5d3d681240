import Foundation
import Mailbox

/// What is known on one connection, and void with it: everything that lasts is in the database.
struct Link {
    /// A request that is not answered yet.
    enum Request {
        case hello
        case send(conversation: Int64, Sent)
        case sendStates([Int64])
        case sync([Int64: SequenceNumber], epoch: UInt64)
        case fetch(Int64)
        case acknowledge(Int64)
        case ping
        case refreshToken
    }

    /// A message that is under way.
    struct Sent {
        let id: Int64
        let clientSequence: ClientSequence
        let wasSent: Bool
        let bytes: Int
    }

    /// What is to be done about one sender.
    struct Receiving {
        var isAsking = false
        var needsFetch = false
        var needsAcknowledge = false
    }

    let connection: UInt64
    let device: DeviceTable.Device
    var isWelcome = false
    var epoch: UInt64 = 0
    /// The epoch changed since it was looked at whose numbers are to be asked for.
    var isEpochNew = false
    var bodyBytesMaximum = 0
    var requestsMaximum = 64

    // MARK: Requests

    private(set) var requests: [UInt32: (Request, deadline: Int64)] = [:]
    private var nextRequest: UInt32 = 1
    private var oldestRequest: UInt32 = 1

    init(connection: UInt64, device: DeviceTable.Device, sendWindow: Int) {
        self.connection = connection
        self.device = device
        self.sendWindow = Double(max(1, sendWindow))
    }

    /// The number for a request.
    mutating func add(_ request: Request, deadline: Int64) -> UInt32 {
        let number = nextRequest
        nextRequest = nextRequest == .max ? 1 : nextRequest + 1
        requests[number] = (request, deadline)
        return number
    }

    /// The request that an answer belongs to; nil when there is none.
    mutating func take(_ number: UInt32) -> Request? {
        requests.removeValue(forKey: number)?.0
    }

    /// When the oldest request is given up.
    mutating func requestDeadline() -> Int64? {
        guard !requests.isEmpty else {
            oldestRequest = nextRequest
            return nil
        }
        while requests[oldestRequest] == nil {
            oldestRequest = oldestRequest == .max ? 1 : oldestRequest + 1
        }
        return requests[oldestRequest]?.deadline
    }

    // MARK: Sending

    var lanes: [Int64: Lane] = [:]
    /// Conversations whose lane wants a look, in their order; `Lane.isQueued` says who is in it.
    var work: [Int64] = []
    /// Conversations whose lane waits for a time.
    var paused: [Int64] = []
    var sendsInFlight = 0
    var sendBytesInFlight = 0
    /// As many sends may be under way: it halves when the server says that they are too many, and
    /// grows by one with each eight windows that are answered.
    private(set) var sendWindow: Double
    /// Until then nothing is sent: the server's allowance grows meanwhile, so that a rest costs
    /// nothing, while a refusal for each message would end the connection.
    private(set) var sendingPausedUntil: Int64 = 0

    mutating func slowDown(until time: Int64) {
        sendWindow = max(1, sendWindow / 2)
        sendingPausedUntil = max(sendingPausedUntil, time)
    }

    mutating func widenSendWindow(_ maximum: Int) {
        sendWindow = min(Double(maximum), sendWindow + 1 / (8 * sendWindow))
    }

    mutating func enqueue(_ conversation: Int64) {
        guard lanes[conversation, default: Lane()].isQueued == false else { return }
        lanes[conversation, default: Lane()].isQueued = true
        work.append(conversation)
    }

    /// A lane's number is to be asked for, once nothing of it is under way.
    mutating func want(lane conversation: Int64) {
        lanes[conversation, default: Lane()].mode = .settling
        enqueue(conversation)
    }

    // MARK: Receiving

    var needsSync = true
    /// When to sync again, though nothing was pushed: a push may be lost in a crash of the server.
    var syncAt: Int64 = .max
    var isSyncing = false
    /// What waited when this connection began is stored.
    var isCaughtUp = false
    var receiving: [Int64: Receiving] = [:]
    /// Conversations of `receiving` that want a look, in their order; may name some twice.
    var receivingWork: [Int64] = []
    var receivingInFlight = 0
    var receivingPausedUntil: Int64 = 0

    mutating func want(fetch: Bool = false, acknowledge: Bool = false, _ conversation: Int64) {
        var entry = receiving[conversation, default: Receiving()]
        entry.needsFetch = entry.needsFetch || fetch
        entry.needsAcknowledge = entry.needsAcknowledge || acknowledge
        receiving[conversation] = entry
        if entry.needsFetch || entry.needsAcknowledge { receivingWork.append(conversation) }
    }
}

/// Where the sending to one receiver stands on this connection.
struct Lane {
    enum Mode {
        /// The server's number is to be asked for.
        case unknown
        case asking
        /// Messages go, from `next` on.
        case open
        /// No more messages go until those under way are answered; then the number is asked for.
        case settling
    }

    /// A message that the server will never take.
    struct Poison {
        let id: Int64
        let clientSequence: ClientSequence
        let reason: RefusalReason
        let text: String
    }

    var mode = Mode.unknown
    var next: ClientSequence = 1
    var inFlight = 0
    var isQueued = false
    /// The server was asked for its number, and has not answered: it is not asked again before.
    var isAsked = false
    /// Set when somebody else numbered by this device's name: what waits through this number is
    /// compared by the server with what it has. Where all of that is there, the next one is, too;
    /// where it is not, the rest gets a new name.
    var verifyThrough: ClientSequence?
    var poison: Poison?
    var pausedUntil: Int64 = 0
    var failures = 0
    var renewal = IdentityRenewal.ahead
}
