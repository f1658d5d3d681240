import Foundation
import Metrics

/// What the process says of itself.
struct ProcessGauges {
    static let help: [String: String] = [
        "process_resident_memory_bytes": "Memory of the process that is in RAM.",
        "process_start_time_seconds": "When the process began, in seconds since 1970.",
        "process_open_fds": "Open files and sockets of the process.",
        "mailboxd_build_info": "1, with the version as a label.",
    ]

    private let memory: Meter
    private let files: Meter

    init(_ factory: any MetricsFactory) {
        memory = Meter(label: "process_resident_memory_bytes", factory: factory)
        files = Meter(label: "process_open_fds", factory: factory)
        Meter(label: "process_start_time_seconds", factory: factory)
            .set(Date.now.timeIntervalSince1970)
        Meter(
            label: "mailboxd_build_info", dimensions: [("version", Version.text)],
            factory: factory
        ).set(1)
    }

    func collect() {
        if let bytes = Self.residentBytes() { memory.set(bytes) }
        let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        if let open { files.set(open.count) }
    }

    /// The second number of `/proc/self/statm`, in pages.
    private static func residentBytes() -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else {
            return nil
        }
        let numbers = text.split(separator: " ")
        guard numbers.count > 1, let pages = Int(numbers[1]) else { return nil }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }
}

/// What is being run.
enum Version {
    static let text = "0.2.0"
}
