import Fuzzing

@testable import LMDB
@testable import Mailbox
@testable import StoreEngine

extension FuzzTarget {
    /// A whole store whose data file has other values in its records, with checksums that are
    /// right: what a program with a mistake could have written. LMDB's pages stay sound.
    static let dataFileValues = FuzzTarget("data-file-values", byteCountMaximum: 64) {
        // Which value, where in it, what to do, with what.
        [[0, 8, 0, 255], [1, 2, 1, 1, 2, 12, 2, 1], [5, 9, 3, 0, 4, 10, 4, 0], [7, 20, 2, 128]]
    } run: { input in
        let sample = SampleStore.made
        var bytes = sample.dataFile
        var reader = ByteReader(input)
        while !reader.isAtEnd {
            let value = sample.values[Int(reader.byte()) % sample.values.count]
            let range = value.range
            let place = range.lowerBound + Int(reader.byte()) % range.count
            let (what, figure) = (reader.byte(), reader.byte())
            switch what % 5 {
            case 0: bytes[place] = figure
            case 1: bytes[place] ^= 1 << (figure & 7)
            case 2: bytes[place] = bytes[place] &+ figure
            default:
                let filler: UInt8 = what % 5 == 3 ? 0 : 0xFF
                for byte in place..<min(place + 4, range.upperBound) { bytes[byte] = filler }
            }
            var record = Array(bytes[range])
            BaseRecord.seal(&record, key: value.key)
            bytes.replaceSubrange(range, with: record)
        }
        do {
            try SampleStore.use(try sample.copy(dataFile: bytes))
        } catch let error as StoreError {
            let expected: Set<StoreError.Code> = [
                .corrupted, .failed, .sequenceExhausted, .producerGap, .producerConflict,
                .storageFull,
            ]
            require(expected.contains(error.code), "refused as \(error.code): \(error.message)")
        } catch { violation("\(error)") }
    }

    /// What is looked at before LMDB maps a data file: meta pages and the list of free pages, with
    /// bytes changed and the file cut off anywhere.
    static let dataFilePages = FuzzTarget("data-file-pages", byteCountMaximum: 128) {
        [[0, 255], [0, 200, 0, 0, 44, 1], [2, 180, 1, 0, 80, 3, 1, 0, 136, 200]]
    } run: { input in
        var bytes = SampleStore.made.dataFile
        var reader = ByteReader(input)
        let isCut = reader.byte() & 1 == 0
        let kept = bytes.count * (Int(reader.byte()) + 1) / 256
        while !reader.isAtEnd {
            // Mostly in the meta pages and in those behind them.
            let place = Int(reader.byte() % 16) << 12 | Int(reader.integer(UInt16.self) & 0xFFF)
            let value = reader.byte()
            if place < bytes.count { bytes[place] = value }
        }
        if isCut { bytes.removeLast(bytes.count - kept) }
        do {
            let directory = try ScratchDirectory.fresh("pages")
            try ScratchDirectory.write(bytes, to: "\(directory)/data.mdb")
            try DataFile.check(directory: directory)
        } catch is LMDBError {
        } catch { violation("\(error)") }
    }
}
