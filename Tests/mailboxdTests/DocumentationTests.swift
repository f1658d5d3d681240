import ConnectSrv
import Foundation
import PushSrv
import RecvSrv
import SendSrv
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

    /// Every metric of `mailboxd store`; the last is the format's own.
    static let metricNames = Set(
        MetricNames.all.map(\.name) + ProcessGauges.help.keys + ["metrics_series_dropped_total"])

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

    @Test("ROLES has each role's table of settings as it is printed")
    func roles() throws {
        let page = try Self.page("docs/ROLES.md")
        for (name, table) in [
            ("all", AllSettings.all), ("connect", ConnectSettings.all),
            ("send", SendSettings.all), ("recv", RecvSettings.all), ("push", PushSettings.all),
        ] {
            #expect(
                page.contains("### mailboxd \(name)\n\n" + SettingsPage.markdown(table)),
                "put in what `mailboxd \(name) --print-configuration markdown` prints")
        }
    }

    @Test("ROLES names every metric of the roles, with its kind and what it tells")
    func roleMetrics() throws {
        let page = try Self.page("docs/ROLES.md")
        let all =
            SendActivity.descriptions + RecvActivity.descriptions + PushActivity.descriptions
            + ConnectServer.metricDescriptions
        for (name, kind, help) in all {
            #expect(page.contains("| `\(name)` | \(kind) | \(help) |\n"), "\(name)")
        }
    }

    @Test("OPERATIONS names no metric that there is not, and every code that the process ends with")
    func nothingElse() throws {
        let page = try Self.page("docs/OPERATIONS.md")
        let rows = page.matches(of: #/\n\| `((?:mailbox|mailboxd|process|metrics)_\w+)` \|/#)
        #expect(Set(rows.map { String($0.1) }) == Self.metricNames)
        for status in ExitStatus.allCases {
            #expect(page.contains("\n| \(status.rawValue) | "), "\(status)")
        }
    }

    @Test("The container's recipe copies every folder that the manifest names")
    func recipe() throws {
        let recipe = try Self.page("deploy/Dockerfile")
        let manifest = try Self.page("Package.swift")
        let folders = manifest.matches(of: #/path: "(\w+)\//#).map { String($0.1) }
        #expect(!folders.isEmpty)
        for folder in Set(folders).union(["Sources", "Tests"]) {
            #expect(recipe.contains("\nCOPY \(folder) \(folder)\n"), "\(folder)")
        }
    }

    @Test("The service manager's unit starts what there is")
    func unit() throws {
        let unit = try Self.page("deploy/mailboxd.service")
        #expect(unit.contains("ExecStart=/usr/bin/mailboxd store --config "))
        #expect(unit.contains("Type=notify"))
    }
}
