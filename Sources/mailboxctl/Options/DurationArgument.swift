import ArgumentParser

/// A length of time on the command line: `30d`, `12h`, `45min`, `90s`, `500ms`.
struct DurationArgument: ExpressibleByArgument, Equatable {
    let milliseconds: Int64

    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("min", 60_000), ("s", 1_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    init(seconds: Int64) { milliseconds = seconds * 1_000 }

    init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.hasSuffix($0.suffix) }) else {
            return nil
        }
        let digits = argument.dropLast(unit.suffix.count)
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int64(digits) else {
            return nil
        }
        let (milliseconds, overflows) = count.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflows else { return nil }
        self.milliseconds = milliseconds
    }
}
