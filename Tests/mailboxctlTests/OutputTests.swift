import Foundation
import Mailbox
import Testing

@testable import mailboxctl

@Suite struct OutputTests {
    @Test(arguments: [
        "", "plain", "quote \" and \\", "line\nbreak\ttab\r", "\u{0}\u{1}\u{1F}\u{7F}", "grüße 👍",
        "\u{2028}",
    ])
    func jsonStringsComeBack(text: String) throws {
        let json = JSON.object([("a", .string(text)), (text, .array([.null, true, -5]))]).text
        #expect(!json.contains("\n"))
        let value = try JSONSerialization.jsonObject(with: Data(json.utf8))
        let object = try #require(value as? [String: Any])
        if text != "a" { #expect(object["a"] as? String == text) }
        #expect((object[text] as? [Any])?.count == 3)
    }

    @Test func jsonNumbers() {
        #expect(JSON.number(UInt64.max).text == "18446744073709551615")
        #expect(JSON.number(Int64.min).text == "-9223372036854775808")
        #expect(JSON.decimal(0.1 + 0.2).text == "0.3")
        #expect(JSON.decimal(.nan).text == "null")
        #expect(JSON.array([1, .object([]), .array([])]).text == "[1,{},[]]")
    }

    @Test func tablesAlign() {
        var table = Table([("name", .left), ("count", .right), ("body", .left)])
        table.add(["a", "1", ""])
        table.add(["grün", "1 000", "x  y"])
        #expect(table.lines == ["name  count  body", "a         1", "grün  1 000  x  y"])
        #expect(Table.facts([("a", "1"), ("bcd", "2")]).lines == ["a    1", "bcd  2"])
    }

    @Test func numbersForPeople() {
        #expect(Text.count(0) == "0")
        #expect(Text.count(999) == "999")
        #expect(Text.count(59_835) == "59 835")
        #expect(Text.count(-1_234_567) == "-1 234 567")
        #expect(Text.bytes(1_023) == "1023 B")
        #expect(Text.bytes(1_024) == "1.0 KiB")
        #expect(Text.bytes(UInt64.max) == "16.0 EiB")
        #expect(Text.rate(412_345, seconds: 1) == "412 000/s")
        #expect(Text.rate(5, seconds: 2) == "3/s")
        #expect(Text.rate(5, seconds: 0) == "–")
    }

    @Test(arguments: [
        (0.0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (60, "1 min 00 s"),
        (200, "3 min 20 s"), (7_500, "2 h 05 min"), (-1, "?"), (.infinity, "?"),
    ])
    func durationsForPeople(seconds: Double, text: String) {
        #expect(Text.duration(seconds: seconds) == text)
    }

    @Test func timesForPeople() {
        #expect(Text.time(milliseconds: 0) == "–")
        #expect(Text.time(milliseconds: 1_082_040_961_000) == "2004-04-15 14:56:01.000Z")
    }

    @Test func bodiesCannotDriveATerminal() {
        let hostile = "a\u{1B}[2J\u{9B}\u{202E}\n\\n"
        let shown = Text.body(Array(hostile.utf8)[...])
        #expect(shown == #"a\u{1B}[2J\u{9B}\u{202E}\n\\n"#)
        #expect(Text.body([0xFF, 0x00]) == "base64:/wA=")
        #expect(Text.body(Array("grüße 👍".utf8)[...]) == "grüße 👍")
    }

    @Test func progressSaysWhatIsDoneAndWhatIsLeft() {
        var line = ProgressLine(
            label: "replay", count: 1_500_000, noun: "messages", fraction: 0.25, seconds: 3)
        #expect(line.secondsLeft == 9)
        #expect(
            line.text(columns: 120)
                == "replay  [#####---------------] 25 %  1 500 000 messages  500 000/s  9.0 s left")
        #expect(line.text(columns: 20).count == 19)
        line.fraction = nil
        #expect(line.text(columns: 120) == "replay  1 500 000 messages  500 000/s")
        line.fraction = 0
        #expect(line.secondsLeft == nil)
        line.fraction = 1
        #expect(line.text(columns: 120).contains("[####################] 100 %"))
        #expect(line.secondsLeft == 0)
        line.fraction = 7
        #expect(line.text(columns: 120).contains("] 100 %"))
    }

    @Test func exitCodesFollowTheErrors() {
        #expect(Failure(store: .invalidArgument("a")).status == .data)
        #expect(Failure(store: .epochChanged(current: .mint())).status == .data)
        #expect(Failure(store: .closed()).status == .unavailable)
        #expect(Failure(store: .corrupted("a")).status == .problems)
        #expect(Failure(CancellationError()).status == .software)
        #expect(Failure.file("a", doing: "read", errno: 2).status == .noInput)
        #expect(Failure.file("a", doing: "read", errno: 5).status == .inputOutput)
        #expect(Failure.file("a", doing: "read", errno: 13).status == .noPermission)
        #expect(
            Failure(store: .invalidArgument("say b")).line
                == "mailboxctl: invalidArgument: say b")
    }
}
