internal import ClientWire
internal import Mailbox
internal import StoreAPI
internal import Synchronization

/// Takes a device's requests to the services behind, and brings their answers.
///
/// What a device says of a mailbox is only its other side: the near side is the account of its
/// token.
struct RequestRouter: Sendable {
    let sender: any MessageSending
    let receiver: any MessageReceiving
    let pushes: any PushAttaching
    let limits: ConnectLimits
    let metrics: ConnectMetrics
    /// Who may write to whom; nil: everybody to everybody.
    var admits: (@Sendable (_ sender: Address, _ receiver: Address) -> Bool)?
    /// The newest epoch that an answer named: what ACKs belong to.
    let epoch = KnownEpoch()

    /// Asks what every welcome says.
    func greeting() async throws(StoreError) -> Greeting {
        let epoch = try await receiver.epoch
        self.epoch.learn(epoch.rawValue)
        return Greeting(
            epoch: epoch.rawValue, bodyBytesMaximum: try await sender.bodyBytesMaximum)
    }

    /// Performs a request. A send has its place in the order of its mailbox when this returns.
    ///
    /// - Parameter done: called once, on any thread, possibly before this returns.
    func perform(
        _ content: ClientRequest, account: Address, device: DeviceID,
        done: @escaping @Sendable (ServerAnswer) -> Void
    ) {
        if case .send(let send) = content {
            return perform(send, account, device, done)
        }
        Task {
            do throws(StoreError) {
                done(try await answer(content, account, device))
            } catch {
                done(refused(error, account))
            }
        }
    }

    private func perform(
        _ send: Mailbox_Client_V1_Send, _ account: Address, _ device: DeviceID,
        _ done: @escaping @Sendable (ServerAnswer) -> Void
    ) {
        let append: Append
        do throws(StoreError) {
            guard send.clientSequence != 0 else {
                throw .invalidArgument("a client sequence counts from 1")
            }
            append = Append(
                MailboxID(sender: account, receiver: try Address(send.receiver)),
                producer: Producer(device: device, clientSequence: send.clientSequence),
                body: Array(send.body))
        } catch {
            return done(refused(error, account))
        }
        let receiver = append.mailbox.receiver
        if let admits, !admits(account, receiver) {
            var refused = Refused(.forbidden, "this account may not write to \(receiver)")
            refused.peer = receiver.description
            return done(.refused(refused))
        }
        let began = ContinuousClock.now
        sender.send(append) { outcome in
            switch outcome {
            case .success(let result):
                metrics.sent(took: ContinuousClock.now - began)
                var accepted = Mailbox_Client_V1_Accepted()
                accepted.sequence = result.sequence ?? 0
                accepted.isDuplicate = result.isDuplicate
                accepted.wasResent = result.wasResent
                if let named = result.epoch { epoch.learn(named.rawValue) }
                accepted.epoch = result.epoch?.rawValue ?? epoch.value
                done(.accepted(accepted))
            case .failure(let error):
                done(refused(error.about(append.mailbox), account))
            }
        }
    }

    private func refused(_ error: StoreError, _ account: Address) -> ServerAnswer {
        if let current = error.facts.currentEpoch { epoch.learn(current.rawValue) }
        return .refused(Refused(error, account: account))
    }

    private func answer(
        _ content: ClientRequest, _ account: Address, _ device: DeviceID
    ) async throws(StoreError) -> ServerAnswer {
        switch content {
        case .fetch(let fetch): return try await answer(fetch, account)
        case .sync(let sync): return try await answer(sync, account)
        case .acknowledge(let acknowledge): return try await answer(acknowledge, account)
        case .getSendStates(let states): return try await answer(states, account, device)
        case .registerPush(let registration):
            try await pushes.register(
                try registration.registration(account: account, device: device))
            return .done(.init())
        case .unregisterPush:
            try await pushes.unregister(account, device: device)
            return .done(.init())
        case .send, .hello, .ping, .refreshToken, .goodbye:
            throw .invalidArgument("this is no request for the services behind")
        }
    }

    private func answer(
        _ fetch: Mailbox_Client_V1_Fetch, _ account: Address
    ) async throws(StoreError) -> ServerAnswer {
        let sender = try Address(fetch.sender)
        let mailbox = MailboxID(sender: sender, receiver: account)
        let result: FetchResult
        do throws(StoreError) {
            result = try await receiver.fetch(
                mailbox, cursor: fetch.cursor.cursor,
                limit: limit(fetch.messagesMaximum, fetch.bytesMaximum))
        } catch {
            throw error.about(mailbox)
        }
        epoch.learn(result.epoch.rawValue)
        return .messages(result.onWire(sender: sender))
    }

    private func answer(
        _ sync: Mailbox_Client_V1_Sync, _ account: Address
    ) async throws(StoreError) -> ServerAnswer {
        try checkCount(sync.cursors.count, "cursors")
        var cursors: [Address: Cursor] = [:]
        for entry in sync.cursors {
            let sender = try Address(entry.sender)
            guard cursors.updateValue(entry.cursor.cursor, forKey: sender) == nil else {
                throw StoreError.invalidArgument("a sender has two cursors")
                    .about(MailboxID(sender: sender, receiver: account))
            }
        }
        let result = try await receiver.sync(
            account, cursors: cursors, limit: limit(sync.messagesMaximum, sync.bytesMaximum))
        epoch.learn(result.epoch.rawValue)
        var inbox = Mailbox_Client_V1_Inbox()
        inbox.epoch = result.epoch.rawValue
        inbox.mailboxes = result.entries.map { $0.result.onWire(sender: $0.sender) }
        inbox.hasMore_p = result.hasMore
        return .inbox(inbox)
    }

    private func answer(
        _ acknowledge: Mailbox_Client_V1_Acknowledge, _ account: Address
    ) async throws(StoreError) -> ServerAnswer {
        let sender = try Address(acknowledge.sender)
        let mailbox = MailboxID(sender: sender, receiver: account)
        let head: Head
        do throws(StoreError) {
            head = try await receiver.acknowledge(mailbox, through: acknowledge.cursor.cursor)
        } catch {
            throw error.about(mailbox)
        }
        var acknowledged = Mailbox_Client_V1_Acknowledged()
        acknowledged.sender = sender.description
        acknowledged.head = head.onWire
        return .acknowledged(acknowledged)
    }

    private func answer(
        _ question: Mailbox_Client_V1_GetSendStates, _ account: Address, _ device: DeviceID
    ) async throws(StoreError) -> ServerAnswer {
        try checkCount(question.receivers.count, "receivers")
        var states = Mailbox_Client_V1_SendStates()
        for text in question.receivers {
            let mailbox = MailboxID(sender: account, receiver: try Address(text))
            var state = Mailbox_Client_V1_SendState()
            state.receiver = text
            do throws(StoreError) {
                state.lastClientSequence = try await sender.sendState(mailbox, device: device)
            } catch {
                throw error.about(mailbox)
            }
            states.states.append(state)
        }
        return .sendStates(states)
    }

    private func checkCount(_ count: Int, _ what: String) throws(StoreError) {
        guard count <= limits.namesMaximum else {
            throw .invalidArgument(
                "\(count) \(what) at once; at most \(limits.namesMaximum) are allowed")
        }
    }

    private func limit(_ messages: UInt32, _ bytes: UInt32) -> PageLimit {
        PageLimit(
            messages: messages == 0
                ? min(100, limits.pageMessagesMaximum)
                : min(Int(messages), limits.pageMessagesMaximum),
            bytes: bytes == 0
                ? min(256 << 10, limits.pageBytesMaximum)
                : min(Int(bytes), limits.pageBytesMaximum))
    }
}

extension Mailbox_Client_V1_RegisterPush {
    fileprivate func registration(
        account: Address, device: DeviceID
    ) throws(StoreError) -> PushRegistration {
        let kind: PushRegistration.Service
        switch service {
        case .apns: kind = .apns
        case .fcm: kind = .fcm
        case .webhook: kind = .webhook
        case .unspecified, .UNRECOGNIZED:
            throw .invalidArgument("this server does not know the push service")
        }
        let registration = PushRegistration(
            account: account, device: device, service: kind, token: token, topic: topic,
            isSandbox: isSandbox)
        try registration.check()
        return registration
    }
}

/// The newest epoch that any answer named; 0 when none did.
final class KnownEpoch: Sendable {
    private let known = Atomic<UInt64>(0)

    var value: UInt64 { known.load(ordering: .relaxed) }

    func learn(_ epoch: UInt64) {
        if value != epoch { known.store(epoch, ordering: .relaxed) }
    }
}
