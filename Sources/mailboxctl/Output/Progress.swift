import Glibc
import Synchronization

/// The one line that says how far a long command is, as text. No clock and no terminal in here.
struct ProgressLine: Equatable {
    /// What is being done: `replay`.
    var label: String
    /// How many are done.
    var count: Int
    /// What is counted: `messages`.
    var noun: String
    /// How much of everything is done, 0 … 1; nil when nobody can know.
    var fraction: Double?
    /// Since the beginning.
    var seconds: Double

    private static let barColumns = 20

    /// The time that the rest takes at the speed so far; nil while it cannot be told.
    var secondsLeft: Double? {
        guard let fraction, fraction > 0, fraction <= 1 else { return nil }
        return seconds / fraction * (1 - fraction)
    }

    /// The line, cut to the terminal's width.
    func text(columns: Int) -> String {
        var parts = [label]
        if let fraction {
            let bounded = min(max(fraction, 0), 1)
            let filled = Int(bounded * Double(Self.barColumns))
            let bar =
                String(repeating: "#", count: filled)
                + String(repeating: "-", count: Self.barColumns - filled)
            let percent = Int(bounded * 100)
            parts.append(
                "[\(bar)]\(String(repeating: " ", count: percent < 10 ? 2 : 1))\(percent) %")
        }
        parts.append("\(Text.count(count)) \(noun)")
        parts.append(Text.rate(count, seconds: seconds))
        if let secondsLeft { parts.append("\(Text.duration(seconds: secondsLeft)) left") }
        return String(parts.joined(separator: "  ").prefix(max(columns - 1, 0)))
    }
}

/// Shows a progress line on a terminal for anything that takes longer than a second.
struct ProgressMeter: ~Copyable {
    private static let firstSeconds = 1.0
    private static let stepSeconds = 0.1

    private let console: Console
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var line: ProgressLine
    private var nextSeconds = Self.firstSeconds
    private var isShown = false

    init(_ label: String, counting noun: String, on console: Console) {
        self.console = console
        start = clock.now
        line = ProgressLine(label: label, count: 0, noun: noun, fraction: nil, seconds: 0)
    }

    /// Seconds since the beginning.
    var seconds: Double { start.duration(to: clock.now) / .seconds(1) }

    /// Says how far things are; cheap, to be called often.
    mutating func update(count: Int, fraction: Double?) {
        guard console.showsProgress else { return }
        line.seconds = seconds
        guard line.seconds >= nextSeconds else { return }
        nextSeconds = line.seconds + Self.stepSeconds
        line.count = count
        line.fraction = fraction
        console.writeError("\r\u{1B}[K" + line.text(columns: Self.terminalColumns))
        isShown = true
    }

    /// Takes the line away.
    mutating func finish() {
        if isShown { console.writeError("\r\u{1B}[K") }
        isShown = false
    }

    deinit {
        if isShown { console.writeError("\r\u{1B}[K") }
    }

    private static var terminalColumns: Int {
        var size = winsize()
        let answer = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
        return answer == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}

/// A progress line for what is told from other tasks.
final class SharedMeter: Sendable {
    private let meter: Mutex<ProgressMeter>

    init(_ label: String, counting noun: String, on console: Console) {
        meter = Mutex(ProgressMeter(label, counting: noun, on: console))
    }

    /// Says how far things are; cheap, to be called often.
    func update(count: Int, fraction: Double?) {
        meter.withLock { $0.update(count: count, fraction: fraction) }
    }

    /// Takes the line away.
    func finish() { meter.withLock { $0.finish() } }
}
