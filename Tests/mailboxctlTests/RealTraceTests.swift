import Foundation
import Testing

@testable import mailboxctl

/// Half a year of real private messages, where the data set lies beside the package, or where
/// `MAILBOX_TRACE` says.
private enum RealTrace {
    static let path: String = {
        if let path = ProcessInfo.processInfo.environment["MAILBOX_TRACE"] { return path }
        var root = URL(filePath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        return root.deletingLastPathComponent()
            .appending(path: "shared/data/college-messages.tsv.gz").path(percentEncoded: false)
    }()

    static var isThere: Bool { FileManager.default.isReadableFile(atPath: path) }
}

@Suite(.enabled(if: RealTrace.isThere, "the real trace is not on this machine"))
struct RealTraceTests {
    private func number(_ value: Any?) -> Int? { (value as? NSNumber)?.intValue }

    @Test func theWholeTraceArrivesOnce() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let first = await tool("replay", store, RealTrace.path, "--json")
            #expect(first.status == 0, "\(first.notes)")
            try #expect(number(first.object["stored"]) == 59_835)
            try #expect(number(first.object["mailboxes"]) == 20_296)

            let second = try await tool("replay", store, RealTrace.path, "--json").object
            #expect(number(second["stored"]) == 0)
            #expect(number(second["duplicates"]) == 59_835)

            let busiest = try await tool("head", store, "user38", "user475", "--json").object
            #expect(number(busiest["max"]) == 98)

            let verify = try await tool("verify", store, "--json").object
            #expect(number(verify["messages"]) == 59_835)
            #expect(number(verify["mailboxes"]) == 20_296)
            #expect(number(verify["problemCount"]) == 0)
        }
    }

    @Test func everyReceiverGetsAllOfIt() async throws {
        let run = await tool("demo", "--trace", RealTrace.path, "--json")
        #expect(run.status == 0, "\(run.notes)")
        let report = try run.object
        let drain = try #require(report["drain"] as? [String: Any])
        #expect(number(drain["messages"]) == 59_835)
        #expect(number(drain["mailboxes"]) == 20_296)
        let compaction = try #require(report["compaction"] as? [String: Any])
        #expect(number(compaction["messagesRemoved"]) == 59_835)
        let verify = try #require(report["verify"] as? [String: Any])
        #expect(number(verify["mailboxes"]) == 20_296)
        #expect(number(verify["problemCount"]) == 0)
    }
}
