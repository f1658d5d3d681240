import Mailbox
import StoreAPI

/// A server as a client's pipeline sees it: it takes frames in order, stores what they hold, and
/// answers them in order, until the connection is lost.
struct ModelServer {
    struct Device: Hashable {
        let mailbox: MailboxID
        let device: DeviceID
    }

    typealias Frame = FramePipeline<Append>.Frame

    /// The bodies of each mailbox, in the order stored.
    private(set) var stored: [MailboxID: [[UInt8]]] = [:]
    private var sequences: [Device: [SequenceNumber]] = [:]
    /// Frames on their way to the server.
    private var sent: [Frame] = []
    /// Answers on their way to the client.
    private var answers: [(frame: UInt64, outcomes: [AppendOutcome])] = []
    /// True once the server said that it is going away: it stores nothing more.
    var isGoingAway = false
    /// True while it refuses whatever it has not looked at.
    var isBusy = false

    var hasFrames: Bool { !sent.isEmpty }
    var hasAnswers: Bool { !answers.isEmpty }

    mutating func receive(_ frame: Frame) { sent.append(frame) }

    /// Works on the oldest frame.
    mutating func process() {
        guard !sent.isEmpty else { return }
        let frame = sent.removeFirst()
        let outcomes = frame.stretches.joined().map { store($0) }
        answers.append((frame.number, outcomes))
    }

    /// The oldest answer, which reaches the client.
    mutating func takeAnswer() -> (frame: UInt64, outcomes: [AppendOutcome])? {
        answers.isEmpty ? nil : answers.removeFirst()
    }

    /// The connection is lost. Some of what was on its way is still stored; no answer comes.
    mutating func loseConnection(afterStoring count: Int) {
        for _ in 0..<min(count, sent.count) { process() }
        sent = []
        answers = []
        isGoingAway = false
    }

    private mutating func store(_ append: Append) -> AppendOutcome {
        if isGoingAway { return .failure(.closed()) }
        if isBusy { return .failure(StoreError(code: .overloaded, message: "busy")) }
        guard let producer = append.producer else { return .success(add(append)) }
        let device = Device(mailbox: append.mailbox, device: producer.device)
        let known = sequences[device] ?? []
        switch Int(producer.clientSequence) {
        case known.count + 1:
            let result = add(append)
            sequences[device] = known + [result.sequence ?? 0]
            return .success(result)
        case ...known.count:
            return .success(
                AppendResult(
                    sequence: known[Int(producer.clientSequence) - 1], isDuplicate: true,
                    durability: .commit))
        default: return .failure(.producerGap(expected: ClientSequence(known.count + 1)))
        }
    }

    private mutating func add(_ append: Append) -> AppendResult {
        stored[append.mailbox, default: []].append(Array(append.body))
        return AppendResult(
            sequence: SequenceNumber(stored[append.mailbox]?.count ?? 0), isDuplicate: false,
            durability: .commit)
    }
}
