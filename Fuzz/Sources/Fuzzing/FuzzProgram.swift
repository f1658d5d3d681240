internal import CFuzzer
internal import Foundation
internal import Synchronization

/// The command line of a program with targets: `list`, `seeds DIRECTORY`, or a target's name and
/// libFuzzer's own arguments.
public enum FuzzProgram {
    private static let current = Mutex<FuzzTarget?>(nil)

    /// Runs what the command line asks for, and ends the process.
    public static func main(_ targets: [FuzzTarget]) throws -> Never {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "list":
            for target in targets { print(target.name) }
            exit(0)
        case "seeds" where arguments.count == 3:
            for target in targets { try writeSeeds(of: target, to: arguments[2]) }
            exit(0)
        case let name? where targets.contains { $0.name == name }:
            for target in targets where target.name == name { fuzz(target) }
            exit(70)
        default:
            let names = targets.map(\.name).joined(separator: "|")
            print("usage: \(arguments[0]) list | seeds DIRECTORY | \(names) [libFuzzer's]")
            exit(64)
        }
    }

    private static func writeSeeds(of target: FuzzTarget, to directory: String) throws {
        let folder = URL(fileURLWithPath: directory).appendingPathComponent(target.name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (number, seed) in try target.seeds().enumerated() {
            guard seed.count <= target.byteCountMaximum else {
                violation("a seed of \(target.name) has \(seed.count) bytes")
            }
            try Data(seed).write(to: folder.appendingPathComponent("seed-\(number)"))
        }
    }

    private static func fuzz(_ target: FuzzTarget) -> Never {
        current.withLock { $0 = target }
        let words =
            [CommandLine.arguments[0], "-max_len=\(target.byteCountMaximum)"]
            + CommandLine.arguments.dropFirst(2)
        // libFuzzer keeps the pointers for as long as the process lives.
        let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
            .allocate(capacity: words.count + 1)
        for (index, word) in words.enumerated() { pointers[index] = strdup(word) }
        pointers[words.count] = nil
        var count = CInt(words.count)
        var vector: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = pointers
        exit(LLVMFuzzerRunDriver(&count, &vector) { runOneInput($0, $1) })
    }

    /// Gives the current target one input.
    fileprivate static func run(_ bytes: UnsafePointer<UInt8>?, _ byteCount: Int) {
        current.withLock { $0 }?.run(
            [UInt8](UnsafeBufferPointer(start: bytes, count: byteCount)))
    }
}

/// What libFuzzer calls, under the name that its library's own `main` wants linked.
@_cdecl("LLVMFuzzerTestOneInput")
func runOneInput(_ bytes: UnsafePointer<UInt8>?, _ byteCount: Int) -> CInt {
    FuzzProgram.run(bytes, byteCount)
    return 0
}

/// Something is not as it must be: says what, and ends the process, so that libFuzzer keeps the
/// input.
public func violation(_ message: String) -> Never {
    FileHandle.standardError.write(Data("violation: \(message)\n".utf8))
    abort()
}

/// Ends the process unless the condition holds.
public func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { violation(message()) }
}
