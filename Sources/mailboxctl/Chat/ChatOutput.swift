import Synchronization

/// Where a chat is shown: as lines, or as a screen that is drawn anew with every change.
final class ChatOutput: Sendable {
    private let console: Console
    private let isScreen: Bool
    private let state = Mutex<(failure: Failure?, isStopped: Bool)>((nil, false))

    init(console: Console, isScreen: Bool) {
        self.console = console
        self.isScreen = isScreen
    }

    /// Why nothing can be shown any more.
    var failure: Failure? { state.withLock { $0.failure } }

    /// Takes the terminal's other screen, which leaves what was there before as it was.
    func begin() { if isScreen { write("\u{1B}[?1049h") } }

    /// Gives it back.
    func end() { if isScreen { write("\u{1B}[?1049l") } }

    /// The screen is drawn no more.
    func stop() { state.withLock { $0.isStopped = true } }

    func show(_ shown: Chat.Shown) {
        guard !state.withLock({ $0.isStopped || $0.failure != nil }) else { return }
        if let size = isScreen ? console.screen : nil {
            let lines = ChatScreen.lines(
                shown.transcript, status: shown.status, input: shown.input,
                columns: size.columns, rows: size.rows)
            // Home; each line with what was behind it cleared. The cursor stays behind the input.
            write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n"))
        } else {
            for line in shown.lines { write(line + "\n") }
        }
    }

    private func write(_ text: String) {
        do {
            try console.write(text: text)
            try console.flush()
        } catch {
            state.withLock { $0.failure = error }
        }
    }
}
