import ArgumentParser
import Foundation
import Testing

@testable import mailboxctl

/// What a run of the tool left behind.
struct ToolRun {
    var status: Int32
    var output: String
    /// Standard error, line by line.
    var notes: [String]

    /// The answer's lines, each parsed as a JSON object.
    var objects: [[String: Any]] {
        get throws {
            try output.split(separator: "\n").map { line in
                let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
                return try #require(value as? [String: Any])
            }
        }
    }

    /// The answer, when it is one JSON object.
    var object: [String: Any] {
        get throws {
            let objects = try objects
            try #require(objects.count == 1)
            return objects[0]
        }
    }
}

/// Runs a command in this process, as the binary would.
func tool(_ arguments: String...) async -> ToolRun {
    await tool(arguments)
}

func tool(_ arguments: [String]) async -> ToolRun {
    let console = Console.recording()
    var status = ExitStatus.success.rawValue
    do {
        let command = try MailboxCtl.parseAsRoot(arguments)
        guard let command = command as? any ConsoleCommand else {
            return ToolRun(status: 64, output: "", notes: ["no subcommand"])
        }
        do {
            try await command.execute(console)
        } catch {
            let failure = Failure(error)
            console.note(failure.line)
            status = failure.status.rawValue
        }
    } catch {
        status = MailboxCtl.exitCode(for: error).rawValue
        console.note(MailboxCtl.message(for: error))
    }
    return ToolRun(status: status, output: console.recordedOutput, notes: console.recordedNotes)
}

/// Calls `body` with the path of a new directory, which is removed afterwards.
func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    try await TemporaryDirectory.with { try await body($0) }
}

/// Writes a file into a directory and gives its path.
@discardableResult
func write(_ text: String, to name: String, in directory: String) throws -> String {
    try write(Array(text.utf8), to: name, in: directory)
}

@discardableResult
func write(_ bytes: [UInt8], to name: String, in directory: String) throws -> String {
    let path = directory + "/" + name
    try Data(bytes).write(to: URL(filePath: path))
    return path
}

/// Packs a file with the system's gzip, and gives the packed bytes.
func gzip(_ path: String) throws -> [UInt8] {
    Array(try Binary.run("/usr/bin/env", ["gzip", "-nc", path]).data)
}

/// The tool as a process of its own.
enum Binary {
    struct Answer {
        var status: Int32
        var data: Data
        var error: String
        var output: String { String(decoding: data, as: UTF8.self) }
    }

    /// Beside the program that runs these tests.
    static let path: String = {
        let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        return own.deletingLastPathComponent().appending(path: "mailboxctl")
            .path(percentEncoded: false)
    }()

    static func mailboxctl(_ arguments: String..., input: String = "") throws -> Answer {
        try run(path, arguments, input: input)
    }

    /// Runs a program until it ends. Answers must fit into a pipe while the input is written.
    static func run(_ program: String, _ arguments: [String], input: String = "") throws -> Answer {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
        (process.standardInput, process.standardOutput) = (stdin, stdout)
        process.standardError = stderr
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let data = try stdout.fileHandleForReading.readToEnd() ?? Data()
        let error = try stderr.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Answer(
            status: process.terminationStatus, data: data,
            error: String(decoding: error, as: UTF8.self))
    }
}
