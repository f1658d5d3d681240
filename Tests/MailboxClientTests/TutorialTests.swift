import Foundation
import Testing

/// What documentation shows is not compiled: the tutorial's program is the example's, which is.
@Suite("The tutorial")
struct TutorialTests {
    private static func text(_ path: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    private static func shown(_ name: String) throws -> String {
        try text("Sources/MailboxClient/MailboxClient.docc/Resources/\(name)")
    }

    @Test("ends with the example's program and package")
    func end() throws {
        #expect(
            try Self.shown("chat-04.swift") == Self.text("Examples/Chat/Sources/Chat/Chat.swift"))
        #expect(try Self.shown("package-01.swift") == Self.text("Examples/Chat/Package.swift"))
    }

    @Test("adds lines from step to step, and takes none away")
    func steps() throws {
        for step in 1...3 {
            let before = try Self.shown("chat-0\(step).swift").split(separator: "\n")
            let after = Set(try Self.shown("chat-0\(step + 1).swift").split(separator: "\n"))
            #expect(before.count { !after.contains($0) } == 0, "step \(step)")
        }
    }
}
