import Fuzzing

/// The engine's targets.
@main
enum FuzzEngine {
    static func main() throws {
        try FuzzProgram.main([
            .journalBytes, .journalFrames, .journalRecords, .baseRecords, .keys, .messages,
            .manifest, .dataFileValues, .dataFilePages, .operations,
        ])
    }
}
