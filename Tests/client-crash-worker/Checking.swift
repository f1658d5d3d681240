import Foundation
import GRDB
import Mailbox

@testable import MailboxClient

/// Looks at databases, one after the other: a path a line on standard input; on standard output
/// what is there, and a line with a dot.
///
/// | line | what |
/// |---|---|
/// | `m id peer state device number sequence body` | a message; `-` for what it has not |
/// | `c peer cursor` | how far a conversation is held |
/// | `E what` | the database is damaged, or does not work |
enum Checking {
    static func run() {
        while let path = readLine() {
            var lines: [String] = []
            do { lines = try look(path) } catch { lines.append("E \(type(of: error)): \(error)") }
            lines.append(".")
            Said.line(lines.joined(separator: "\n"))
        }
    }

    private static func look(_ path: String) throws -> [String] {
        var random = ClientRandom(seed: nil)
        let database = try ClientDatabase(path: path) { random.name() }
        var lines = try database.read { try dump($0) }
        // And on: what is saved now is there at the next open.
        let core = try ClientCore(database: database, configuration: ClientConfiguration())
        let peer = try Address("bert")
        let (ids, _) = try core.save([(peer, Data("later".utf8))], now: 1, wall: 1)
        try database.close()
        let again = try ClientDatabase(path: path) { random.name() }
        let after = try again.read { try dump($0) }
        try again.close()
        let extra = after.filter { $0.hasSuffix(" later") }
        if ids.count != 1 || extra.count != 1 || after.count != lines.count + 1 {
            // A conversation may be new with it.
            let isNew = after.count == lines.count + 2 && !lines.contains { $0.hasPrefix("c bert") }
            if !isNew || extra.count != 1 { lines.append("E what was saved is not there") }
        }
        return lines
    }

    private static func dump(_ db: Database) throws -> [String] {
        var lines: [String] = []
        let verdict = try String.fetchOne(db, sql: "PRAGMA integrity_check") ?? "nothing"
        if verdict != "ok" { lines.append("E integrity: \(verdict)") }
        let messages = try Row.fetchAll(
            db,
            sql: """
                SELECT m.id, c.peer, m.state, d.name, m.client_sequence, m.sequence, m.body
                FROM message AS m JOIN conversation AS c ON c.id = m.conversation
                LEFT JOIN device AS d ON d.id = m.device ORDER BY m.id
                """)
        for row in messages {
            let body = String(decoding: row[6] as Data, as: UTF8.self)
            let numbers = [4, 5].map { (row[$0] as Int64?).map(String.init) ?? "-" }
            lines.append(
                "m \(row[0] as Int64) \(row[1] as String) \(row[2] as Int) "
                    + "\(row[3] as String? ?? "-") \(numbers[0]) \(numbers[1]) \(body)")
        }
        for row in try Row.fetchAll(db, sql: "SELECT peer, cursor FROM conversation ORDER BY peer")
        {
            lines.append("c \(row[0] as String) \(row[1] as Int64)")
        }
        return lines
    }
}
