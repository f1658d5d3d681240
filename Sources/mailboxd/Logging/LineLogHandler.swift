import Foundation
import Logging

/// Writes each log event as one line to standard error: as text, or as a JSON object.
struct LineLogHandler: LogHandler {
    enum Format: String {
        case text
        case json
    }

    let label: String
    let format: Format
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(label: String, format: Format, level: Logger.Level) {
        self.label = label
        self.format = format
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let given = event.metadata { fields.merge(given) { $1 } }
        if let error = event.error { fields["error"] = "\(error)" }
        let line =
            format == .json
            ? Self.json(event, label, fields, Date.now) : Self.text(event, fields, Date.now)
        // One write a line: lines of several threads do not mix.
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    static func text(_ event: LogEvent, _ fields: Logger.Metadata, _ time: Date) -> String {
        var line = "\(time.formatted(.iso8601)) \(event.level.rawValue): \(event.message)"
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line += " \(key)=\(value)"
        }
        // A line feed within would look like a line of its own.
        return line.replacing("\n", with: "\\n")
    }

    static func json(
        _ event: LogEvent, _ label: String, _ fields: Logger.Metadata, _ time: Date
    ) -> String {
        var line = Line(
            time: time.formatted(
                .iso8601.year().month().day().time(includingFractionalSeconds: true)),
            level: event.level.rawValue, logger: label, message: event.message.description)
        if !fields.isEmpty { line.fields = fields.mapValues(\.description) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(line) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }

    private struct Line: Encodable {
        var time: String
        var level: String
        var logger: String
        var message: String
        var fields: [String: String]?
    }
}
