import ClientWire
import Mailbox
import MailboxTesting

/// What stands at the other end of the clients' connections.
protocol SimulatedBackend: AnyObject {
    /// Where messages are.
    var store: ModelStore { get }

    /// Something that was sent reaches it.
    func arrive(_ frame: ClientFrame, _ connection: UInt64) throws

    /// A device connects.
    ///
    /// - Returns: false when nobody takes the connection.
    func open(_ connection: UInt64, account: String) -> Bool

    /// Hears that a connection is gone.
    func lose(_ connection: UInt64)

    /// What the devices of an account show when they say who they are.
    func token(for account: String) -> String

    /// Messages that are larger than this are refused, whatever was said to devices.
    func limitBodies(to bytes: Int)

    /// The store goes, and comes back with what it had, or with what a backup had.
    func restart(restoring backup: ModelStore.Backup?)

    /// Whether devices that are not connected are notified.
    var notifies: Bool { get }

    /// A device is to be notified when it is not connected.
    func register(_ account: Address, _ device: DeviceID)

    /// A device was away for long: it was notified of what waits for it.
    ///
    /// - Returns: whether anything waited.
    /// - Throws: what the oracle found.
    func checkNotified(_ account: Address, _ device: DeviceID) throws -> Bool

    /// The most things that go wrong in a run.
    var faultsMaximum: Int64 { get }

    /// Something that only this backend can suffer.
    ///
    /// - Returns: false when there is nothing of the kind.
    func fault() -> Bool

    /// The time is another one.
    func advance(to milliseconds: Int64) throws

    /// Does everything that can be done without waiting.
    func settle() throws

    /// Everything that runs is told to end.
    func end() throws
}

extension SimulatedBackend {
    func token(for account: String) -> String { "token" }
    var notifies: Bool { false }
    func register(_ account: Address, _ device: DeviceID) {}
    func checkNotified(_ account: Address, _ device: DeviceID) -> Bool { false }
    var faultsMaximum: Int64 { 25 }
    func fault() -> Bool { false }
    func advance(to milliseconds: Int64) {}
    func settle() {}
    func end() {}
}
