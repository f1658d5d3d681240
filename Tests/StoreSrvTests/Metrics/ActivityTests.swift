import Mailbox
import MailboxTesting
import Testing

@testable import StoreSrv

@Suite("What the last ten seconds were like")
struct ActivityTests {
    @Test("Buckets are in order, and at most a sixteenth wide")
    func buckets() {
        var last = -1
        for exponent in 0..<36 {
            for value in [UInt64(1) << exponent, (UInt64(3) << exponent) / 2] {
                let bucket = LatencyWindow.bucket(of: value)
                #expect(bucket >= last)
                last = bucket
                let bound = LatencyWindow.bound(of: bucket)
                #expect(bound >= value)
                #expect(Double(bound) <= Double(value) * 1.0625 + 1)
                #expect(LatencyWindow.bucket(of: bound) == bucket)
            }
        }
        #expect(LatencyWindow.bucket(of: .max) == LatencyWindow.bucketCount - 1)
    }

    @Test("Quantiles of what was recorded; what is older than ten seconds is gone")
    func window() {
        let window = LatencyWindow()
        #expect(window.summary(second: 5) == LatencyWindow.Summary())
        for value in 1...1_000 { window.record(microseconds: UInt64(value), second: 100) }
        let now = window.summary(second: 100)
        #expect(now.count == 1_000)
        #expect((500...532).contains(now.p50))
        #expect((990...1_000).contains(now.p99))
        #expect(now.maximum == 1_000)
        window.record(microseconds: 5_000, count: 1_000, second: 105)
        #expect(window.summary(second: 109).count == 2_000)
        let later = window.summary(second: 110)
        #expect(later.count == 1_000)
        #expect(later.maximum == 5_000)
        #expect(later.p50 == 5_000)
        #expect(window.summary(second: 115).count == 0)
    }

    @Test("The busiest mailboxes are found among many, with about their rates", arguments: [1, 64])
    func busiest(frame: Int) throws {
        let sketch = BusySketch()
        var random = SeededRandom(seed: 7)
        let busy = try (0..<3).map { try MailboxID(sender: "busy\($0)", receiver: "r") }
        var appends: [Append] = []
        for number in 0..<60_000 {
            let mailbox =
                number % 2 == 0
                ? try MailboxID(sender: "s\(random.next() % 20_000)", receiver: "r")
                : busy[number / 2 % 3]
            appends.append(Append(mailbox, body: []))
        }
        for start in stride(from: 0, to: appends.count, by: frame) {
            let end = min(start + frame, appends.count)
            sketch.record(Array(appends[start..<end]), second: 9)
        }
        let found = sketch.busiest(3, second: 9)
        #expect(Set(found.map(\.mailbox)) == Set(busy))
        for entry in found { #expect((800...1_300).contains(entry.appendsPerSecond)) }
        // Half of the window before lies within the last ten seconds.
        let later = sketch.busiest(3, second: 14)
        #expect(later.allSatisfy { (400...650).contains($0.appendsPerSecond) })
        #expect(sketch.busiest(3, second: 40).isEmpty)
    }

    @Test("Every metric has a name of its own")
    func names() {
        #expect(Set(MetricNames.all.map(\.name)).count == MetricNames.all.count)
        #expect(MetricNames.all.allSatisfy { $0.name.hasPrefix("mailbox_store_") })
    }
}
