/// What a scenario found: rows for the table, and the lines that the project is judged by.
struct Section: Sendable {
    struct Row: Sendable {
        var contestant: String
        var settings: String
        var figure: String
    }

    var title: String
    var rows: [Row] = []
    /// Sentences under the table.
    var notes: [String] = []
    var metrics: [(name: String, value: String)] = []

    init(_ title: String) { self.title = title }

    mutating func row(_ contestant: String, _ settings: String, _ figure: String) {
        rows.append(Row(contestant: contestant, settings: settings, figure: figure))
    }

    mutating func note(_ text: String) { notes.append(text) }

    mutating func metric(_ name: String, _ value: Double, digits: Int) {
        metrics.append((name, fixed(value, digits)))
    }

    /// The table as text.
    var text: String {
        let width = rows.map(\.contestant.count).max() ?? 0
        let settingsWidth = rows.map(\.settings.count).max() ?? 0
        var lines = ["", title, String(repeating: "-", count: title.count)]
        for row in rows {
            lines.append(
                padded(row.contestant, width) + "  " + padded(row.settings, settingsWidth) + "  "
                    + row.figure)
        }
        lines += notes.map { "· " + $0 }
        return lines.joined(separator: "\n")
    }
}

private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

/// A number with this many digits behind the point.
func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return "nan" }
    let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int((value * Double(scale)).rounded())
    guard digits > 0 else { return String(scaled) }
    let fraction = String(abs(scaled) % scale)
    return (scaled < 0 ? "-" : "") + String(abs(scaled) / scale) + "."
        + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// A rate for people: `612 345 messages/s`.
func rate(_ perSecond: Double) -> String {
    guard perSecond.isFinite else { return "nan" }
    var digits = Array(String(Int(perSecond.rounded())))
    var place = digits.count - 3
    while place > 0 {
        digits.insert(" ", at: place)
        place -= 3
    }
    return String(digits) + " messages/s"
}

/// Rates of several runs for people: the median, and the lowest and highest.
func rates(_ values: [Double]) -> String {
    guard values.count > 1, let low = values.min(), let high = values.max() else {
        return rate(median(values))
    }
    return rate(median(values)) + " (\(fixed(low / 1_000, 0)) … \(fixed(high / 1_000, 0)) thousand)"
}

/// The middle value; the mean of the two middle ones of an even number.
func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// The value that this share of all values does not exceed.
func quantile<Value: Comparable>(_ share: Double, ofSorted values: [Value]) -> Value? {
    guard !values.isEmpty else { return nil }
    return values[min(values.count - 1, Int(Double(values.count) * share))]
}
