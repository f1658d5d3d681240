import Mailbox

/// What a store is held to: what it answered, what readers saw, and what it was asked. Kept outside
/// of the system under test.
///
/// A program under test says what happens, a line each:
///
/// | line | what |
/// |---|---|
/// | `O epoch` | the store is open |
/// | `S mailbox device client run count` | so many appends are about to be sent |
/// | `A mailbox device client run sequence` | one of them was answered |
/// | `C mailbox cursor` | a cursor is about to be sent |
/// | `V mailbox sequence device client run` | a reader saw the message |
/// | `H mailbox max` | a reader saw the head |
/// | `k`, `K` | a checkpoint is about to begin; it was written |
/// | `B n`, `D n`, `X n` | backup n is about to be made; it was made; it is about to be removed |
/// | `r n`, `R n` | backup n is about to be restored; it was |
/// | `W mailbox sequence` | a reader saw a wrong body |
/// | `F code` | a call failed |
struct History {
    /// What is known of one mailbox.
    struct OfMailbox {
        /// By sequence − 1; nil where nobody was told what is there.
        var known: [Universe.Origin?] = []
        /// The highest sequence that anybody was told.
        var max: SequenceNumber = 0
        /// The highest cursor that was about to be sent.
        var cursor: SequenceNumber = 0
        /// By device: the last client sequence that was about to be sent, and that was answered.
        var sent = [ClientSequence](repeating: 0, count: Universe.deviceCount)
        var accepted = [ClientSequence](repeating: 0, count: Universe.deviceCount)

        mutating func learn(_ sequence: SequenceNumber, _ origin: Universe.Origin) {
            while known.count < Int(sequence) { known.append(nil) }
            known[Int(sequence) - 1] = origin
            max = Swift.max(max, sequence)
        }
    }

    /// A backup that was made, or is being made.
    struct OfBackup {
        /// What was durable when it began.
        let begun: [OfMailbox]
        var isMade = false
        var isBeingRestored = false
        var isRestored = false
    }

    var mailboxes = [OfMailbox](repeating: OfMailbox(), count: Universe.mailboxCount)
    /// Of the store, once it was open.
    var epoch: String?
    var backups: [Int: OfBackup] = [:]
    /// What a reader saw that nobody may ever see.
    private(set) var wrong: String?
    /// The codes that calls failed with.
    private(set) var failures: Set<String> = []
    /// Whether answers and sights bind at once, or from the next checkpoint on.
    var bindsAtOnce = true
    /// Of a run whose answers do not bind: what waits for a checkpoint, and how much of it the one
    /// under way covers.
    private var claims: [Substring] = []
    private var coveredClaims = 0
    /// Lines taken in.
    private(set) var lineCount = 0

    /// A run ended, and another begins: what it claimed and did not bind is void.
    mutating func beginRun(bindsAtOnce: Bool) {
        self.bindsAtOnce = bindsAtOnce
        claims = []
        coveredClaims = 0
    }

    mutating func hear(_ line: Substring) {
        lineCount += 1
        let words = line.split(separator: " ")
        guard let verb = words.first else { return }
        let numbers = words.dropFirst().map { Int($0) ?? 0 }
        switch verb {
        case "O": epoch = words.count > 1 ? String(words[1]) : nil
        case "S":
            let last = ClientSequence(numbers[2] + numbers[4] - 1)
            mailboxes[numbers[0]].sent[numbers[1]] = max(
                mailboxes[numbers[0]].sent[numbers[1]], last)
        case "C":
            mailboxes[numbers[0]].cursor = max(
                mailboxes[numbers[0]].cursor, SequenceNumber(numbers[1]))
        case "A", "V", "H":
            if bindsAtOnce { bind(line) } else { claims.append(line) }
        case "k": coveredClaims = claims.count
        case "K":
            for claim in claims.prefix(coveredClaims) { bind(claim) }
            claims.removeFirst(coveredClaims)
            coveredClaims = 0
        case "B": backups[numbers[0]] = OfBackup(begun: mailboxes)
        case "D": backups[numbers[0]]?.isMade = true
        case "r": backups[numbers[0]]?.isBeingRestored = true
        case "R": backups[numbers[0]]?.isRestored = true
        case "X": backups[numbers[0]] = nil
        case "W": wrong = wrong ?? String(line)
        case "F": if words.count > 1 { failures.insert(String(words[1])) }
        default: break
        }
    }

    private mutating func bind(_ line: Substring) {
        let words = line.split(separator: " ")
        let numbers = words.dropFirst().map { Int($0) ?? 0 }
        let mailbox = numbers[0]
        switch words[0] {
        case "A":
            let origin = Universe.Origin(
                device: numbers[1], clientSequence: ClientSequence(numbers[2]), run: numbers[3])
            mailboxes[mailbox].learn(SequenceNumber(numbers[4]), origin)
            mailboxes[mailbox].accepted[origin.device] = max(
                mailboxes[mailbox].accepted[origin.device], origin.clientSequence)
        case "V":
            let origin = Universe.Origin(
                device: numbers[2], clientSequence: ClientSequence(numbers[3]), run: numbers[4])
            mailboxes[mailbox].learn(SequenceNumber(numbers[1]), origin)
        default:
            mailboxes[mailbox].max = max(mailboxes[mailbox].max, SequenceNumber(numbers[1]))
        }
    }
}
