import Foundation

/// How values are written for people.
enum Text {
    /// `59 835`: digits in groups of three.
    static func count(_ value: some BinaryInteger) -> String {
        let digits = Array(String(value.magnitude))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(" ") }
            text.append(digit)
        }
        return value < 0 ? "-" + text : text
    }

    /// `12.3 MiB`.
    static func bytes(_ value: some BinaryInteger) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        guard value >= 1024 else { return "\(value) B" }
        var scaled = Double(value) / 1024
        var unit = 0
        while scaled >= 1024, unit < units.count - 1 {
            scaled /= 1024
            unit += 1
        }
        return "\(decimal(scaled, digits: 1)) \(units[unit])"
    }

    /// `0.8 s`, `12 s`, `3 min 20 s`, `2 h 05 min`.
    static func duration(seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0 else { return "?" }
        if seconds < 9.95 { return "\(decimal(seconds, digits: 1)) s" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(padded(whole % 60)) s" }
        return "\(whole / 3600) h \(padded(whole % 3600 / 60)) min"
    }

    /// `412 000/s`, with three digits that say something.
    static func rate(_ count: Int, seconds: Double) -> String {
        guard seconds > 0 else { return "–" }
        let rate = Double(count) / seconds
        var step = 1.0
        while rate / step >= 1_000 { step *= 10 }
        return "\(self.count(Int((rate / step).rounded() * step)))/s"
    }

    /// `2004-04-15 14:56:01.000Z`; `–` for 0, which says "never".
    static func time(milliseconds: Int64) -> String {
        guard milliseconds != 0 else { return "–" }
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
        let style = Date.ISO8601FormatStyle(
            dateTimeSeparator: .space, includingFractionalSeconds: true)
        return date.formatted(style)
    }

    /// A body for a terminal: control characters escaped, so that no message can drive it; bytes
    /// that are no UTF-8 in base64.
    static func body(_ bytes: ArraySlice<UInt8>) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return "base64:" + base64(bytes)
        }
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": shown += "\\n"
            case "\r": shown += "\\r"
            case "\t": shown += "\\t"
            case "\\": shown += "\\\\"
            case _ where scalar.properties.generalCategory == .control,
                _ where scalar.properties.isBidiControl:
                shown += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    static func base64(_ bytes: ArraySlice<UInt8>) -> String {
        Data(bytes).base64EncodedString()
    }

    /// A number with a fixed count of decimals.
    static func decimal(_ value: Double, digits: Int) -> String {
        String(format: "%.\(digits)f", value)
    }

    private static func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
