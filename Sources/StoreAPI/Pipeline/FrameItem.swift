package import Mailbox

/// What travels in frames over a stream: each item gets an outcome of its own.
package protocol FrameItem: Sendable {
    /// What an item is answered with when it was not refused.
    associatedtype Value: Sendable

    /// The bytes that the item takes in a frame, at most.
    var wireBytes: Int { get }
    /// True when sending the item twice does no harm: the second answer tells the truth, too.
    var canBeRepeated: Bool { get }
    /// What a caller hears who waited too long for an item that was sent: `unknown` where the item
    /// may have changed something.
    static var codeWhenLost: StoreError.Code { get }
    /// The answer to an item that was sent before, on a connection that was lost.
    static func resent(_ value: Value) -> Value
}

extension Append: FrameItem {
    package typealias Value = AppendResult

    package var wireBytes: Int {
        let producerBytes = producer.map { 12 + Int($0.device.name.count) } ?? 0
        return 24 + mailbox.sender.utf8Count + mailbox.receiver.utf8Count + producerBytes
            + body.count
    }

    /// With a producer the store knows a resend from a new message.
    package var canBeRepeated: Bool { producer != nil }

    package static var codeWhenLost: StoreError.Code { .unknown }

    /// If it is a duplicate, it may be its own.
    package static func resent(_ value: AppendResult) -> AppendResult {
        var value = value
        value.wasResent = true
        return value
    }
}

extension FetchCall: FrameItem {
    package typealias Value = FetchResult

    package var wireBytes: Int { 64 + mailbox.sender.utf8Count + mailbox.receiver.utf8Count }

    /// A lost answer costs nothing: the same fetch again gives the same messages.
    package var canBeRepeated: Bool { true }

    package static var codeWhenLost: StoreError.Code { .unavailable }

    package static func resent(_ value: FetchResult) -> FetchResult { value }
}
