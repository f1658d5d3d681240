import Foundation
import GRDB
import Mailbox

@testable import MailboxClient

/// One device: the client's core over a database in memory, which outlives its restarts.
final class SimulatedClient {
    let account: String
    let slot: Int
    private(set) var database: ClientDatabase
    private(set) var core: ClientCore
    /// Counts restarts: what was scheduled for an earlier life is void.
    private(set) var life = 0
    /// The server's number of the client's current connection.
    var connections: [UInt64: UInt64] = [:]
    /// A copy that was made before, and how many messages had been saved then.
    var copy: (queue: DatabaseQueue, savedCount: Int)?
    /// Bodies in the order in which they were saved by this database's line.
    var saved: [String] = []
    /// It is not started, whatever happens.
    var isAway = false
    private let seed: UInt64

    init(account: String, slot: Int, seed: UInt64, copyOf queue: DatabaseQueue? = nil) throws {
        self.account = account
        self.slot = slot
        self.seed = seed
        var random = ClientRandom(seed: seed)
        database = try ClientDatabase(
            queue: queue ?? DatabaseQueue(), isCopy: queue != nil, mintName: { random.name() })
        core = try ClientCore(
            database: database, configuration: Self.configuration(seed))
    }

    private static func configuration(_ seed: UInt64) -> ClientConfiguration {
        var configuration = ClientConfiguration()
        configuration.seed = seed &+ 0xC0FFEE
        configuration.sendsInFlightMaximum = 8
        configuration.pageMessagesMaximum = 7
        configuration.timing.backoffMaximumMilliseconds = 8_000
        return configuration
    }

    /// The process ends without a word, and starts again on the same file.
    func restart() throws {
        life += 1
        connections = [:]
        core = try ClientCore(
            database: database, configuration: Self.configuration(seed &+ UInt64(life) &* 7_919))
    }

    /// The file is overwritten with the copy that was made before.
    ///
    /// - Parameter isNoticed: whether the file tells that it is a copy.
    /// - Returns: the bodies whose messages the copy does not have.
    func restore(isNoticed: Bool) throws -> [String] {
        guard let copy else { return [] }
        let lost = Array(saved[copy.savedCount...])
        saved.removeSubrange(copy.savedCount...)
        // Far from the seeds of other clients: no two draw the same name.
        var random = ClientRandom(seed: seed &+ UInt64(life) &* 104_729 &+ 0x5EED_0000)
        database = try ClientDatabase(
            queue: copy.queue, isCopy: isNoticed, mintName: { random.name() })
        self.copy = nil
        try restart()
        return lost
    }

    /// The name that it connects with.
    func deviceName() throws -> DeviceID {
        try DeviceID(try database.read { try DeviceTable.toConnect($0).name })
    }

    /// The bodies of messages that were refused for good.
    func setAside() throws -> [String] {
        try database.read { db in
            try Data.fetchAll(db, sql: "SELECT body FROM message WHERE state = 2")
                .map { String(decoding: $0, as: UTF8.self).trimmingPadding() }
        }
    }

    /// What was received, in the order in which it was stored.
    struct Received {
        let sender: String
        let device: String
        let clientSequence: Int64
        let sequence: Int64
        let epoch: Int64
        let body: String
    }

    func received() throws -> [Received] {
        try database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT c.peer, m.sender_device, m.client_sequence, m.sequence, m.epoch, m.body
                    FROM message AS m JOIN conversation AS c ON c.id = m.conversation
                    WHERE m.state >= 3 ORDER BY m.id
                    """
            ).map { row in
                Received(
                    sender: row[0], device: row[1] ?? "", clientSequence: row[2] ?? 0,
                    sequence: row[3], epoch: row[4],
                    body: String(decoding: row[5] as Data, as: UTF8.self).trimmingPadding())
            }
        }
    }
}

extension String {
    /// Without what made it larger than a server takes.
    func trimmingPadding() -> String { String(prefix { $0 != "#" }) }
}
