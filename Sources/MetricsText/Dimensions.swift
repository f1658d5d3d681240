/// The labels of one series, sorted by name, as they stand between the braces.
struct Dimensions: Hashable, Comparable, Sendable {
    /// `name="value",name="value"`; empty without labels.
    let text: String

    init(_ dimensions: [(String, String)]) {
        text = dimensions.sorted { $0.0 < $1.0 }.map { name, value in
            "\(MetricName.sanitized(name, isLabel: true))"
                + "=\"\(MetricName.escaped(value, quotes: true))\""
        }.joined(separator: ",")
    }

    /// With its braces; empty without labels.
    var braced: String { text.isEmpty ? "" : "{\(text)}" }

    /// With one more label, and its braces.
    func braced(adding name: String, _ value: String) -> String {
        text.isEmpty ? "{\(name)=\"\(value)\"}" : "{\(text),\(name)=\"\(value)\"}"
    }

    static func < (a: Self, b: Self) -> Bool { a.text < b.text }
}

/// What the format allows in names and values.
enum MetricName {
    /// The name with everything replaced by `_` that a name may not hold.
    static func sanitized(_ name: String, isLabel: Bool = false) -> String {
        var clean = ""
        for scalar in name.unicodeScalars {
            let isLetter =
                ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
                || (scalar == ":" && !isLabel)
            let isDigit = ("0"..."9").contains(scalar) && !clean.isEmpty
            clean.unicodeScalars.append(isLetter || isDigit ? scalar : "_")
        }
        return clean.isEmpty ? "_" : clean
    }

    /// A help line, or a label's value, with backslashes and line feeds escaped.
    static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// A number as the format writes it.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // Whole numbers without a fraction, as far as a double holds them exactly.
        if value == value.rounded(), abs(value) < 9_007_199_254_740_992 {
            return String(Int64(value))
        }
        return String(value)
    }
}
