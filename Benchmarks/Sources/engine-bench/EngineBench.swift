import Glibc

/// Runs the scenarios that were asked for; tables first, then the lines that the project is judged
/// by.
@main
struct EngineBench {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard !arguments.contains("--help") else { return print(Options.usage) }
        do {
            let options = try Options(arguments)
            if let child = options.child {
                try child.run(options)
            } else {
                try await EngineBench(options).run()
            }
        } catch {
            complain("engine-bench: \(error)")
            exit(1)
        }
    }

    private let options: Options
    private let scale: Scale

    private init(_ options: Options) {
        self.options = options
        scale = Scale(options)
    }

    private func run() async throws {
        let scratch = try Scratch(in: options.directory)
        defer { scratch.removeAll() }
        printHeading()
        var metrics: [(name: String, value: String)] = []
        for scenario in options.scenarios {
            complain(scenario.rawValue)
            let section = try await run(scenario, scratch)
            print(section.text)
            fflush(nil)
            metrics += section.metrics
        }
        print()
        for metric in metrics { print("\(metric.name): \(metric.value)") }
    }

    private func run(_ scenario: Scenario, _ scratch: Scratch) async throws -> Section {
        let (scale, seed) = (scale, options.seed)
        return switch scenario {
        case .bulk: try BulkAppend(scale: scale, scratch: scratch, seed: seed).run()
        case .tasks: try await TaskAppend(scale: scale, scratch: scratch, seed: seed).run()
        case .single: try SingleAppend(scale: scale, scratch: scratch, seed: seed).run()
        case .latency: try AppendLatency(scale: scale, scratch: scratch, seed: seed).run()
        case .readBase: try BaseRead(scale: scale, scratch: scratch, seed: seed).run()
        case .readTail: try TailRead(scale: scale, scratch: scratch, seed: seed).run()
        case .recover: try Recovery(scale: scale, scratch: scratch, options: options).run()
        case .memory: try TailMemory(scale: scale, scratch: scratch, options: options).run()
        case .sustained: try SustainedAppend(scale: scale, scratch: scratch, options: options).run()
        case .peers: try PeerSurvey(scale: scale, scratch: scratch, seed: seed).run()
        }
    }

    private func printHeading() {
        var load = [0.0]
        getloadavg(&load, 1)
        print(
            """
            Bodies of \(Workload.bodyBytes) bytes, \(scale.mailboxes) mailboxes at random (seed \
            \(options.seed)), every answer durable, all in this run on this disk.
            \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) cores, load \(fixed(load[0], 2)) at the start. \
            Ratios are medians of \(scale.rounds) paired runs.
            """)
        assert(
            {
                print("Built without optimisation: the figures mean nothing. Use -c release.")
                return true
            }())
    }
}
