import Glibc

/// `crash-test flips`: a store is looked at with one bit of one file changed, again and again; now
/// and then with a file cut short. A wrong body is never handed out, and no loss goes unseen.
///
/// What a flip did is a byte in a file, so that it survives the process: LMDB may end that on a
/// damaged page, and then another goes on with the next flip.
struct Flips {
    /// What became of a flip.
    private enum Outcome: UInt8, CaseIterable {
        case intact = 0x69
        case refused = 0x72
        case reported = 0x70
        /// Sound, and yet not what was written.
        case other = 0x6F
        case wrong = 0x77
        /// The process ended.
        case died = 0x64
    }

    /// One change, which its number and the seed determine.
    private struct Change {
        let file: Int
        let place: Int
        let bit: UInt8
        let cutsOff: Bool

        init(_ files: [DamagedFile], seed: UInt64, number: Int) {
            var random = SeededRandom(seed: seed &+ UInt64(number) &* 0x9E37_79B9)
            // Half of them in the data file, which is longer than all segments.
            let ofData = files.indices.filter { files[$0].isData }
            let others = files.indices.filter { !files[$0].isData }
            let group = random.chance(50) ? ofData : others
            file = group[Int.random(in: 0..<group.count, using: &random)]
            place = Int.random(in: 0..<files[file].bytes.count, using: &random)
            bit = UInt8.random(in: 0..<8, using: &random)
            cutsOff = number % 50 == 49
        }

        func apply(to bytes: inout [UInt8]) {
            if cutsOff { bytes.removeLast(bytes.count - place) } else { bytes[place] ^= 1 << bit }
        }
    }

    private let options: Options
    private let scratch: String
    private let seed: UInt64

    init(_ options: Options) throws(Failure) {
        self.options = options
        scratch = options.text("scratch", else: Shares.scratch("flips"))
        seed = UInt64(try options.number("seed", else: Int.random(in: 1...(1 << 40))))
    }

    // MARK: All

    func run() throws {
        let count = try options.number("flips", else: 100_000)
        let parts = Processors.count
        print("flips: seed \(seed)")
        let start = Shares.seconds
        let counts = try Shares.run(parts, scratch: scratch) { part in
            (
                [
                    "flips-part", "--seed", String(seed), "--scratch", "\(scratch)/part-\(part)",
                    "--first", String(count * part / parts), "--end",
                    String(count * (part + 1) / parts),
                ], ["SWIFT_BACKTRACE": "enable=no"]
            )
        }
        let seconds = max(0.001, Shares.seconds - start)
        for (name, value) in counts.sorted(by: { $0.key < $1.key })
        where !["flips.count", "flips.violations"].contains(name) { print("\(name): \(value)") }
        print("flips.per_second: \(Int(Double(counts["flips.count"] ?? 0) / seconds))")
        print("flips.count: \(counts["flips.count"] ?? 0)")
        print("flips.violations: \(counts["flips.violations"] ?? 0)")
        print("flips.wrong_bodies: \(counts["flips.wrong"] ?? 0)")
        guard counts["flips.count"] == count, counts["flips.violations"] == 0 else {
            throw Failure("promises were broken")
        }
    }

    // MARK: A part

    /// Lets processes look, one behind the other as LMDB ends them, and judges what they saw.
    func runPart() throws {
        let first = try options.number("first", else: 0)
        let end = try options.number("end", else: 1_000)
        try Files.remove(scratch)
        try Files.makeDirectory(scratch)
        try FlippedStore.make("\(scratch)/store")
        let files = try DamagedFile.load("\(scratch)/store")
        let outcomes = "\(scratch)/outcomes"
        try Files.replace(outcomes, [])
        var done = first
        while done < end {
            let ending = try Child(
                [
                    "flips-look", "--seed", String(seed), "--scratch", scratch, "--first",
                    String(done), "--end", String(end),
                ]
            ).wait()
            done = first + (try Files.read(outcomes)).count
            guard done < end else { break }
            guard case .signal = ending else { throw Failure("a look ended with \(ending)") }
            try Self.add([.died], to: outcomes)
            done += 1
        }
        judge(try Files.read(outcomes), files, first: first)
    }

    private func judge(_ outcomes: [UInt8], _ files: [DamagedFile], first: Int) {
        let newest = files.compactMap(\.newestFrame?.position).max()
        var counts: [Outcome: Int] = [:]
        var violations = 0
        for (index, byte) in outcomes.enumerated() {
            let outcome = Outcome(rawValue: byte) ?? .wrong
            counts[outcome, default: 0] += 1
            let change = Change(files, seed: seed, number: first + index)
            let file = files[change.file]
            let isSeen: Bool
            switch outcome {
            case .intact, .refused, .reported: isSeen = true
            case .died: isSeen = !change.cutsOff && file.isStructure(change.place)
            // Damage to the newest group reads as a torn end; nothing in front may be missing.
            case .other:
                let frame = file.newestFrame
                isSeen =
                    !change.cutsOff && frame != nil && frame?.position == newest
                    && change.place >= frame?.offset ?? .max
            case .wrong: isSeen = false
            }
            if !isSeen {
                violations += 1
                print(
                    "violation: seed \(seed), flip \(first + index): \(file.name) at "
                        + "\(change.place)\(change.cutsOff ? " cut off" : ""): \(outcome)")
            }
        }
        for outcome in Outcome.allCases { print("flips.\(outcome): \(counts[outcome] ?? 0)") }
        print("flips.count: \(outcomes.count)")
        print("flips.violations: \(violations)")
    }

    // MARK: Looking

    func look() throws {
        let first = try options.number("first", else: 0)
        let end = try options.number("end", else: 1_000)
        let copy = "\(scratch)/copy"
        var files = try DamagedFile.load("\(scratch)/store")
        try Files.remove(copy)
        try Files.copy("\(scratch)/store", to: copy)
        guard case .sound(let expected) = FlippedStore.look(copy) else {
            throw Failure("the store is not sound as it was made")
        }
        for number in first..<end {
            // Whoever walks a damaged tree for ever is stopped, as if it had crashed.
            alarm(60)
            let change = Change(files, seed: seed, number: number)
            let sound = files[change.file].bytes
            change.apply(to: &files[change.file].bytes)
            for file in files { try Files.replace("\(copy)/\(file.name)", file.bytes) }
            files[change.file].bytes = sound
            try Self.add([outcome(FlippedStore.look(copy), expected)], to: "\(scratch)/outcomes")
            try tidy(copy, files)
        }
    }

    private func outcome(_ sight: FlippedStore.Sight, _ expected: [String]) -> Outcome {
        switch sight {
        case .refused: .refused
        case .problems: .reported
        case .wrong: .wrong
        case .sound(let lines): lines == expected ? .intact : .other
        }
    }

    /// Removes segments that an open made.
    private func tidy(_ copy: String, _ files: [DamagedFile]) throws(Failure) {
        let names = Set(files.map(\.name))
        for entry in try Files.list("\(copy)/shard-000/journal")
        where !names.contains("shard-000/journal/\(entry.name)") {
            try Files.remove("\(copy)/shard-000/journal/\(entry.name)")
        }
    }

    private static func add(_ outcomes: [Outcome], to path: String) throws(Failure) {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("cannot open \(path)") }
        defer { close(descriptor) }
        let bytes = outcomes.map(\.rawValue)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            throw Failure("cannot write \(path)")
        }
    }
}

/// A file of a store, and what of its bytes decides what.
struct DamagedFile {
    /// From the store's directory on.
    let name: String
    var bytes: [UInt8]

    private static let pageBytes = 4_096
    private static let dataFile = "shard-000/data/data.mdb"

    var isData: Bool { name == Self.dataFile }

    /// The data file and the segments.
    static func load(_ store: String) throws(Failure) -> [DamagedFile] {
        var files = [DamagedFile(name: dataFile, bytes: try Files.read("\(store)/\(dataFile)"))]
        for entry in try Files.list("\(store)/shard-000/journal").sorted(by: { $0.name < $1.name })
        {
            let name = "shard-000/journal/\(entry.name)"
            files.append(DamagedFile(name: name, bytes: try Files.read("\(store)/\(name)")))
        }
        return files
    }

    private func word(_ offset: Int) -> Int { Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 }

    /// The frame of a segment with the highest position.
    var newestFrame: (position: Int, offset: Int)? {
        guard !isData else { return nil }
        return stride(from: Self.pageBytes, to: bytes.count, by: Self.pageBytes).filter {
            bytes[$0..<$0 + 4].elementsEqual("MBXF".utf8)
        }.map { (word($0 + 8), $0) }.max { $0.0 < $1.0 }
    }

    /// Whether a byte of the data file belongs to what LMDB believes before it answers anything: a
    /// page's bounds, the places of its nodes, their flags, and the pages that branches name.
    func isStructure(_ place: Int) -> Bool {
        guard isData else { return false }
        let page = place / Self.pageBytes * Self.pageBytes
        let end = min(word(page + 12), Self.pageBytes)
        if place < page + max(16, end) { return true }
        let isBranch = word(page + 10) & 1 != 0
        return stride(from: page + 16, to: page + end, by: 2).contains { slot in
            let node = page + word(slot)
            return (node + (isBranch ? 0 : 4)..<node + 8).contains(place)
        }
    }
}
