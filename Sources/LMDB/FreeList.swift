/// LMDB's tree of free pages, walked without a map, to find which pages at the file's end are free.
///
/// Its records are word arrays: a count, then that many page numbers. Every offset is checked: the
/// file may be damaged anywhere.
struct FreeList {
    private let meta: DataFile.Meta
    private let firstMissing: Int
    /// For each page from `firstMissing` to the last one: whether the list names it.
    private var isFree: [Bool]

    private static let branchFlag: UInt16 = 0x01
    private static let leafFlag: UInt16 = 0x02
    private static let overflowFlag: UInt16 = 0x04
    private static let bigValueFlag: UInt16 = 0x01
    private static let nodeHeaderBytes = 8

    /// Precondition: the file lacks at least one page.
    init(meta: DataFile.Meta, firstMissing: Int) {
        self.meta = meta
        self.firstMissing = firstMissing
        isFree = []
    }

    /// Whether every page that the file lacks is free.
    var coversMissing: Bool {
        isFree.count == meta.lastPage + 1 - firstMissing && !isFree.contains(false)
    }

    /// Walks the whole tree.
    mutating func collect(from file: borrowing DataFile) throws(LMDBError) {
        // A sound file cannot lack more pages than its list has room to name.
        let missing = meta.lastPage + 1 - firstMissing
        guard missing <= file.byteCount / MemoryLayout<UInt64>.size else { return }
        isFree = Array(repeating: false, count: missing)
        guard let root = meta.freeListRoot else { return }
        var waiting = [root]
        var visited = 0
        while let page = waiting.popLast() {
            visited += 1
            guard visited <= firstMissing else { throw Self.damaged(page) }
            try visit(page, file, &waiting)
        }
    }

    private mutating func visit(
        _ number: Int, _ file: borrowing DataFile, _ waiting: inout [Int]
    ) throws(LMDBError) {
        guard number <= meta.lastPage else { throw Self.damaged(number) }
        let page = try file.bytes(at: number * meta.pageBytes, count: meta.pageBytes)
        guard page.word64(0) == UInt64(number) else { throw Self.damaged(number) }
        let isBranch = page.flags & Self.branchFlag != 0
        guard isBranch || page.flags & Self.leafFlag != 0 else { throw Self.damaged(number) }
        let lower = Int(page.word16(12))
        guard lower >= DataFile.pageHeaderBytes, lower <= meta.pageBytes else {
            throw Self.damaged(number)
        }
        for slot in stride(from: DataFile.pageHeaderBytes, to: lower - 1, by: 2) {
            let node = Int(page.word16(slot))
            guard node >= lower, node <= meta.pageBytes - Self.nodeHeaderBytes else {
                throw Self.damaged(number)
            }
            if isBranch {
                waiting.append(child(page, node))
            } else {
                try addRecord(page, node, number, file)
            }
        }
    }

    /// A branch node spreads its child's page number over what are size and flags in a leaf node.
    private func child(_ page: PageBytes, _ node: Int) -> Int {
        Int(page.word16(node)) | Int(page.word16(node + 2)) << 16
            | Int(page.word16(node + 4)) << 32
    }

    private mutating func addRecord(
        _ page: PageBytes, _ node: Int, _ number: Int, _ file: borrowing DataFile
    ) throws(LMDBError) {
        let size = Int(page.word16(node)) | Int(page.word16(node + 2)) << 16
        let isBig = page.word16(node + 4) & Self.bigValueFlag != 0
        let start = node + Self.nodeHeaderBytes + Int(page.word16(node + 6))
        guard start <= meta.pageBytes - (isBig ? 8 : size) else { throw Self.damaged(number) }
        guard isBig else { return try add(page, from: start, size, number) }
        let overflow = Int(clamping: page.word64(start))
        guard overflow <= meta.lastPage else { throw Self.damaged(number) }
        let value = try file.bytes(
            at: overflow * meta.pageBytes, count: DataFile.pageHeaderBytes + size)
        guard value.flags & Self.overflowFlag != 0 else { throw Self.damaged(overflow) }
        try add(value, from: DataFile.pageHeaderBytes, size, overflow)
    }

    private mutating func add(
        _ bytes: PageBytes, from start: Int, _ size: Int, _ number: Int
    ) throws(LMDBError) {
        guard size >= 8, bytes.word64(start) <= UInt64(size / 8 - 1) else {
            throw Self.damaged(number)
        }
        let count = Int(bytes.word64(start))
        for index in 0..<count {
            let free = Int(clamping: bytes.word64(start + 8 * (index + 1)))
            guard free <= meta.lastPage else { throw Self.damaged(number) }
            if free >= firstMissing { isFree[free - firstMissing] = true }
        }
    }

    private static func damaged(_ page: Int) -> LMDBError {
        DataFile.damaged("data.mdb: page \(page) of the free list is damaged")
    }
}
