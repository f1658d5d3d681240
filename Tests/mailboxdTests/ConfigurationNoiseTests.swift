import Foundation
import MailboxTesting
import Testing

@testable import mailboxd

/// Files, flags and variables that are damaged in any way: values of the table, or a `Failure` that
/// says what is wrong.
@Suite("Settings that nobody meant")
struct ConfigurationNoiseTests {
    private static let yaml = """
        listen:
          port: 7180
          host: "127.0.0.1"
        store:
          segmentBytes: 32MiB
          retention: newest:7
        limits:
          streamsPerConnection: 64
        # anything
        """

    private static let odd = [
        "", "a", "- 1\n- 2", "? [1, 2]\n: 3", "&a [*a]", "listen: &x {port: *x}", "%YAML 9.9\n---",
        "listen: {port: 1}\n---\nlisten: {port: 2}", "\u{FEFF}listen:\n  port: 7\n",
        "listen: |\n x",
        "!!binary aGk=: 1", "listen:\n  port: 1\n  port: 2", "<<: {listen: 1}", "\u{0}", "\u{85}",
        "a: b: c", "{", "[", "}", "'", "\"", "@", "`", "*", "&", "!", "|", ">", "%", "? ?",
        "listen: {port: 99999999999999999999}", "listen: {port: 0x10}", "listen: {port: .inf}",
        String(repeating: "[", count: 500), String(repeating: "{a: ", count: 500),
    ]

    private static func change(_ text: String, _ random: inout SeededRandom) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
            let odd = Array(":-{}[]&*!|>'\"%@`#,? \n\t0".utf8)
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where !bytes.isEmpty: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1 where !bytes.isEmpty: bytes.remove(at: place)
            case 2: bytes.removeLast(bytes.count - place)
            default: bytes.insert(odd[Int.random(in: 0..<odd.count, using: &random)], at: place)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func read(_ reader: SettingsReader, _ what: String) async {
        do {
            _ = try await reader.read(StoreSettings.all)
        } catch is Failure {
        } catch {
            Issue.record("\(what): \(type(of: error)): \(error)")
        }
    }

    @Test("A file is read, or refused with a failure that says why")
    func files() async throws {
        let path = NSTemporaryDirectory() + "/mailbox-noise-\(UUID().uuidString).yaml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var random = SeededRandom(seed: 23)
        let changed = (0..<400).map { _ in Self.change(Self.yaml, &random) }
        for text in [Self.yaml] + Self.odd + changed {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            await Self.read(SettingsReader(file: path), "the file \(text.debugDescription)")
        }
        try Data([0xFF, 0xFE, 0x00, 0x80]).write(to: URL(fileURLWithPath: path))
        await Self.read(SettingsReader(file: path), "bytes that are no UTF-8")
    }

    @Test("Flags and variables are read, or refused with a failure that says why")
    func flags() async throws {
        var random = SeededRandom(seed: 29)
        for _ in 0..<1_000 {
            let setting = StoreSettings.all[
                Int.random(in: 0..<StoreSettings.all.count, using: &random)]
            let value = Self.change(setting.standard + "7180", &random)
            let flag = Self.change(setting.flag, &random)
            let reader = SettingsReader(
                arguments: random.chance(50) ? [flag, value] : ["\(setting.flag)=\(value)"],
                environment: random.chance(30) ? [setting.variable(of: "store"): value] : [:])
            await Self.read(reader, "\(flag) \(value.debugDescription)")
        }
    }
}
