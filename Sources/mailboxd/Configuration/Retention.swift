import Mailbox

/// Retention policies as people write them.
enum Retention {
    /// - Returns: nil when the text is none.
    static func parse(_ text: String) -> RetentionPolicy? {
        if text == "unacknowledged" { return .unacknowledged }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        switch parts[0] {
        case "acknowledged":
            guard let seconds = Int64(parts[1]), (0...9_000_000_000).contains(seconds) else {
                return nil
            }
            return .acknowledged(forMilliseconds: seconds * 1_000)
        case "newest": return UInt32(parts[1]).map { .newest($0) }
        default: return nil
        }
    }
}
