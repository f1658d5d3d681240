import Foundation
import Mailbox
import StoreAPI
import Testing

@testable import mailboxctl

/// Each command over `--connect` answers as it does on a directory.
@Suite struct ConnectTests {
    /// The command's arguments with the store in their place: behind the name.
    private func on(_ store: [String], _ arguments: [String]) async -> ToolRun {
        await tool([arguments[0]] + store + arguments.dropFirst())
    }

    /// What differs between two stores that hold the same.
    private func masked(_ run: ToolRun) -> String {
        var text = run.output
        for pattern in [
            #"("epoch":"|epoch +)[0-9a-f]{16}"#, #""(newestT|t)imestampMilliseconds":[0-9]+"#,
            #""seconds":[0-9.]+"#, #"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+Z"#,
            #"took +.*"#,
            // A daemon's journal holds what waits for a checkpoint; a directory was just closed.
            #""journalGroups":[0-9]+"#,
        ] {
            text = text.replacingOccurrences(of: pattern, with: "*", options: .regularExpression)
        }
        return text
    }

    @Test(arguments: Way.allCases)
    func everyMessageCommandAnswersAsOnADirectory(way: Way) async throws {
        try await withDirectory { directory in
            let here = directory + "/here"
            let trace = try write(
                "a\tb\t5\tone\nc\tb\t6\ttwo\na\tb\t7\tthree\n", to: "trace", in: directory)
            try await Served.with(directory + "/there", way) { served in
                let there = ["--connect", served.address]
                let commands = [
                    ["append", "a", "b", "hello"], ["append", "a", "b", "hello", "--json"],
                    ["append", "a", "b", "x", "--device", "d", "--client-sequence", "1"],
                    ["append", "a", "b", "x", "--device", "d", "--client-sequence", "1"],
                    ["append", "a", "b", "y", "--device", "d", "--client-sequence", "1"],
                    ["append", "a", "b", "y", "--device", "d", "--client-sequence", "9"],
                    ["append", "", "b", "y"], ["append", "a", "b", ""],
                    ["replay", trace, "--json"], ["replay", trace],
                    ["replay", "--generate", "300", "--mailboxes", "20", "--json"],
                    ["fetch", "a", "b", "--json"], ["fetch", "a", "b", "--limit", "2"],
                    ["fetch", "a", "b", "--limit", "0"], ["fetch", "a", "b", "--cursor", "3"],
                    ["fetch", "a", "b", "--cursor", "3", "--epoch", "1"],
                    ["read", "a", "b"], ["read", "a", "b", "--after", "1", "--json"],
                    ["head", "a", "b"], ["head", "a", "b", "--device", "d", "--json"],
                    ["inbox", "b"], ["inbox", "b", "--limit", "1", "--json"], ["inbox", "nobody"],
                    ["inbox", "b", "--limit", "0"], ["watch", "b", "--until-caught-up"],
                    ["watch", "b", "c", "--until-caught-up", "--json"],
                    ["watch", "b", "--count=1"],
                    ["drain", "--limit", "7", "--json"], ["drain", "--json"],
                    ["compact", "--keep-newest", "1"], ["compact", "--json"],
                    ["read", "a", "b", "--after", "0"], ["verify"], ["verify", "--json"], ["dump"],
                ]
                for command in commands {
                    let local = await on([here], command)
                    let remote = await on(there, command)
                    #expect(remote.status == local.status, "\(command): \(remote.notes)")
                    #expect(masked(remote) == masked(local), "\(command)")
                    let codes = [local, remote].map { run in
                        run.notes.map { $0.split(separator: ":").prefix(2).joined(separator: ":") }
                    }
                    #expect(codes[0] == codes[1], "\(command)")
                }
            }
        }
    }

    @Test func whatADirectoryHoldsIsTheSameBehindADaemon() async throws {
        try await withDirectory { directory in
            let path = directory + "/store"
            _ = await tool("replay", path, "--generate", "500", "--mailboxes", "20")
            let commands = [
                ["dump"], ["inbox", "user1", "--json"], ["verify", "--json"],
                ["head", "user1", "user2", "--json"], ["read", "user1", "user2", "--json"],
            ]
            var local: [String] = []
            for command in commands { local.append(await on([path], command).output) }
            let expected = local
            let stats = try await tool("stats", path, "--json").object
            try await Served.with(path) { served in
                for (command, output) in zip(commands, expected) {
                    let remote = await on(["--connect", served.address], command)
                    #expect(remote.status == 0, "\(remote.notes)")
                    #expect(!remote.output.isEmpty)
                    #expect(remote.output == output, "\(command)")
                }
            }
            let remote = try await Served.with(path) { served in
                await tool("stats", "--connect", served.address, "--json").output
            }
            let object = try #require(
                JSONSerialization.jsonObject(with: Data(remote.utf8)) as? [String: Any])
            #expect(Set(object.keys) == Set(stats.keys))
            for key in ["epoch", "shards", "condition", "mailboxes", "messages", "bodyBytes"] {
                #expect("\(object[key] ?? "")" == "\(stats[key] ?? "")", "\(key)")
            }
            #expect(object["diskBytes"] is NSNull)
        }
    }

    /// The drill of OPERATIONS, beside a daemon that serves.
    @Test func aBackupOverTheNetworkIsRestored() async throws {
        try await withDirectory { directory in
            let (copy, restored) = (directory + "/copy", directory + "/restored")
            let dump = try await Served.with(directory + "/store") { served in
                let there = ["--connect", served.address]
                #expect(await on(there, ["append", "a", "b", "kept"]).status == 0)
                #expect(await on(there, ["verify"]).status == 0)
                let backup = await on(there, ["backup", copy, "--json"])
                #expect(backup.status == 0, "\(backup.notes)")
                let told = try backup.object
                #expect(told["store"] as? String == served.address)
                let again = await on(there, ["backup", copy])
                #expect(again.status == 65, "\(again.notes)")
                return await on(there, ["dump"]).output
            }
            #expect(await tool("restore", copy, restored).status == 0)
            #expect(await tool("verify", restored).status == 0)
            #expect(await tool("dump", restored).output == dump)
        }
    }

    @Test func aWatchHearsWhatIsStoredAndConfirmed() async throws {
        try await withDirectory { directory in
            try await Served.with(directory + "/store") { served in
                let console = Console.recording()
                let command = try MailboxCtl.parseAsRoot([
                    "watch", "--connect", served.address, "b", "--count", "2",
                ])
                let watch = try #require(command as? WatchCommand)
                let mailbox = try MailboxID(sender: "a", receiver: "b")
                let running = Task { try await watch.execute(console) }
                while !console.recordedOutput.contains("caught up") { await Task.yield() }
                _ = try await served.store.append(Append(mailbox, text: "hello"))
                while !console.recordedOutput.contains("max 1") { await Task.yield() }
                try served.store.acknowledge(
                    mailbox, through: Cursor(1, epoch: served.store.epoch))
                try await running.value
                #expect(
                    console.recordedOutput == """
                        caught up
                        a → b: max 1, acknowledged 0, 1 wait
                        a → b: max 1, acknowledged 1, 0 wait

                        """)
            }
        }
    }

    @Test func topTellsWhatTheDaemonDoes() async throws {
        try await withDirectory { directory in
            try await Served.with(directory + "/store") { served in
                let there = ["--connect", served.address]
                #expect(await on(there, ["replay", "--generate", "500"]).status == 0)
                let once = ["--interval", "100ms", "--once"]
                let frame = try await on(there, ["top", "--json"] + once).object
                #expect((frame["appendedMessages"] as? NSNumber)?.intValue == 500)
                #expect(frame["target"] as? String == served.address)
                let append = try #require(frame["append"] as? [String: Any])
                #expect((append["count"] as? NSNumber)?.intValue ?? 0 > 0)
                let busiest = try #require(frame["busiest"] as? [[String: Any]])
                #expect(!busiest.isEmpty)
                let text = await on(there, ["top"] + once)
                #expect(text.status == 0)
                for word in ["appends", "groups", "p99", "busiest mailboxes", "watchers", "sync"] {
                    #expect(text.output.contains(word), "\(word)")
                }
                #expect(!text.output.contains("\u{1B}"))
                let two = await on(there, ["top", "--json", "--interval", "100ms", "--count", "2"])
                try #expect(two.objects.count == 2)
            }
        }
    }
}
