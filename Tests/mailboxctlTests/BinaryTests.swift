import Foundation
import StoreEngine
import Testing

@testable import mailboxctl

/// The tool as scripts meet it: a process with exit codes, pipes and rights.
@Suite struct BinaryTests {
    @Test func exitCodesAndStreams() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let stored = try Binary.mailboxctl("append", store, "a", "b", input: "from a pipe\n")
            #expect(stored.status == 0, "\(stored.error)")
            #expect(stored.output == "a → b: sequence 1, durability commit\n")
            #expect(stored.error.isEmpty)
            let read = try Binary.mailboxctl("read", store, "a", "b", "--json")
            #expect(read.output.contains(#""body":"from a pipe\n""#))

            let usage = try Binary.mailboxctl("append", store)
            #expect(usage.status == 64)
            #expect(usage.error.contains("Usage: mailboxctl append"))
            let bad = try Binary.mailboxctl("append", store, "", "b", "x")
            #expect(bad.status == 65)
            #expect(bad.error.hasPrefix("mailboxctl: invalidArgument: "))
            #expect(bad.output.isEmpty)
            try #expect(Binary.mailboxctl("head", directory + "/none", "a", "b").status == 66)
            let help = try Binary.mailboxctl("--help")
            #expect(help.status == 0)
            #expect(help.output.contains("EXIT CODES"))
            try #expect(Binary.mailboxctl("--version").output == "0.1.0\n")
        }
    }

    @Test func aTraceFromStandardInput() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            let run = try Binary.mailboxctl(
                "replay", store, "-", "--json", input: "a\tb\t5\tx\na\tb\t6\ty\n")
            #expect(run.output.contains(#""stored":2"#))
            let bad = try Binary.mailboxctl("replay", store, "-", input: "a\tb\n")
            #expect(bad.status == 65)
            #expect(bad.error.contains("standard input, line 1: it has 2; expected 4 columns"))
        }
    }

    @Test func anotherProcessHasTheStore() async throws {
        try await withDirectory { directory in
            let path = directory + "/store"
            let store = try MailboxStore.open(at: path)
            let run = try Binary.mailboxctl("append", path, "a", "b", "x")
            #expect(run.status == 69)
            #expect(run.error.hasPrefix("mailboxctl: locked: "))
            try store.close()
            try #expect(Binary.mailboxctl("append", path, "a", "b", "x").status == 0)
        }
    }

    @Test func aReaderThatGoesAwayIsAFailedWrite() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            _ = await tool("replay", store, "--generate", "2000", "--mailboxes", "10")
            let pipeline = "\"$1\" dump \"$2\" | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}"
            let run = try Binary.run("/bin/bash", ["-c", pipeline, "bash", Binary.path, store])
            #expect(run.output == "74\n")
            #expect(run.error.hasPrefix("mailboxctl: inputOutput: cannot write standard output"))
            #expect(await tool("verify", store).status == 0)
        }
    }

    /// The super-user may do everything, so an ordinary user runs the tool.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")))
    func noRights() async throws {
        try await withDirectory { directory in
            let store = directory + "/store"
            _ = await tool("append", store, "a", "b", "secret")
            let trace = try write("a\tb\t5\tx\n", to: "trace", in: directory)
            let files = FileManager.default
            try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory)
            try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: store)
            try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: trace)
            // The binary may lie where that user cannot go.
            let binary = directory + "/mailboxctl"
            try files.copyItem(atPath: Binary.path, toPath: binary)
            func asNobody(_ arguments: String...) throws -> Binary.Answer {
                let user = ["--reuid=65534", "--regid=65534", "--clear-groups"]
                let drop = geteuid() == 0 ? user : []
                return try Binary.run("/usr/bin/setpriv", drop + [binary] + arguments)
            }
            if geteuid() != 0 {
                try files.setAttributes([.posixPermissions: 0], ofItemAtPath: store)
                try files.setAttributes([.posixPermissions: 0], ofItemAtPath: trace)
            }
            let runs = [
                try asNobody("fetch", store, "a", "b"), try asNobody("verify", store),
                try asNobody("append", "/proc/1/store", "a", "b", "x"),
                try asNobody("replay", "/tmp/never-made", trace),
            ]
            for run in runs {
                #expect(run.status == 77, "\(run.error)")
                #expect(run.error.hasPrefix("mailboxctl: noPermission: cannot "))
                #expect(!run.error.contains("secret"))
            }
            try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: store)
            #expect(await tool("read", store, "a", "b").output.contains("secret"))
        }
    }
}
