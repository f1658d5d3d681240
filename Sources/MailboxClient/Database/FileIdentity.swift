import Foundation

/// What tells a database from its copies: the file's number, and a token with a generation that
/// lies beside it.
///
/// A copied or restored database has another file number, no token, another token, or one whose
/// generation is ahead. To take a file for a copy that is none does no harm (the outbox is drained
/// under the old name); to miss one is caught by the server's numbers: docs/CLIENT.md.
struct FileIdentity: Sendable {
    /// The database's path.
    let path: String

    /// What lies beside the database.
    struct Token: Equatable {
        let text: String
        let generation: Int64
    }

    private var tokenPath: String { path + "-identity" }

    /// The file's number and that of its file system.
    func number() throws -> String {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        let file = (attributes[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0
        let system = (attributes[.systemNumber] as? NSNumber)?.uint64Value ?? 0
        return "\(system):\(file)"
    }

    /// What lies beside the database; nil when nothing does, or nothing that can be read.
    func token() -> Token? {
        guard let text = try? String(contentsOfFile: tokenPath, encoding: .utf8) else { return nil }
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let generation = Int64(words[1]) else { return nil }
        return Token(text: String(words[0]), generation: generation)
    }

    /// Replaces what lies beside the database, as a whole.
    func write(_ token: Token) throws {
        try Data("\(token.text) \(token.generation)\n".utf8)
            .write(to: URL(fileURLWithPath: tokenPath), options: .atomic)
    }

    /// Whether a database that says this of itself is the one that was written last.
    static func isSame(
        number: String, token: Token?, expectedNumber: String?, expectedToken: String?,
        generation: Int64
    ) -> Bool {
        guard let token, let expectedToken, let expectedNumber else { return false }
        // The database is written first: after a crash in between, its generation is ahead.
        return number == expectedNumber && token.text == expectedToken
            && token.generation <= generation
    }
}
