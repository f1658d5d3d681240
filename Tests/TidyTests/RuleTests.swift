import Testing

/// Every rule can fail: each runs on a snippet that breaks it, and on one that only looks like it.
@Suite struct RuleTests {
    private func source(_ text: String, path: String = "Sources/StoreEngine/A.swift") -> SourceFile
    {
        SourceFile(path: path, text: text)
    }

    @Test(arguments: [
        ("StoreEngine", "import Foundation"), ("StoreEngine", "internal import NIOCore"),
        ("StoreEngine", "import CLMDB"), ("StoreEngine", "package import GRPCCore"),
        ("Mailbox", "import LMDB"), ("Mailbox", "import struct Foundation.Data"),
        ("LMDB", "public import Mailbox"), ("MailboxTesting", "import StoreEngine"),
        ("mailboxctl", "import LMDB"), ("mailboxctl", "@preconcurrency import CLMDB"),
        ("Unheard", "import Swift"),
    ])
    func aForbiddenImportIsFound(target: String, line: String) {
        let file = source("// first\n\(line)\n", path: "Sources/\(target)/A.swift")
        #expect(ImportRule.violations(in: file).count == 1)
    }

    @Test(arguments: [
        ("StoreEngine", "public import Mailbox"), ("StoreEngine", "import Synchronization"),
        ("LMDB", "internal import CLMDB"), ("mailboxctl", "import ArgumentParser"),
        ("Mailbox", "// import Foundation"), ("Mailbox", "let text = \"import Foundation\""),
    ])
    func anAllowedImportPasses(target: String, line: String) {
        let file = source("\(line)\n", path: "Sources/\(target)/A.swift")
        #expect(ImportRule.violations(in: file).isEmpty)
    }

    @Test func theCLibraryIsForbiddenInTests() {
        let file = source("import CLMDB\n", path: "Tests/LMDBTests/A.swift")
        #expect(ImportRule.violations(in: file).map(\.line) == [1])
    }

    @Test func aLongFileIsFound() {
        let text = String(repeating: "// line\n", count: LengthRule.fileLines)
        #expect(LengthRule.violations(in: source(text)).isEmpty)
        #expect(LengthRule.violations(in: source(text + "// one more\n")).count == 1)
    }

    @Test func aLongLineIsFoundAndColumnsAreCharacters() {
        let wide = "// " + String(repeating: "ä", count: LengthRule.lineColumns - 3)
        #expect(LengthRule.violations(in: source(wide)).isEmpty)
        #expect(LengthRule.violations(in: source("\n" + wide + "ä")).map(\.line) == [2])
    }

    @Test(arguments: [
        "func f() {", "    public static func f<T>(\n        _ a: T\n    ) throws -> T {",
        "init() {",
        "    private init?(a: Int = { 1 }()) {", "deinit {",
        "@inline(__always) mutating func f() {",
    ])
    func aLongFunctionIsFound(head: String) {
        let headLines = head.split(separator: "\n").count
        func body(_ count: Int) -> String {
            head + "\n" + String(repeating: "    if a { b(\"}\") } // }\n", count: count) + "}\n"
        }
        let most = LengthRule.functionLines - headLines - 1
        #expect(LengthRule.violations(in: source(body(most))).isEmpty)
        #expect(LengthRule.violations(in: source("\n" + body(most + 1))).map(\.line) == [2])
    }

    @Test func aRequirementHasNoBody() {
        let text = """
            protocol P {
                func a() async throws -> Int
                var b: Int { get }
                init()
            }
            func c() {
            }
            """
        #expect(LengthRule.functions(in: source(text)) == [.init(line: 6, lineCount: 2)])
    }

    @Test(arguments: [
        "let a = try" + "! b()", "let a = b as" + "! Int", "fatal" + "Error(\"x\")", "print(a)",
    ])
    func aBannedCallIsFoundInSources(line: String) {
        #expect(BannedRule.violations(in: source("\n\(line)\n")).map(\.line) == [2])
        let comment = source("// \(line)\nlet text = #\"\(line)\"#\n")
        #expect(BannedRule.violations(in: comment).isEmpty)
    }

    @Test func theToolMayPrint() {
        let file = source("print(a)\n", path: "Sources/mailboxctl/A.swift")
        #expect(BannedRule.violations(in: file).isEmpty)
        #expect(BannedRule.violations(in: source("blueprint(a)\n")).isEmpty)
    }

    @Test(arguments: [
        "sleep" + "(1)", "usleep" + "(1)", "try await Task.sleep" + "(for: .seconds(1))",
    ])
    func aTestMayNotWaitForTime(line: String) {
        let file = source("\(line)\n", path: "Tests/StoreEngineTests/A.swift")
        #expect(BannedRule.violations(in: file).count == 1)
    }

    @Test func uncheckedSendableNeedsItsReasonAbove() {
        let claim = "final class A: @unchecked Sendable {}\n"
        let about = "/// A thing.\n" + claim
        let reason = "/// A thing.\n// Sendable: all state is behind one lock.\n@safe\n" + claim
        let apart = "// Sendable: all state is behind one lock.\n\n" + claim
        #expect(BannedRule.violations(in: source(claim)).map(\.line) == [1])
        #expect(BannedRule.violations(in: source(about)).map(\.line) == [2])
        #expect(BannedRule.violations(in: source(apart)).map(\.line) == [3])
        #expect(BannedRule.violations(in: source(reason)).isEmpty)
    }

    @Test(arguments: BannedRule.words)
    func unfinishedWordsAreFoundEverywhere(word: String) {
        #expect(BannedRule.violations(in: source("// \(word): this\n")).count == 1)
        let page = source("It is \(word).\n", path: "docs/A.md")
        #expect(BannedRule.violations(in: page).count == 1)
        #expect(BannedRule.violations(in: source("let a = \"a\(word)b\"\n")).isEmpty)
    }

    @Test func aLinkThatLeadsNowhereIsFound() {
        let text = "[a](B.md) [b](../README.md#part) [c](https://example.org) [d](#here) [e](C.md)"
        let page = source("\n" + text, path: "docs/A.md")
        let there = ["docs/B.md", "README.md"]
        let found = LinkRule.violations(in: page, exists: there.contains)
        #expect(found.map(\.message) == ["the link to C.md leads nowhere"])
        #expect(found.map(\.line) == [2])
    }

    @Test func codeTextKeepsPlacesAndBlanksTheRest() {
        let text = """
            let a = "x{\\(b("}"))}" /* { /* } */ { */ + c // }
            let d = \"\"\"
                { " }
                \"\"\" + #"\\"# + "\\"{"
            """
        let blanked = CodeText.blanked(text)
        #expect(blanked.utf8.count == text.utf8.count)
        #expect(!blanked.contains("{") && !blanked.contains("}"))
        #expect(blanked.contains("+ c") && blanked.contains("+ #"))
    }
}
