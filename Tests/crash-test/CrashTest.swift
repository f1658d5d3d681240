import Glibc
import Mailbox

/// Cuts the power, kills and disturbs the engine at every call, and holds it to what it promised.
@main
enum CrashTest {
    static func main() async {
        do {
            let words = CommandLine.arguments
            guard words.count > 1 else { throw Failure("name a command; see docs/TESTING.md") }
            let options = try Options(words[2...])
            switch words[1] {
            case "work": try await work(options)
            case "powercut": try PowerCutCommand(options).run()
            case "powercut-part": try PowerCutCommand.runPart(options)
            case "prepare":
                try OperationRun(root: options.text("root"), operation: nil).prepare()
            case "perform":
                guard let operation = Operation(rawValue: try options.text("operation")) else {
                    throw Failure("there is no such operation")
                }
                try OperationRun(root: options.text("root"), operation: operation).perform()
            case "simulate": try SimulateCommand(options).run()
            case "simulate-part": try await SimulateCommand.runPart(options)
            case "flips": try Flips(options).run()
            case "flips-part": try Flips(options).runPart()
            case "flips-look": try Flips(options).look()
            case "kills": try Kills(options).run()
            case "kills-part": try Kills(options).runPart()
            case "client-powercut": try ClientPowerCut(options).run()
            case "client-powercut-part": try ClientPowerCut(options).runPart()
            case "filesystem": try FileSystemCut(options).run()
            case "killpoints", "faults": try SweepCommand(words[1], options).run()
            case "killpoints-part", "faults-part": try SweepCommand(words[1], options).runPart()
            default: throw Failure("\(words[1]) is no command")
            }
        } catch {
            tell("crash-test: \(error)")
            exit(1)
        }
    }

    private static func work(_ options: Options) async throws {
        guard let durability = Durability(rawValue: options.text("durability", else: "commit"))
        else { throw Failure("--durability is commit, interval or system") }
        guard let kind = Workload.Kind(rawValue: options.text("kind", else: "usual"))
        else { throw Failure("--kind is usual, long or recovery") }
        await Workload(
            root: try options.text("root"), seed: UInt64(try options.number("seed", else: 1)),
            run: try options.number("run", else: 1), durability: durability, kind: kind,
            sends: try options.number("sends", else: 60)
        ).start()
    }
}

/// A line for who waits, on the standard error: what is counted goes to the standard output.
func tell(_ line: String) {
    let text = Array((line + "\n").utf8)
    _ = write(2, text, text.count)
}
