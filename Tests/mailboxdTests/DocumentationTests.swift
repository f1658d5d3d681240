import Foundation
import StoreSrv
import Testing

@testable import mailboxd

@Suite("What the operator reads is what the daemon does")
struct DocumentationTests {
    private static func page(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: name), encoding: .utf8)
    }

    @Test("OPERATIONS has the table of settings as it is printed")
    func settings() throws {
        let page = try Self.page("docs/OPERATIONS.md")
        #expect(
            page.contains(SettingsPage.markdown(StoreSettings.all)),
            "put in what `mailboxd store --print-configuration markdown` prints")
    }

    @Test("OPERATIONS names every metric, with its kind and what it tells")
    func metrics() throws {
        let page = try Self.page("docs/OPERATIONS.md")
        for metric in MetricNames.all {
            let line = "| `\(metric.name)` | \(metric.kind) | \(metric.help) |\n"
            #expect(page.contains(line), "\(line)")
        }
        for (name, help) in ProcessGauges.help {
            #expect(page.contains("| `\(name)` | gauge | \(help) |\n"), "\(name)")
        }
    }

    @Test("The service manager's unit starts what there is")
    func unit() throws {
        let unit = try Self.page("deploy/mailboxd.service")
        #expect(unit.contains("ExecStart=/usr/bin/mailboxd store --config "))
        #expect(unit.contains("Type=notify"))
    }
}
