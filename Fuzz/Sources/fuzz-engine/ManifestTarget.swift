import Fuzzing

@testable import Mailbox
@testable import StoreEngine

extension FuzzTarget {
    /// Any text as a store's manifest; with the first byte odd, its checksum is made right. What is
    /// read is written so that it is read again.
    static let manifest = FuzzTarget("manifest", byteCountMaximum: 512) {
        let directory = try ScratchDirectory.fresh("manifest-seeds")
        let retentions: [RetentionPolicy] = [
            .unacknowledged, .newest(7), .acknowledged(forMilliseconds: 20_000),
        ]
        return try retentions.flatMap { retention in
            try Manifest(
                kind: .store, epoch: Epoch.mint(), identity: 7, shardCount: 2, retention: retention
            ).write(to: directory)
            let file = try File("\(directory)/\(Manifest.fileName)", flags: 0)
            let text = try file.read(at: 0, count: try file.byteCount())
            let lines = text.split(separator: 0x0A).dropLast().joined(separator: [0x0A])
            return [[0] + text, [1] + lines + [0x0A]]
        }
    } run: { input in
        var bytes = Array(input.dropFirst())
        if (input.first ?? 0) & 1 != 0 {
            let digits = String(checksum(bytes.span), radix: 16)
            bytes += "checksum \(digits)\n".utf8
        }
        do {
            let directory = try ScratchDirectory.fresh("manifest")
            try ScratchDirectory.write(bytes, to: "\(directory)/\(Manifest.fileName)")
            let manifest = try Manifest.read(from: directory)
            try manifest.write(to: directory)
            let again = try Manifest.read(from: directory)
            require(
                again.kind == manifest.kind && again.epoch == manifest.epoch
                    && again.identity == manifest.identity
                    && again.shardCount == manifest.shardCount
                    && again.retention == manifest.retention, "a manifest reads as another")
        } catch let error as StoreError {
            require(error.code == .corrupted, "refused as \(error.code): \(error.message)")
        } catch { violation("\(error)") }
    }
}
