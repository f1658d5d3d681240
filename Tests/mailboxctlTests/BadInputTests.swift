import Foundation
import Mailbox
import StoreEngine
import Testing

@testable import mailboxctl

/// Wrong input gets one line that says what to do, an exit code to decide by, and changes nothing.
@Suite struct BadInputTests {
    private func expect(
        _ run: ToolRun, _ status: Int32, _ beginning: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(run.status == status, "\(run.notes)", sourceLocation: sourceLocation)
        #expect(run.output.isEmpty, sourceLocation: sourceLocation)
        #expect(run.notes.count == 1, sourceLocation: sourceLocation)
        let line = run.notes.first ?? ""
        #expect(
            line.hasPrefix("mailboxctl: " + beginning), "\(line)", sourceLocation: sourceLocation)
    }

    @Test func badAddresses() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            for address in ["", String(repeating: "a", count: 65), "a\nb", "a\u{85}", "\u{7F}"] {
                expect(await tool("append", store, address, "b", "x"), 65, "invalidArgument: ")
                expect(await tool("append", store, "a", address, "x"), 65, "invalidArgument: ")
            }
            expect(await tool("replay", store, "--generate", "1", "--device", ""), 65, "invalid")
            // Nothing was made for a message that could never be stored.
            #expect(!FileManager.default.fileExists(atPath: store))
        }
    }

    @Test func aBodyOverTheLimit() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            _ = await tool("append", store, "a", "b", "fits")
            let body = String(repeating: "s", count: (256 << 10) + 1)
            let run = await tool("append", store, "a", "b", body)
            expect(run, 65, "messageTooLarge: the body has 262145 bytes")
            #expect(!run.notes.joined().contains("ssss"))
            #expect(await tool("read", store, "a", "b").output.contains("1 messages"))
        }
    }

    @Test func limitsBelowOne() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            _ = await tool("append", store, "a", "b", "x")
            for limit in ["0", "-1", "-9223372036854775808"] {
                for verb in ["fetch", "read"] {
                    let run = await tool(verb, store, "a", "b", "--limit", limit)
                    expect(run, 65, "invalidArgument: the limit is \(limit) messages")
                    let bytes = await tool(verb, store, "a", "b", "--limit-bytes", limit)
                    expect(bytes, 65, "invalidArgument: the limit is \(limit) bytes")
                }
                expect(await tool("inbox", store, "b", "--limit", limit), 65, "invalidArgument: ")
                expect(await tool("drain", store, "--limit", limit), 65, "invalidArgument: ")
            }
        }
    }

    @Test func cursorsThatTheStoreCannotFollow() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            _ = await tool("append", store, "a", "b", "x")
            let head = try await tool("head", store, "a", "b", "--json").object
            let epoch = try #require(head["epoch"] as? String)
            let ahead = await tool("fetch", store, "a", "b", "--cursor", "2", "--epoch", epoch)
            expect(ahead, 65, "cursorAhead: ")
            expect(await tool("ack", store, "a", "b", "2", "--epoch", epoch), 65, "cursorAhead: ")
            let other = epoch == "0000000000000001" ? "2" : "1"
            let changed = await tool("fetch", store, "a", "b", "--cursor", "1", "--epoch", other)
            expect(changed, 65, "epochChanged: ")
            #expect(changed.notes.first?.contains(epoch) == true)
            expect(await tool("fetch", store, "a", "b", "--cursor", "1"), 65, "epochChanged: ")
            for text in ["", "0", "xyz", "11111111111111111"] {
                let run = await tool("fetch", store, "a", "b", "--cursor", "1", "--epoch", text)
                expect(run, 65, "invalidArgument: an epoch is")
            }
            let after = try await tool("head", store, "a", "b", "--json").object
            #expect((after["acknowledged"] as? NSNumber)?.intValue == 0)
        }
    }

    @Test func aDeviceThatSkipsANumberOrUsesOneTwice() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            func send(_ number: String, _ body: String) async -> ToolRun {
                await tool(
                    "append", store, "a", "b", body, "--device", "d", "--client-sequence", number)
            }
            expect(await send("2", "x"), 65, "producerGap: ")
            #expect(await send("1", "x").status == 0)
            expect(await send("1", "other"), 65, "producerConflict: ")
            expect(await send("3", "x"), 65, "producerGap: ")
            #expect(await send("0", "x").status == 65)
        }
    }

    @Test func noStoreThere() async throws {
        try await withDirectory { directory in
            let missing = directory + "/missing"
            let empty = directory + "/empty"
            try FileManager.default.createDirectory(
                atPath: empty, withIntermediateDirectories: false)
            for path in [missing, empty] {
                for arguments in [
                    ["fetch", path, "a", "b"], ["read", path, "a", "b"], ["head", path, "a", "b"],
                    ["inbox", path, "b"], ["ack", path, "a", "b", "1", "--epoch", "1"],
                    ["compact", path], ["verify", path], ["stats", path], ["dump", path],
                    ["drain", path], ["backup", path, directory + "/backup"],
                    ["restore", path, directory + "/restored"],
                ] {
                    expect(await tool(arguments), 66, "noSuchStore: ")
                }
            }
            try #expect(FileManager.default.contentsOfDirectory(atPath: directory) == ["empty"])
            try #expect(FileManager.default.contentsOfDirectory(atPath: empty).isEmpty)
        }
    }

    @Test func aDirectoryThatIsAFile() async throws {
        try await withDirectory { directory in
            let file = try write("precious", to: "file", in: directory)
            for arguments in [
                ["append", file, "a", "b", "x"], ["fetch", file, "a", "b"], ["verify", file],
                ["replay", file, "--generate", "1"], ["append", file + "/store", "a", "b", "x"],
                ["restore", file, directory + "/restored"], ["demo", "--store", file],
                ["bench", "--directory", file],
            ] {
                expect(await tool(arguments), 66, "wrongKindOfFile: ")
            }
            try #expect(String(contentsOfFile: file, encoding: .utf8) == "precious")
        }
    }

    @Test func aDirectoryThatIsSomethingElse() async throws {
        try await withDirectory { directory in
            try write("precious", to: "file", in: directory)
            let run = await tool("fetch", directory, "a", "b")
            #expect([65, 66].contains(run.status), "\(run.notes)")
            #expect(await tool("append", directory, "a", "b", "x").status != 0)
            try #expect(FileManager.default.contentsOfDirectory(atPath: directory) == ["file"])
        }
    }

    @Test func aTraceThatCannotBeRead() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            expect(await tool("replay", store, directory + "/none"), 66, "noSuchFile: ")
            expect(await tool("replay", store, directory), 66, "wrongKindOfFile: ")
            expect(await tool("demo", "--trace", directory + "/none"), 66, "noSuchFile: ")
            #expect(!FileManager.default.fileExists(atPath: store))
        }
    }

    @Test func aStoreThatAnotherHas() async throws {
        try await withDirectory { directory in
            let path = directory + "/store"
            let store = try MailboxStore.open(at: path)
            for arguments in [
                ["append", path, "a", "b", "x"], ["fetch", path, "a", "b"], ["verify", path],
            ] {
                expect(await tool(arguments), 69, "locked: ")
            }
            _ = try await store.append(
                Append(try MailboxID(sender: "a", receiver: "b"), text: "unharmed"))
            try store.close()
            #expect(await tool("read", path, "a", "b").output.contains("unharmed"))
        }
    }

    @Test(arguments: ["0", "-1", "65", "1000000"])
    func shardsThatNoStoreCanHave(count: String) async throws {
        try await withDirectory { directory in
            let run = await tool(
                "append", directory + "/store", "a", "b", "x", "--shards=\(count)")
            expect(run, 65, "invalidArgument: ")
        }
    }

    /// Wherever a stored body's bytes stand on disk, a flipped bit in them is found.
    @Test func aFlippedBit() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let body = "a body that is easy to find"
            _ = await tool("append", store, "a", "b", body)
            #expect(await tool("verify", store).status == 0)
            let names = try #require(FileManager.default.enumerator(atPath: store))
            var flips = 0
            for case let name as String in names {
                let file = URL(filePath: store + "/" + name)
                guard !file.hasDirectoryPath, var data = try? Data(contentsOf: file) else {
                    continue
                }
                let found = Self.places(of: Array(body.utf8), in: data)
                for place in found { data[data.startIndex + place + 3] ^= 4 }
                flips += found.count
                if !found.isEmpty { try data.write(to: file) }
            }
            #expect(flips > 0)
            let verify = await tool("verify", store)
            #expect(verify.status == 1, "\(verify)")
            let read = await tool("read", store, "a", "b")
            #expect(read.status == 1)
            #expect(!read.output.contains("easy to find"))
            #expect(!(verify.notes + read.notes).joined().contains("easy to find"))
        }
    }

    private static func places(of text: [UInt8], in data: Data) -> [Int] {
        var places: [Int] = []
        data.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, bytes.count >= text.count else { return }
            var start = 0
            while start <= bytes.count - text.count,
                let found = memchr(
                    base + start, Int32(text[0]), bytes.count - text.count - start + 1)
            {
                let place = UnsafeRawPointer(found) - base
                if memcmp(found, text, text.count) == 0 { places.append(place) }
                start = place + 1
            }
        }
        return places
    }
}
