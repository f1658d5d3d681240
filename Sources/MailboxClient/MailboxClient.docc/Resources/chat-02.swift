import Foundation
import Mailbox
import MailboxClient

/// A chat of two: `Chat SERVER TOKEN-FILE DATABASE PEER`. Lines of standard input are sent; what
/// comes is shown.
@main
enum Chat {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5 else {
            show("usage: Chat ws://HOST:PORT TOKEN-FILE DATABASE PEER")
            exit(64)
        }
        let tokenFile = arguments[2]
        let peer = try Address(arguments[4])

        // One database is one device of one account.
        let transport = try WebSocketTransport(to: ServerAddress(arguments[1]))
        let client = try MailboxClient(path: arguments[3], transport: transport) { _ in
            try String(contentsOfFile: tokenFile, encoding: .utf8)
        }
        await client.start()
    }

    private static func show(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}
