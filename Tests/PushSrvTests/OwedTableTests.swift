import Mailbox
import MailboxTesting
import Testing

@testable import PushSrv

@Suite("Which devices are owed a notification")
struct OwedTableTests {
    private static let delays = OwedTable.Delays(
        collapse: .milliseconds(500), quiet: .seconds(10), silence: .seconds(30),
        retryInitial: .seconds(1), retryMaximum: .seconds(8), attemptsMaximum: 5)

    private let start = ContinuousClock.now
    private let key: DeviceKey

    init() throws {
        key = DeviceKey(account: try Address("bob"), device: try DeviceID("phone"))
    }

    private func table(_ countMaximum: Int = 100) -> Table {
        Table(OwedTable(Self.delays, countMaximum: countMaximum))
    }

    @Test("What comes before the notification is part of it; what comes during it makes one more")
    func collapse() {
        let table = table()
        for number in 0..<10 {
            table.owe(key, nil, isOnline: false, now: start + .milliseconds(number))
        }
        #expect(table.take(now: start + .milliseconds(499)) == nil)
        #expect(table.take(now: start + .milliseconds(500))?.key == key)
        #expect(table.take(now: start + .seconds(60)) == nil)
        table.owe(key, nil, isOnline: false, now: start + .seconds(1))
        table.finish(key, .sent, now: start + .seconds(2), jitter: 0)
        // Not before the quiet time is over.
        #expect(table.take(now: start + .milliseconds(11_999)) == nil)
        #expect(table.take(now: start + .seconds(12))?.key == key)
        table.finish(key, .sent, now: start + .seconds(12), jitter: 0)
        #expect(table.count == 0)
    }

    @Test("A device that is online has time to confirm; one that goes offline is not waited for")
    func silence() {
        let table = table()
        table.owe(key, nil, isOnline: true, now: start)
        #expect(table.take(now: start + .seconds(29)) == nil)
        table.owe(key, nil, isOnline: false, now: start + .seconds(1))
        #expect(table.take(now: start + .milliseconds(1_500))?.key == key)
    }

    @Test("Waits double up to their bound, half of each drawn at random, and attempts end")
    func retries() {
        let table = table()
        table.owe(key, nil, isOnline: false, now: start)
        var now = start + .milliseconds(500)
        for (attempts, seconds) in [1.0, 2, 4, 8].enumerated() {
            #expect(table.take(now: now)?.attempts == attempts)
            #expect(table.finish(key, .failed, now: now, jitter: 0.5))
            #expect(table.take(now: now + .seconds(seconds * 0.74)) == nil)
            now += .seconds(seconds * 0.75)
        }
        #expect(table.take(now: now)?.attempts == 4)
        #expect(!table.finish(key, .failed, now: now, jitter: 0))
        #expect(table.count == 0)
    }

    @Test("A service that wants fewer is waited for, which is no attempt")
    func postponed() {
        let table = table()
        table.owe(key, nil, isOnline: false, now: start)
        let now = start + .seconds(1)
        #expect(table.take(now: now)?.attempts == 0)
        table.finish(key, .postponed(.seconds(60)), now: now, jitter: 0)
        #expect(table.take(now: now + .seconds(59)) == nil)
        #expect(table.take(now: now + .seconds(60))?.attempts == 0)
    }

    @Test("What comes while a notification is refused for good stays owed")
    func refusedMeanwhile() {
        let table = table()
        table.owe(key, nil, isOnline: false, now: start)
        let now = start + .seconds(1)
        #expect(table.take(now: now)?.key == key)
        table.owe(key, nil, isOnline: false, now: now)
        table.finish(key, .refused, now: now, jitter: 0)
        #expect(table.take(now: now + .seconds(10))?.key == key)
        #expect(!table.finish(key, .refused, now: now + .seconds(10), jitter: 0))
        #expect(table.count == 0)
    }

    @Test("What finds no room is said so, and the rest stays")
    func bounded() throws {
        let table = table(2)
        for name in ["a", "b", "c"] {
            let other = DeviceKey(account: key.account, device: try DeviceID(name))
            let isTaken = table.owe(other, nil, isOnline: false, now: start)
            #expect(isTaken == (name != "c"))
        }
        #expect(table.count == 2)
    }

    @Test("Whatever happens, each device is under way at most once, and what is owed is due")
    func random() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        let table = table(20)
        var now = start
        var underWay: Set<DeviceKey> = []
        let keys = try (0..<30).map { number in
            DeviceKey(account: key.account, device: try DeviceID("d\(number)"))
        }
        for _ in 0..<20_000 {
            now += .milliseconds(Int.random(in: 0...200, using: &random))
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let key = keys[Int.random(in: 0..<30, using: &random)]
                table.owe(key, nil, isOnline: Bool.random(using: &random), now: now)
            case 2:
                guard let due = table.take(now: now) else { break }
                #expect(underWay.insert(due.key).inserted)
            default:
                guard let key = underWay.min(by: { $0.device < $1.device }) else { break }
                underWay.remove(key)
                let outcomes: [OwedTable.Outcome] = [
                    .sent, .needless, .refused, .failed, .postponed(.seconds(1)),
                ]
                let outcome = outcomes[Int.random(in: 0..<5, using: &random)]
                table.finish(key, outcome, now: now, jitter: 0.5)
            }
            #expect(table.underWay == underWay.count)
            #expect(table.count <= 20)
        }
        // Nothing that is owed is forgotten: all of it comes due in the end.
        for key in underWay { table.finish(key, .sent, now: now, jitter: 0) }
        now += .seconds(1_000)
        while let due = table.take(now: now) {
            table.finish(due.key, .needless, now: now, jitter: 0)
        }
        #expect(table.count == 0)
    }
}

/// A table behind a reference: expectations change no value.
private final class Table {
    private var table: OwedTable

    init(_ table: OwedTable) { self.table = table }

    var count: Int { table.count }
    var underWay: Int { table.underWay }

    @discardableResult
    func owe(
        _ key: DeviceKey, _ news: OwedTable.News?, isOnline: Bool, now: OwedTable.Moment
    ) -> Bool {
        table.owe(key, news, isOnline: isOnline, now: now)
    }

    func take(now: OwedTable.Moment) -> OwedTable.Due? { table.take(now: now) }

    @discardableResult
    func finish(
        _ key: DeviceKey, _ outcome: OwedTable.Outcome, now: OwedTable.Moment, jitter: Double
    ) -> Bool {
        table.finish(key, outcome, now: now, jitter: jitter)
    }
}
