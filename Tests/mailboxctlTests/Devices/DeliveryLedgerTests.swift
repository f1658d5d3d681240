import Foundation
import Mailbox
import Testing

@testable import mailboxctl

@Suite struct DeliveryLedgerTests {
    private let now = ContinuousClock().now
    private let mailbox: MailboxID

    init() throws { mailbox = try MailboxID(sender: "anna", receiver: "bert") }

    /// Three messages that were sent and accepted.
    private func ledger() throws -> DeliveryLedger {
        var ledger = DeliveryLedger(device: try DeviceID("d"))
        for number in 1...3 { ledger.sent(mailbox, Array("\(number)".utf8), at: now) }
        ledger.accepted(mailbox, through: 2, at: now)
        ledger.accepted(mailbox, through: 1, at: now)
        ledger.accepted(mailbox, through: 3, at: now)
        return ledger
    }

    private func arrive(
        _ numbers: [ClientSequence], in ledger: inout DeliveryLedger, device: String = "d",
        body: String? = nil
    ) {
        for number in numbers {
            ledger.arrived(
                mailbox,
                .init(
                    device: device, clientSequence: number,
                    body: Array((body ?? "\(number)").utf8), way: .pushed), at: now)
        }
    }

    @Test func whatArrivedOnceAndInOrderIsPerfect() throws {
        var ledger = try ledger()
        arrive([1, 2, 3], in: &ledger)
        #expect(!ledger.counts.isPerfect, "nobody confirmed")
        ledger.note(duplicates: 0, repeated: 0, confirmed: 3)
        #expect(ledger.counts.isPerfect)
        #expect(ledger.counts.accepted == 3 && ledger.counts.delivered == 3)
    }

    @Test func everyFaultIsSeen() throws {
        var doubled = try ledger()
        arrive([1, 2, 2, 3], in: &doubled)
        #expect(doubled.counts.doubled == 1)
        var late = try ledger()
        arrive([1, 3, 2], in: &late)
        #expect(late.counts.outOfOrder == 1 && late.counts.missing == 1)
        var lost = try ledger()
        arrive([1, 2], in: &lost)
        #expect(lost.counts.missing == 1)
        var mixed = try ledger()
        arrive([1], in: &mixed, body: "2")
        #expect(mixed.counts.damaged == 1)
        var invented = try ledger()
        arrive([4], in: &invented)
        #expect(invented.counts.damaged == 1)
        var older = try ledger()
        arrive([1], in: &older, device: "another")
        #expect(older.counts.foreign == 1 && older.counts.delivered == 0)
        for var ledger in [doubled, late, lost, mixed, invented] {
            ledger.note(duplicates: 0, repeated: 0, confirmed: 3)
            #expect(!ledger.counts.isPerfect)
        }
    }

    @Test func timesAreCountedToASixteenth() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.5) == 0)
        for microseconds in 1...10_000 { histogram.add(.microseconds(microseconds)) }
        let (half, most) = (histogram.quantile(0.5), histogram.quantile(0.99))
        #expect((0.005...0.005 * 17 / 16).contains(half), "\(half)")
        #expect((0.0099...0.0099 * 17 / 16).contains(most), "\(most)")
        histogram.add(.seconds(1_000_000_000))
        histogram.add(.seconds(-1))
        #expect(histogram.total == 10_002)
    }
}

@Suite struct AccountTokensTests {
    @Test func aTokenIsThreePartsThatNameKeyAndAccount() async throws {
        try await withDirectory { directory in
            let secret = String(repeating: "k", count: 32)
            let path = try write(secret + "\n", to: "secret", in: directory)
            let token = try AccountTokens(path: path, keyID: "main").mint(try Address("änna"))
            let parts = token.split(separator: ".")
            #expect(parts.count == 3)
            func decoded(_ part: Substring) throws -> [String: Any] {
                var text = part.replacing("-", with: "+").replacing("_", with: "/")
                while text.count % 4 != 0 { text += "=" }
                let data = try #require(Data(base64Encoded: String(text)))
                let object = try JSONSerialization.jsonObject(with: data)
                return try #require(object as? [String: Any])
            }
            #expect(try decoded(parts[0])["alg"] as? String == "HS256")
            #expect(try decoded(parts[0])["kid"] as? String == "main")
            #expect(try decoded(parts[1])["sub"] as? String == "änna")
            let short = try write("short", to: "short", in: directory)
            #expect(throws: Failure.self) { try AccountTokens(path: short, keyID: "main") }
        }
    }
}
