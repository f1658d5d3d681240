import Foundation

/// What a process takes, as Linux tells it; nothing elsewhere.
struct Usage {
    /// Processor time, of all threads, in seconds.
    let processorSeconds: Double
    /// Resident memory, in bytes.
    let residentBytes: Double

    /// - Parameter process: its number; nil for this one.
    init(of process: Int?) {
        let folder = "/proc/\(process.map(String.init) ?? "self")"
        let stat = (try? String(contentsOfFile: "\(folder)/stat", encoding: .utf8)) ?? ""
        // Behind the name, which may hold anything: state, and then numbers.
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        let ticks = fields.count > 13 ? (Double(fields[12]) ?? 0) + (Double(fields[13]) ?? 0) : 0
        processorSeconds = ticks / 100
        let status = (try? String(contentsOfFile: "\(folder)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
        residentBytes = (Double(kibibytes ?? "0") ?? 0) * 1_024
    }
}
