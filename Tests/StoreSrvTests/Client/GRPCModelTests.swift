import Foundation
import Mailbox
import MailboxTesting
import StoreAPI
import StoreEngine
import StoreSrv
import Testing

@Suite("Random operations on the engine behind gRPC and the model", .serialized)
struct GRPCModelTests {
    static let seeds: Range<UInt64> =
        0..<(ProcessInfo.processInfo.environment["MAILBOX_SEEDS"].flatMap(UInt64.init) ?? 20)

    private static func subject(seed: UInt64) async throws -> Subject {
        let clock = ManualClock()
        var configuration = StoreConfiguration.served(clock: clock)
        let retention = seed.isMultiple(of: 2) ? RetentionPolicy.unacknowledged : .newest(7)
        configuration.retention = retention
        var model = ModelStore.Configuration(clock: clock)
        model.messageBytesMaximum = configuration.messageBytesMaximum
        model.batchMessagesMaximum = configuration.batchMessagesMaximum
        model.pageMessagesMaximum = configuration.pageMessagesMaximum
        model.pageBytesMaximum = configuration.pageBytesMaximum
        model.retention = retention
        let served = try ServedStore(configuration)
        try await served.start()
        let running = try RunningClient(socketPath: served.socketPath)
        let client = running.client
        var subject = Subject(store: client, configuration: model, clock: clock)
        subject.checkpoint = { _ in try await client.checkpoint() }
        subject.restart = { _ in
            try await served.restart(asCrash: false)
            return client
        }
        subject.crash = { _ in
            try await served.restart(asCrash: true)
            return client
        }
        subject.restore = { _ in
            let copy = served.freshPath()
            _ = try await client.backup(to: copy)
            try await served.restore(from: copy)
            return client
        }
        subject.verify = { _ in
            let report = try await client.verify()
            guard report.isSound else {
                throw StoreError.corrupted("\(report.problems)")
            }
        }
        subject.tearDown = { _ in
            await running.end()
            await served.remove()
        }
        return subject
    }

    @Test("The engine behind gRPC answers as the model", arguments: seeds)
    func agrees(seed: UInt64) async throws {
        try await DriverRun(seed: seed, count: 100) { try await Self.subject(seed: $0) }
            .check(attempts: 20)
    }
}
