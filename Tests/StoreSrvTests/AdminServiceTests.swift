import Foundation
import GRPCCore
import Mailbox
import ServiceHost
import StoreAPI
import StoreEngine
import SwiftProtobuf
import Testing

@testable import StoreSrv

@Suite("What an operator does over the network")
struct AdminServiceTests {
    private static func fill(
        _ server: TestServer, mailboxes: Int, messages: Int
    ) async throws {
        var appends: [Append] = []
        for sender in 0..<mailboxes {
            let mailbox = try MailboxID(sender: "s\(sender)", receiver: "r")
            for number in 0..<messages {
                let body = [UInt8](repeating: UInt8(number % 256), count: 10)
                appends.append(Append(mailbox, body: body))
            }
        }
        for result in try await server.store.append(batch: appends) { _ = try result.get() }
    }

    @Test("A backup comes in pieces, leaves nothing behind, and can be restored")
    func backup() async throws {
        try await TestServer.with { server in
            try await Self.fill(server, mailboxes: 50, messages: 100)
            let directory = try TestDirectory()
            let copy = directory.file("copy")
            let (summary, paths) = try await server.admin.backup(.init()) { response in
                var summary: Mailbox_Store_V1_BackupResponse.Summary?
                var paths: [String] = []
                var bytes: UInt64 = 0
                for try await answer in response.messages {
                    switch answer.part {
                    case .chunk(let chunk):
                        #expect(!chunk.path.hasPrefix("/") && !chunk.path.contains(".."))
                        #expect(chunk.data.count <= 256 << 10)
                        let file = URL(fileURLWithPath: "\(copy)/\(chunk.path)")
                        if paths.last != chunk.path {
                            paths.append(chunk.path)
                            try FileManager.default.createDirectory(
                                at: file.deletingLastPathComponent(),
                                withIntermediateDirectories: true)
                            try Data().write(to: file)
                        }
                        let handle = try FileHandle(forWritingTo: file)
                        #expect(try handle.seekToEnd() == chunk.offset)
                        try handle.write(contentsOf: chunk.data)
                        try handle.close()
                        bytes += UInt64(chunk.data.count)
                    case .summary(let last):
                        summary = last
                        #expect(last.bytes == bytes)
                    case nil: Issue.record("an empty part")
                    }
                }
                return (summary, paths)
            }
            #expect(summary?.epoch == server.store.epoch.rawValue)
            #expect(summary?.files == UInt32(paths.count))
            // What makes it a backup comes last.
            #expect(paths.last == "STORE")
            let left = try FileManager.default.contentsOfDirectory(atPath: server.store.path)
            #expect(!left.contains { $0.hasPrefix("backup-") })
            let epoch = try MailboxStore.restore(from: copy, to: directory.file("restored"))
            #expect(epoch != server.store.epoch)
            let restored = try MailboxStore.open(at: directory.file("restored"))
            #expect(try restored.verify().messages == 5_000)
            try restored.close()
        }
    }

    @Test("What a process that was killed left of a backup is removed")
    func leftovers() throws {
        let directory = try TestDirectory()
        let leftover = directory.file("backup-x.tmp")
        try FileManager.default.createDirectory(
            atPath: leftover, withIntermediateDirectories: true)
        BackupCopy.removeLeftovers(in: directory.path)
        #expect(!FileManager.default.fileExists(atPath: leftover))
        #expect(FileManager.default.fileExists(atPath: directory.path))
    }

    @Test("Checkpoint, compact, verify, list")
    func maintenance() async throws {
        try await TestServer.with { server in
            try await Self.fill(server, mailboxes: 30, messages: 10)
            _ = try await server.admin.checkpoint(.init())
            let mailbox = try MailboxID(sender: "s3", receiver: "r")
            try server.store.acknowledge(
                mailbox, through: Cursor(10, epoch: server.store.epoch))
            let report = try await server.admin.compact(
                .with { $0.policy = Wire.RetentionPolicy(.unacknowledged) })
            #expect(report.messagesRemoved == 10)
            let found = try await server.admin.verify(.init()) { response in
                var report: Mailbox_Store_V1_VerifyResponse.Report?
                for try await answer in response.messages {
                    if case .report(let last) = answer.event { report = last }
                }
                return report
            }
            #expect(found?.problemCount == 0)
            #expect(found?.mailboxes == 30)
            let page = try await server.admin.listMailboxes(.with { $0.limit = 20 })
            #expect(page.entries.count == 20)
            let rest = try await server.admin.listMailboxes(.with { $0.after = page.next })
            #expect(rest.entries.count == 10)
            #expect(!rest.hasNext)
        }
    }

    @Test("Statistics tell what was done, how long it took, and who is busy")
    func statistics() async throws {
        try await TestServer.with { server in
            for number in 0..<20 {
                _ = try await server.calls.append(
                    .with { $0.append = .of("busy", "r", "\(number)") })
            }
            _ = try await server.calls.fetch(
                .with {
                    $0.mailbox = .of("busy", "r")
                    $0.cursor = .init()
                })
            let stats = try await server.admin.getStats(.init())
            #expect(stats.appendedMessages == 20)
            #expect(stats.fetchedMessages == 20)
            #expect(stats.appendLatency.count == 20)
            #expect(stats.appendLatency.p50Microseconds <= stats.appendLatency.p99Microseconds)
            #expect(stats.fetchLatency.count == 1)
            #expect(stats.syncLatency.count == stats.groups)
            #expect(stats.busiest.map(\.mailbox) == [.of("busy", "r")])
            #expect(stats.epoch == server.store.epoch.rawValue)
            #expect(stats.condition.isEmpty)
        }
    }

    @Test("The store's limits are told")
    func info() async throws {
        try await TestServer.with(
            store: { $0.shardCount = 3 }, server: { $0.version = "1.2.3" }
        ) { server in
            let info = try await server.calls.getStoreInfo(.init())
            #expect(info.shardCount == 3)
            #expect(info.version == "1.2.3")
            #expect(info.requestBytesMaximum == 8 << 20)
            #expect(info.durability == .commit)
        }
    }
}
