import Foundation
import Glibc
import Synchronization

/// A terminal whose keys come one by one, and whose screen is the chat's own while it lasts.
final class Terminal: Sendable {
    private let saved: Mutex<termios>

    private init(_ saved: sending termios) { self.saved = Mutex(saved) }

    /// Takes the terminal over; nil when input or output is none.
    static func take(_ console: Console) -> Terminal? {
        guard console.screen != nil, isatty(STDIN_FILENO) == 1 else { return nil }
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        let terminal = Terminal(settings)
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
        settings.c_iflag &= ~tcflag_t(IXON | ICRNL)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) == 0 else { return nil }
        return terminal
    }

    /// Gives the terminal back as it was.
    func giveBack() {
        saved.withLock { _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &$0) }
    }
}

/// What is typed, or comes through a pipe.
enum ChatInput {
    enum Item: Sendable, Equatable {
        case line(String)
        /// What stands in the line that is being typed.
        case typing(String)
    }

    /// Lines of standard input, until it ends. A thread of its own reads: it ends with the process.
    static func items(fromTerminal: Bool) -> AsyncStream<Item> {
        let (items, continuation) = AsyncStream.makeStream(of: Item.self)
        Thread.detachNewThread {
            if fromTerminal {
                readKeys(continuation)
            } else {
                while let line = readLine() { continuation.yield(.line(line)) }
            }
            continuation.finish()
        }
        return items
    }

    private static func readKeys(_ continuation: AsyncStream<Item>.Continuation) {
        var line = ChatLine()
        var byte: UInt8 = 0
        while true {
            let count = read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { return }
            switch line.take(byte) {
            case .end: return
            case .entered(let text):
                continuation.yield(.typing(""))
                continuation.yield(.line(text))
            case .changed: continuation.yield(.typing(line.text))
            case nil: break
            }
        }
    }
}
