import Foundation
import Mailbox
import MailboxTesting
import StoreEngine
import Testing

/// A store that is opened without a policy keeps to the one that it remembers: a tool must not
/// remove what the program that made the store keeps.
@Suite("The policy that a store remembers")
struct RememberedRetentionTests {
    private static let policies: [RetentionPolicy] = [
        .unacknowledged, .newest(7), .newest(.max), .acknowledged(forMilliseconds: 86_400_000),
    ]

    private let scratch: Scratch
    private var path: String { scratch.file("store") }

    init() throws {
        scratch = try Scratch()
    }

    private func open(
        _ retention: RetentionPolicy?, at path: String? = nil
    ) throws -> MailboxStore {
        var configuration = StoreConfiguration.tiny()
        configuration.retention = retention
        return try MailboxStore.open(at: path ?? self.path, configuration: configuration)
    }

    @Test("It is the one that the store was created with", arguments: policies)
    func created(_ policy: RetentionPolicy) throws {
        try open(policy).close()
        let store = try open(nil)
        #expect(store.retention == policy)
        try store.close()
    }

    @Test("Checkpoints and compaction keep to it")
    func kept() throws {
        try open(.newest(7)).close()
        let store = try open(nil)
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        for _ in 0..<20 { _ = try store.blocking.append(Append(mailbox, text: "x")) }
        try store.acknowledge(mailbox, through: Cursor(20, epoch: store.epoch))
        try store.blocking.checkpoint()
        #expect(try store.head(mailbox).floor == 13)
        try store.blocking.compact()
        #expect(try store.head(mailbox).floor == 13)
        try store.close()
    }

    @Test("A policy that is named counts, and is remembered")
    func replaced() throws {
        try open(.newest(7)).close()
        let store = try open(.newest(9))
        #expect(store.retention == .newest(9))
        store.abandon()
        let again = try open(nil)
        #expect(again.retention == .newest(9))
        again.abandon()
    }

    @Test("Backup and restore take it along")
    func restored() throws {
        let store = try open(.newest(7))
        _ = try store.backup(to: scratch.file("backup"))
        try store.close()
        for (place, named) in [("same", nil), ("other", RetentionPolicy.newest(9))] {
            var configuration = StoreConfiguration.tiny()
            configuration.retention = named
            let place = scratch.file(place)
            try MailboxStore.restore(
                from: scratch.file("backup"), to: place, configuration: configuration)
            let restored = try open(nil, at: place)
            #expect(restored.retention == named ?? .newest(7))
            try restored.close()
        }
    }

    /// Version 1 had no line for it.
    @Test("A store of version 1 is opened, and remembers a policy once one is named")
    func versionOne() throws {
        try open(.newest(7)).close()
        var lines = try String(contentsOfFile: "\(path)/STORE", encoding: .utf8)
            .split(separator: "\n").map(String.init)
        #expect(lines[0] == "mailbox-store 2")
        #expect(lines[5] == "retention newest 7")
        lines[0] = "mailbox-store 1"
        lines.removeSubrange(5...)
        let text = lines.map { $0 + "\n" }.joined()
        let sum = String(Self.checksum(Array(text.utf8)), radix: 16)
        let padded = String(repeating: "0", count: 16 - sum.count) + sum
        try Data("\(text)checksum \(padded)\n".utf8)
            .write(to: URL(fileURLWithPath: "\(path)/STORE"))
        let store = try open(nil)
        #expect(store.retention == .unacknowledged)
        try store.close()
        try open(.newest(8)).close()
        let again = try open(nil)
        #expect(again.retention == .newest(8))
        try again.close()
    }

    /// CRC-32C, bit by bit.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in
                sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1
            }
        }
    }
}
