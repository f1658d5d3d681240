import Foundation
import Testing

/// What a reader would otherwise have to remember, checked over every file of the repository.
@Suite struct TidyTests {
    @Test func theRepositoryIsFound() throws {
        let paths = try Repository.files().map(\.path)
        #expect(paths.contains("Package.swift"))
        #expect(paths.contains("Sources/Mailbox/Address.swift"))
        #expect(paths.contains("Tests/TidyTests/TidyTests.swift"))
        #expect(!paths.contains { $0.contains(".build") })
    }

    @Test func importsFollowTheArrows() throws {
        expectNone(try Repository.files().flatMap(ImportRule.violations))
    }

    @Test func filesLinesAndFunctionsAreShort() throws {
        let files = try Repository.files()
        for file in files where file.isSwift && file.lines.count > LengthRule.fileLinesToQuestion {
            print("tidy: \(file.path) has \(file.lines.count) lines; could it be two files?")
        }
        expectNone(files.flatMap(LengthRule.violations))
    }

    @Test func nothingBannedIsCalledAndNothingIsUnfinished() throws {
        expectNone(try Repository.files().flatMap(BannedRule.violations))
    }

    @Test func linksLeadSomewhere() throws {
        expectNone(
            try Repository.files().flatMap { file in
                LinkRule.violations(in: file, exists: Repository.contains)
            })
    }

    private func expectNone(
        _ violations: [Violation], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard !violations.isEmpty else { return }
        let list = violations.map(\.description).joined(separator: "\n")
        Issue.record("\(list)", sourceLocation: sourceLocation)
    }
}
