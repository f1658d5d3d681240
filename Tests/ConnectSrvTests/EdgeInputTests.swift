import Foundation
import MailboxTesting
import Testing

/// What `fuzz-edge` fuzzes, with the inputs that are kept and with some thousand changes of them:
/// its modules are compiled with the sanitizer for minutes, which CI does not do.
@Suite("Bytes from networks")
struct EdgeInputTests {
    private static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func kept(_ name: String) -> [[UInt8]] {
        ["Corpus", "FailCases"].flatMap { folder -> [[UInt8]] in
            let place = repository.appendingPathComponent("Fuzz/\(folder)/\(name)")
            let files = try? FileManager.default.contentsOfDirectory(
                at: place, includingPropertiesForKeys: nil)
            return (files ?? []).sorted { $0.path < $1.path }
                .compactMap { try? Data(contentsOf: $0) }.map { [UInt8]($0) }
        }
    }

    /// How many changed inputs each target gets.
    private static let changes: Int =
        ProcessInfo.processInfo.environment["MAILBOX_EDGE_INPUTS"].flatMap { Int($0) } ?? 1_500

    @Test("are taken, or refused with a typed error", arguments: EdgeTarget.all.map(\.name))
    func inputs(_ name: String) async throws {
        let target = try #require(EdgeTarget.all.first { $0.name == name })
        let inputs = try await target.seeds() + Self.kept(name)
        #expect(!inputs.isEmpty)
        for input in inputs { try target.run(input) }
        var random = SeededRandom(seed: 17)
        for number in 0..<Self.changes {
            var input = inputs[Int.random(in: 0..<inputs.count, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                Self.change(&input, inputs, &random)
            }
            do {
                try target.run(Array(input.prefix(target.byteCountMaximum)))
            } catch {
                Issue.record("\(name), change \(number): \(error): \(input)")
            }
        }
    }

    private static func change(
        _ input: inout [UInt8], _ others: [[UInt8]], _ random: inout SeededRandom
    ) {
        let place = input.isEmpty ? 0 : Int.random(in: 0..<input.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0 where !input.isEmpty: input[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1 where !input.isEmpty: input[place] = UInt8.random(in: 0...255, using: &random)
        case 2: input.insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 3 where !input.isEmpty: input.remove(at: place)
        case 4: input.removeLast(input.count - place)
        default:
            let other = others[Int.random(in: 0..<others.count, using: &random)]
            input.insert(contentsOf: other.prefix(40), at: place)
        }
    }
}
