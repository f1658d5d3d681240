import Foundation
import Testing

@testable import mailboxctl

/// Each command on a store of its own, in this process.
@Suite struct CommandTests {
    private func number(_ value: Any?) -> Int? { (value as? NSNumber)?.intValue }

    @Test func appendGivesTheSequenceAndRecognisesItsOwnMessage() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let first = await tool("append", store, "anna", "bert", "hello", "--json")
            #expect(first.status == 0)
            try #expect(number(first.object["sequence"]) == 1)
            try #expect(first.object["durability"] as? String == "commit")
            let own = [
                "append", store, "anna", "bert", "--device", "phone", "--client-sequence", "1",
            ]
            let second = await tool(own + ["again", "--json"])
            try #expect(number(second.object["sequence"]) == 2)
            let third = await tool(own + ["again", "--json"])
            try #expect(number(third.object["sequence"]) == 2)
            try #expect(third.object["isDuplicate"] as? Bool == true)
            let text = await tool(own + ["again"])
            #expect(text.output == "anna → bert: stored before as sequence 2; nothing stored now\n")
            let head = await tool("head", store, "anna", "bert", "--device", "phone", "--json")
            try #expect(number(head.object["max"]) == 2)
            try #expect(number(head.object["lastClientSequence"]) == 1)
        }
    }

    @Test func fetchConfirmsWhatTheCursorSaysAndReadDoesNot() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            for number in 1...5 { _ = await tool("append", store, "a", "b", "body \(number)") }
            let first = try await tool("fetch", store, "a", "b", "--limit", "2", "--json").object
            #expect(first["hasMore"] as? Bool == true)
            let messages = try #require(first["messages"] as? [[String: Any]])
            #expect(messages.map { $0["body"] as? String } == ["body 1", "body 2"])
            let epoch = try #require(first["epoch"] as? String)

            let next = await tool(
                "fetch", store, "a", "b", "--cursor", "2", "--epoch", epoch, "--json")
            let rest = try #require(try next.object["messages"] as? [[String: Any]])
            #expect(rest.compactMap { number($0["sequence"]) } == [3, 4, 5])
            let head = try #require(try next.object["head"] as? [String: Any])
            #expect(number(head["acknowledged"]) == 2)

            let read = await tool(
                "read", store, "a", "b", "--after", "1", "--through", "4", "--json")
            let read2 = try #require(try read.object["messages"] as? [[String: Any]])
            #expect(read2.compactMap { number($0["sequence"]) } == [2, 3, 4])
            let acknowledged = await tool("ack", store, "a", "b", "4", "--epoch", epoch, "--json")
            try #expect(number(acknowledged.object["acknowledged"]) == 4)
            try #expect(number(acknowledged.object["waiting"]) == 1)

            let shown = await tool("read", store, "a", "b").output
            #expect(shown.contains("body 5"))
            #expect(shown.hasSuffix("epoch \(epoch)\n"))
            let confirmed = await tool("ack", store, "a", "b", "5", "--epoch", epoch).output
            #expect(confirmed == "a → b: acknowledged 5, 0 of 5 wait\n")
        }
    }

    @Test func bytesThatAreNoTextComeBackInBase64() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let trace = try write(
                Array("a\tb\t5\t".utf8) + [0xFF, 0x00, 0x0A], to: "trace", in: directory)
            #expect(await tool("replay", store, trace).status == 0)
            let answer = try await tool("read", store, "a", "b", "--json").object
            let messages = try #require(answer["messages"] as? [[String: Any]])
            #expect(messages.first?["body64"] as? String == "/wA=")
            #expect(messages.first?["body"] == nil)
        }
    }

    @Test func inboxPagesBySender() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            for sender in ["anna", "cem", "b"] {
                _ = await tool("append", store, sender, "bert", "hello")
            }
            let first = try await tool("inbox", store, "bert", "--limit", "2", "--json").object
            let entries = try #require(first["entries"] as? [[String: Any]])
            #expect(entries.map { $0["sender"] as? String } == ["b", "cem"])
            let next = try #require(first["next"] as? String)
            let rest = try await tool("inbox", store, "bert", "--after", next, "--json").object
            #expect((rest["entries"] as? [Any])?.count == 1)
            #expect(rest["next"] is NSNull)
            #expect(
                await tool("inbox", store, "bert", "--limit", "2").output.contains("--after 'cem'"))
            #expect(await tool("inbox", store, "nobody").output == "nobody wrote to nobody\n")
        }
    }

    @Test func replayStoresOnceAndShowsTheTracesTimes() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let text = "a\tb\t1082040961\tone\nb\ta\t1082040962\ttwo\na\tb\t1082040963\tthree\n"
            let trace = try write(text, to: "trace.tsv", in: directory)
            let packed = try write(gzip(trace), to: "trace.tsv.gz", in: directory)
            let first = try await tool("replay", store, trace, "--json").object
            #expect(number(first["stored"]) == 3)
            #expect(number(first["mailboxes"]) == 2)
            #expect(number(first["bodyBytes"]) == 11)
            let second = try await tool("replay", store, packed, "--json").object
            #expect(number(second["stored"]) == 0)
            #expect(number(second["duplicates"]) == 3)
            let other = await tool(
                "replay", store, trace, "--device", "other", "--batch", "1", "--json")
            try #expect(number(other.object["stored"]) == 3)
            let head = try await tool("head", store, "a", "b", "--json").object
            #expect(number(head["newestTimestampMilliseconds"]) == 1_082_040_963_000)
            #expect(number(head["max"]) == 4)
            let exact = directory + "/exact"
            _ = await tool("replay", exact, trace, "--span", "1s")
            let read = try await tool("read", exact, "a", "b", "--json").object
            let messages = try #require(read["messages"] as? [[String: Any]])
            #expect(
                messages.compactMap { number($0["timestampMilliseconds"]) }
                    == [1_082_040_962_000, 1_082_040_963_000])
        }
    }

    @Test func replayStopsAtABadLineAndGoesOnBehindItLater() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let good = "a\tb\t5\tx\n"
            let trace = try write(good + "a\tb\t5\n" + good + good, to: "trace", in: directory)
            let stopped = await tool("replay", store, trace)
            #expect(stopped.status == 65)
            #expect(stopped.notes.first?.contains("line 2") == true)
            try #expect(number(await tool("head", store, "a", "b", "--json").object["max"]) == 1)
            let skipped = await tool("replay", store, trace, "--skip-bad-lines", "--json")
            try #expect(number(skipped.object["stored"]) == 2)
            try #expect(number(skipped.object["duplicates"]) == 1)
            try #expect(number(skipped.object["skippedLines"]) == 1)
        }
    }

    @Test func drainThenCompactLeavesOnlyHeads() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let replay = await tool(
                "replay", store, "--generate", "3000", "--mailboxes", "200", "--json")
            let mailboxes = try #require(try number(replay.object["mailboxes"]))
            let drain = try await tool("drain", store, "--limit", "7", "--json").object
            #expect(number(drain["messages"]) == 3_000)
            #expect(number(drain["mailboxes"]) == mailboxes)
            #expect(number(drain["fetches"]).map { $0 >= mailboxes + 3_000 / 7 } == true)
            let again = try await tool("drain", store, "--json").object
            #expect(number(again["messages"]) == 0)
            let compact = await tool("compact", store, "--keep-unacknowledged", "--json")
            try #expect(number(compact.object["messagesRemoved"]) == 3_000)
            let verify = try await tool("verify", store, "--json").object
            #expect(number(verify["messages"]) == 0)
            #expect(number(verify["mailboxes"]) == mailboxes)
            #expect(number(verify["problemCount"]) == 0)
        }
    }

    @Test func compactWithoutAPolicyKeepsToTheStores() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            for number in 1...5 { _ = await tool("append", store, "a", "b", "body \(number)") }
            let epoch = try #require(
                try await tool("head", store, "a", "b", "--json").object["epoch"] as? String)
            _ = await tool("ack", store, "a", "b", "5", "--epoch", epoch)
            // The tool made the store: it keeps everything.
            let kept = await tool("compact", store, "--json")
            try #expect(number(kept.object["messagesRemoved"]) == 0)
            let named = await tool("compact", store, "--keep-unacknowledged", "--json")
            try #expect(number(named.object["messagesRemoved"]) == 5)
        }
    }

    @Test func compactKeepsTheNewest() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            for number in 1...6 { _ = await tool("append", store, "a", "b", "\(number)") }
            let epoch = try #require(
                try await tool("head", store, "a", "b", "--json").object["epoch"] as? String)
            _ = await tool("ack", store, "a", "b", "5", "--epoch", epoch)
            #expect(await tool("compact", store, "--keep-for", "1d").status == 0)
            try #expect(number(await tool("head", store, "a", "b", "--json").object["floor"]) == 0)
            let text = await tool("compact", store, "--keep-newest", "2").output
            #expect(text == "removed 4 messages (4 B) from 1 of 1 mailboxes\n")
            try #expect(number(await tool("head", store, "a", "b", "--json").object["floor"]) == 4)
            let trimmed = await tool("read", store, "a", "b", "--after", "1")
            #expect(trimmed.status == 65)
            #expect(trimmed.notes.first?.hasPrefix("mailboxctl: trimmed: ") == true)
            let rest = try await tool("read", store, "a", "b", "--json").object
            #expect((rest["messages"] as? [Any])?.count == 2)
        }
    }

    @Test func aRestoredBackupHasTheMessagesAndAnotherEpoch() async throws {
        try await withDirectory { directory in
            let (store, backup) = (directory + "/store", directory + "/backup")
            _ = await tool("replay", store, "--generate", "500", "--mailboxes", "20")
            let dump = await tool("dump", store).output
            let before = await tool("inbox", store, "user1", "--json").output
            let answer = await tool("backup", store, backup, "--json")
            #expect(answer.status == 0)
            try #expect(number(answer.object["diskBytes"]).map { $0 >= 0 } == true)
            #expect(await tool("backup", store, backup).status != 0)
            #expect(await tool("restore", backup, store).status != 0)

            let copy = directory + "/copy"
            let restored = try await tool("restore", backup, copy, "--json").object
            let epoch = try #require(restored["epoch"] as? String)
            #expect(await tool("dump", copy).output == dump)
            #expect(await tool("inbox", copy, "user1", "--json").output == before)
            #expect(await tool("verify", copy).status == 0)
            let head = try await tool("head", copy, "user1", "user2", "--json").object
            #expect(head["epoch"] as? String == epoch)
            let old = try await tool("head", store, "user1", "user2", "--json").object
            #expect(old["epoch"] as? String != epoch)
        }
    }

    @Test func dumpHasEveryMailboxAndEveryMessageInOrder() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            for body in ["one", "two"] { _ = await tool("append", store, "a", "bb", body) }
            _ = await tool("append", store, "z", "b", "three")
            let lines = try await tool("dump", store).objects
            #expect(
                lines.map { $0["kind"] as? String } == [
                    "mailbox", "message", "mailbox", "message", "message",
                ])
            #expect(lines.map { $0["receiver"] as? String } == ["b", "b", "bb", "bb", "bb"])
            #expect(lines.compactMap { $0["body"] as? String } == ["three", "one", "two"])
            #expect(number(lines[2]["max"]) == 2)
        }
    }

    @Test func statsCountWhatIsThere() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            _ = await tool("append", store, "a", "b", "hello")
            #expect(await tool("stats", store).output.contains("epoch"))
            let stats = await tool("stats", store, "--json")
            try #expect(number(stats.object["diskBytes"]) != nil)
        }
    }

    @Test func demoShowsThatNothingIsLost() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let arguments = ["demo", "--generate", "2000", "--mailboxes", "100", "--batch", "64"]
            let run = await tool(arguments + ["--store", store, "--json"])
            #expect(run.status == 0, "\(run.notes)")
            let report = try run.object
            let again = try #require(report["secondReplay"] as? [String: Any])
            #expect(number(again["stored"]) == 0)
            let drain = try #require(report["drain"] as? [String: Any])
            #expect(number(drain["messages"]) == 2_000)
            #expect(await tool("verify", store).status == 0)
            let text = await tool(arguments)
            #expect(text.status == 0)
            #expect(text.output.contains("stored by a second replay"))
        }
    }

    @Test func benchGivesEveryFigure() async throws {
        let run = await tool(
            "bench", "--messages", "500", "--mailboxes", "50", "--batch", "64", "--tasks", "8",
            "--json")
        #expect(run.status == 0, "\(run.notes)")
        let figures = try run.object
        #expect(figures.count == 6)
        #expect(figures.values.allSatisfy { ($0 as? NSNumber)?.doubleValue ?? 0 > 0 })
    }
}
