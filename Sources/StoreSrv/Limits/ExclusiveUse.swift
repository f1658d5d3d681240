internal import Mailbox
internal import Synchronization

/// Lets one caller in at a time, and refuses the others.
final class ExclusiveUse: Sendable {
    private let isTaken = Atomic<Bool>(false)
    private let refusal: String

    /// - Parameter refusal: what the others hear.
    init(_ refusal: String) { self.refusal = refusal }

    /// - Throws: `overloaded` while another is in.
    func take() throws(StoreError) {
        guard !isTaken.exchange(true, ordering: .acquiringAndReleasing) else {
            throw StoreError(code: .overloaded, message: refusal)
        }
    }

    func give() { isTaken.store(false, ordering: .releasing) }
}
