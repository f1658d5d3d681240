internal import Mailbox
internal import StoreAPI

/// Who is online where: the instances of ConnectSrv that are attached, and their sessions. Soft
/// state: it begins empty, and each attachment brings its part.
///
/// Invariant: a session is under its account exactly when it is under its attachment.
struct PresenceTable {
    typealias Deliver = @Sendable (Push) -> Void
    /// Which attachment; never used again.
    typealias AttachmentNumber = UInt64

    private struct Attached {
        let instance: String
        let deliver: Deliver
        var sessions: [UInt64: Owner] = [:]
    }

    private struct Owner {
        let account: Address
        let device: DeviceID
    }

    private struct SessionKey: Hashable {
        let attachment: AttachmentNumber
        let session: UInt64
    }

    private var attached: [AttachmentNumber: Attached] = [:]
    private var byInstance: [String: AttachmentNumber] = [:]
    private var accounts: [Address: [SessionKey: DeviceID]] = [:]
    private var next: AttachmentNumber = 0

    /// Sessions that are online.
    private(set) var sessionCount = 0
    /// Instances that are attached.
    var attachmentCount: Int { attached.count }
    /// Everybody who is online.
    var onlineAccounts: [Address] { Array(accounts.keys) }

    /// Takes an instance in, in place of one with the same name.
    mutating func attach(_ instance: String, _ deliver: @escaping Deliver) -> AttachmentNumber {
        if let old = byInstance[instance] { detach(old) }
        next += 1
        attached[next] = Attached(instance: instance, deliver: deliver)
        byInstance[instance] = next
        return next
    }

    /// Takes an instance's sessions away; harmless when repeated.
    mutating func detach(_ number: AttachmentNumber) {
        guard let old = attached.removeValue(forKey: number) else { return }
        if byInstance[old.instance] == number { byInstance[old.instance] = nil }
        for (session, owner) in old.sessions { remove(owner, number, session) }
    }

    /// True while the attachment counts.
    func isAttached(_ number: AttachmentNumber) -> Bool { attached[number] != nil }

    /// A session came or went. One that comes again under the same number takes the old one's
    /// place.
    mutating func note(_ change: PresenceChange, _ number: AttachmentNumber) {
        guard attached[number] != nil else { return }
        if let owner = attached[number]?.sessions.removeValue(forKey: change.session) {
            remove(owner, number, change.session)
        }
        guard change.isOnline else { return }
        let key = SessionKey(attachment: number, session: change.session)
        attached[number]?.sessions[change.session] = Owner(
            account: change.account, device: change.device)
        accounts[change.account, default: [:]][key] = change.device
        sessionCount += 1
    }

    private mutating func remove(
        _ owner: Owner, _ number: AttachmentNumber, _ session: UInt64
    ) {
        let key = SessionKey(attachment: number, session: session)
        accounts[owner.account]?[key] = nil
        if accounts[owner.account]?.isEmpty == true { accounts[owner.account] = nil }
        sessionCount -= 1
    }

    /// How to reach the instances where an account is online, each once.
    func deliveries(to account: Address) -> [Deliver] {
        guard let sessions = accounts[account] else { return [] }
        if sessions.count == 1, let key = sessions.first?.key {
            return attached[key.attachment].map { [$0.deliver] } ?? []
        }
        return Set(sessions.keys.map(\.attachment)).compactMap { attached[$0]?.deliver }
    }

    /// True when an account has a session somewhere.
    func isOnline(_ account: Address) -> Bool { accounts[account] != nil }

    /// True when a device of an account has a session somewhere.
    func isOnline(_ account: Address, _ device: DeviceID) -> Bool {
        accounts[account]?.values.contains(device) ?? false
    }
}
