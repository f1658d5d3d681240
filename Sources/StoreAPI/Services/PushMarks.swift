internal import Mailbox

/// Mailboxes whose pushes could not be brought, each with its newest sequence: what is left of a
/// push when there is no room for it. Bounded; beyond the bound it is only known that something was
/// lost.
package struct PushMarks: Sendable {
    private struct Newest {
        var epoch: Epoch
        var sequence: SequenceNumber
    }

    private let countMaximum: Int
    private var marks: [MailboxID: Newest] = [:]
    private var hasLost = false

    /// - Parameter countMaximum: mailboxes that may be marked.
    package init(countMaximum: Int) { self.countMaximum = countMaximum }

    package var isEmpty: Bool { marks.isEmpty }
    package var count: Int { marks.count }

    /// Marks the mailbox of a push.
    ///
    /// - Returns: false when there is no room even for that.
    @discardableResult
    package mutating func add(_ push: Push) -> Bool {
        if let known = marks[push.mailbox] {
            // Another epoch's numbers do not compare: what is pushed later is newer.
            let isOlder = known.epoch == push.epoch && known.sequence >= push.sequence
            if !isOlder {
                marks[push.mailbox] = Newest(epoch: push.epoch, sequence: push.sequence)
            }
            return true
        }
        guard marks.count < countMaximum else {
            hasLost = true
            return false
        }
        marks[push.mailbox] = Newest(epoch: push.epoch, sequence: push.sequence)
        return true
    }

    /// Takes marks out, as notices.
    package mutating func take(atMost count: Int) -> [Push] {
        var taken: [Push] = []
        while taken.count < count, let (mailbox, newest) = marks.popFirst() {
            taken.append(
                Push(
                    mailbox: mailbox, epoch: newest.epoch, content: .notice(max: newest.sequence)))
        }
        return taken
    }

    /// Whether something was lost without a mark since this was asked last: then only the heads
    /// tell what is owed.
    package mutating func takeLoss() -> Bool {
        defer { hasLost = false }
        return hasLost
    }

    /// Something was lost, nobody knows what.
    package mutating func noteLoss() { hasLost = true }
}
