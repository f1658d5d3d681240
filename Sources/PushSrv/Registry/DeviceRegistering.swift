package import Mailbox
package import StoreAPI

/// Knows where to notify which device, durably: ``DeviceRegistry``.
package protocol DeviceRegistering: Sendable {
    /// Keeps a registration in place of the device's last one.
    ///
    /// - Parameter devicesMaximum: the most devices of one account.
    /// - Throws: `invalidArgument` when the account has too many devices, `failed`, `storageFull`.
    func keep(
        _ registration: PushRegistration, devicesMaximum: Int
    ) async throws(StoreError)

    /// Forgets a device's registration.
    ///
    /// - Parameter token: forget it only while it has this token; nil forgets any.
    /// - Throws: `failed`, `storageFull`.
    func forget(
        _ account: Address, device: DeviceID, token: String?
    ) async throws(StoreError)

    /// The registrations of some accounts, account by account in their order, each's in order of
    /// device.
    ///
    /// - Throws: `failed`, `corrupted`.
    func registrations(of accounts: [Address]) async throws(StoreError) -> [PushRegistration]

    /// A page of the accounts that have a registration, in order of their bytes.
    ///
    /// - Parameters:
    ///   - after: accounts above this one; from the first when nil.
    ///   - limit: how many at most.
    /// - Throws: `failed`, `corrupted`.
    func accounts(after: Address?, limit: Int) async throws(StoreError) -> [Address]

    /// Nothing may be asked afterwards.
    func close()
}
