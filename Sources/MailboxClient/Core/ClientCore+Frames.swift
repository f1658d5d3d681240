import ClientWire
import GRDB
import Mailbox

extension ClientCore {
    /// Takes one frame of the current connection.
    func take(_ frame: ServerFrame, _ db: Database) throws {
        switch frame.content {
        case .pushed(let pushed):
            if link?.isWelcome == true { try receive(pushed, db) }
            return
        case .notice(let notice):
            if link?.isWelcome == true { try receive(notice, db) }
            return
        case .goodbye(let goodbye):
            try take(goodbye, db)
            return
        case nil: return
        default: break
        }
        // An answer to nothing is a copy of one that was taken.
        guard let request = link?.take(frame.request) else { return }
        switch (request, frame.content) {
        case (.hello, .welcome(let welcome)): try welcomed(welcome, isFirst: true, db)
        case (.refreshToken, .welcome(let welcome)): try welcomed(welcome, isFirst: false, db)
        case (.send(let conversation, let sent), .accepted(let accepted)):
            try self.accepted(accepted, sent, conversation, db)
        case (.send(let conversation, let sent), .refused(let refused)):
            try self.refused(refused, sent, conversation, db)
        case (.sendStates(let conversations), .sendStates(let states)):
            try take(states, of: conversations, db)
        case (.sendStates(let conversations), .refused(let refused)):
            for conversation in conversations {
                link?.lanes[conversation]?.isAsked = false
                pause(conversation, after: refused)
            }
        case (.sync(let cursors, let epoch), .inbox(let inbox)):
            try receive(inbox, cursors, epoch: epoch, db)
        case (.fetch(let conversation), .messages(let messages)):
            try receive(messages, conversation, db)
        case (.acknowledge(let conversation), .acknowledged(let acknowledged)):
            try heard(acknowledged, conversation, db)
        case (.sync, .refused(let refused)): try receivingRefused(refused, nil, db)
        case (.fetch(let conversation), .refused(let refused)),
            (.acknowledge(let conversation), .refused(let refused)):
            try receivingRefused(refused, conversation, db)
        case (.ping, .pong), (.refreshToken, .refused), (.ping, .refused): break
        case (.hello, .refused(let refused)):
            let needsToken = refused.code == .unauthenticated || refused.code == .forbidden
            if needsToken { sayTokenRefused() }
            try perform(
                session.goodbye(
                    isReplaced: false, needsToken: needsToken,
                    notBefore: Int64(refused.retryAfterMilliseconds), isFailure: true, now), db)
        default: try violation("an answer of the wrong kind came", db)
        }
    }

    private func take(
        _ goodbye: Mailbox_Client_V1_Goodbye, _ db: Database
    ) throws {
        let isFailure: Bool
        switch goodbye.reason {
        case .shutdown, .slow, .idle, .done: isFailure = false
        default: isFailure = true
        }
        if goodbye.reason == .unauthenticated { sayTokenRefused() }
        try perform(
            session.goodbye(
                isReplaced: goodbye.reason == .replaced,
                needsToken: goodbye.reason == .unauthenticated,
                notBefore: Int64(goodbye.reconnectAfterMilliseconds), isFailure: isFailure, now),
            db)
    }

    /// Once, however many attempts fail for it.
    private func sayTokenRefused() {
        if !isTokenRefused { say(.tokenRefused) }
        isTokenRefused = true
    }

    private func welcomed(
        _ welcome: Mailbox_Client_V1_Welcome, isFirst: Bool, _ db: Database
    ) throws {
        let life: Int64? =
            welcome.tokenExpiresMilliseconds == 0
            ? nil : welcome.tokenExpiresMilliseconds - wallMilliseconds
        session.welcomed(
            heartbeat: Int64(welcome.heartbeatMilliseconds), tokenLife: life, now)
        guard isFirst else { return }
        isTokenRefused = false
        let state = try ClientTable.state(db)
        if let account = state.account, account != welcome.account {
            say(.wrongAccount(expected: account))
            try perform(session.stay(), db)
            return
        }
        guard welcome.epoch != 0 else { return try violation("a welcome without an epoch", db) }
        try ClientTable.note(
            account: welcome.account, epoch: welcome.epoch, session: welcome.session,
            bodyBytesMaximum: Int(welcome.bodyBytesMaximum), db)
        activity.connections += 1
        link?.isWelcome = true
        link?.epoch = welcome.epoch
        link?.bodyBytesMaximum = Int(welcome.bodyBytesMaximum)
        if welcome.requestsInFlightMaximum > 0 {
            link?.requestsMaximum = Int(welcome.requestsInFlightMaximum)
        }
        if let epoch = state.epoch, epoch != welcome.epoch { try changeEpoch(welcome.epoch, db) }
        guard let device = link?.device.id else { return }
        for conversation in try OutboxTable.conversations(waitingFor: device, db) {
            link?.enqueue(conversation)
        }
    }

    /// The server's history is another one: receiving begins anew, and so does asking for numbers.
    func changeEpoch(_ epoch: UInt64, _ db: Database) throws {
        say(.epochChanged(conversations: try InboxTable.resynchronise(to: epoch, db)))
        try OutboxTable.forgetChecks(db)
        link?.needsSync = true
        link?.isEpochNew = true
    }

    /// Does what there is to do, as far as there is room.
    func pump(_ db: Database) throws {
        guard session.state == .connected, link?.isWelcome == true else { return }
        try pumpOutbox(db)
        try pumpInbox(db)
        guard let device = link?.device else { return }
        // An old name is done with: the database goes on under its current one. Or a new epoch's
        // server may have forgotten what was sent under an older name than this one.
        let isNew = link?.isEpochNew == true
        link?.isEpochNew = false
        if try isNew || DeviceTable.current(db) != device, try DeviceTable.toConnect(db) != device {
            try perform(session.reconnect(now), db)
        }
    }
}
