internal import CChecksum

/// A growing list of entries, each at one address for as long as the list lives.
///
/// The table's entries are touched in random order, three times a message, and nearly always cold.
/// Fixed addresses let the commit turn ask for those of a whole group before it needs the first
/// one, and spare each access the two checks that nested arrays make before a write.
///
/// Owned by the table, behind its lock.
// It has one owner and no copies, and whoever has it has all that its pointers lead to: Sendable.
@safe
struct EntryStorage: ~Copyable, @unchecked Sendable {
    private static var chunkShift: Int { 10 }
    private static var chunkCapacity: Int { 1 << chunkShift }

    private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<MailboxEntry>>
    private var chunksCapacity = 16
    /// The number of entries; they are numbered from 0.
    private(set) var count = 0

    init() {
        unsafe chunks = .allocate(capacity: chunksCapacity)
    }

    deinit {
        for number in stride(from: 0, to: count, by: Self.chunkCapacity) {
            let chunk = unsafe chunks[number >> Self.chunkShift]
            unsafe chunk.deinitialize(count: min(Self.chunkCapacity, count - number))
            unsafe chunk.deallocate()
        }
        unsafe chunks.deallocate()
    }

    /// Where an entry is, for the table's own subscript. Precondition: its number is below `count`.
    @inline(__always)
    func address(_ number: Int) -> UnsafePointer<MailboxEntry> {
        precondition(number >= 0 && number < count, "the table has no such entry")
        return unsafe UnsafePointer(
            chunks[number >> Self.chunkShift] + (number & (Self.chunkCapacity - 1)))
    }

    /// The same, to change it.
    @inline(__always)
    mutating func mutableAddress(_ number: Int) -> UnsafeMutablePointer<MailboxEntry> {
        unsafe UnsafeMutablePointer(mutating: address(number))
    }

    /// An entry to look at. Precondition: its number is below `count`.
    subscript(number: Int) -> MailboxEntry {
        @inline(__always) unsafeAddress { unsafe address(number) }
    }

    /// Adds an entry behind the last.
    mutating func append(_ entry: consuming MailboxEntry) {
        let place = count & (Self.chunkCapacity - 1)
        let chunk = count >> Self.chunkShift
        if place == 0 {
            if chunk == chunksCapacity { growChunks() }
            unsafe (chunks + chunk).initialize(to: .allocate(capacity: Self.chunkCapacity))
        }
        unsafe (chunks[chunk] + place).initialize(to: entry)
        count += 1
    }

    private mutating func growChunks() {
        let grown = UnsafeMutablePointer<UnsafeMutablePointer<MailboxEntry>>.allocate(
            capacity: chunksCapacity * 2)
        unsafe grown.moveInitialize(from: chunks, count: chunksCapacity)
        unsafe chunks.deallocate()
        unsafe chunks = unsafe grown
        chunksCapacity *= 2
    }

    /// Asks for an entry's memory.
    @inline(__always)
    func prefetch(_ number: Int) {
        unsafe mailbox_prefetch(address(number), MemoryLayout<MailboxEntry>.size)
    }

    /// Asks for the memory that the entry's next tail slot will be written to: the array's header,
    /// where its count and capacity stand, and its end.
    ///
    /// The array's own interface would count a reference, in that very header: the wait that is to
    /// be avoided. A guess does here, since asking for a wrong address costs nothing but time.
    @inline(__always)
    func prefetchTail(_ number: Int) {
        let entry = unsafe address(number)
        let slots = unsafe Int(entry.pointee.allocatedMax &- entry.pointee.baseMax)
        let array = unsafe UnsafeRawPointer(entry).load(
            fromByteOffset: Self.tailOffset, as: UInt.self)
        let end = array &+ 32 &+ UInt(truncatingIfNeeded: slots * MemoryLayout<TailSlot>.stride)
        unsafe mailbox_prefetch(UnsafeRawPointer(bitPattern: array), 1)
        unsafe mailbox_prefetch(UnsafeRawPointer(bitPattern: end), 1)
    }

    private static let tailOffset = MemoryLayout<MailboxEntry>.offset(of: \.tail) ?? 0
}
