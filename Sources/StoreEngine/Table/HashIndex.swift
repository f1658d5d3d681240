internal import CChecksum

/// An open-addressing index from 32-bit hashes to small integers; the keys live where the integers
/// point.
///
/// A slot holds the hash beside the integer, so that a probe touches the keyed object only when the
/// hashes agree, and growing touches none: doubling a million slots is one sequential pass.
struct HashIndex {
    private var slots: [UInt64]
    private var mask: Int
    private(set) var count = 0

    init(minimumCapacity: Int = 64) {
        var capacity = 64
        while capacity < minimumCapacity * 2 { capacity *= 2 }
        slots = [UInt64](repeating: 0, count: capacity)
        mask = capacity - 1
    }

    /// The first integer under `hash` that `matches`.
    @inline(__always)
    func find(_ hash: UInt32, where matches: (Int) -> Bool) -> Int? {
        var position = Int(hash) & mask
        while true {
            let slot = slots[position]
            if slot == 0 { return nil }
            if UInt32(truncatingIfNeeded: slot >> 32) == hash {
                let value = Int(truncatingIfNeeded: slot & 0xFFFF_FFFF) - 1
                if matches(value) { return value }
            }
            position = (position + 1) & mask
        }
    }

    /// Asks for the memory where the search for `hash` begins.
    @inline(__always)
    func prefetch(_ hash: UInt32) {
        unsafe slots.withUnsafeBufferPointer { slots in
            guard let first = slots.baseAddress else { return }
            unsafe mailbox_prefetch(first + (Int(hash) & mask), 1)
        }
    }

    /// Adds an integer, 0 … 2^32 − 2. Precondition: it is not there under this hash.
    mutating func insert(_ hash: UInt32, _ value: Int) {
        if (count + 1) * 4 > slots.count * 3 { grow() }
        place(UInt64(hash) << 32 | UInt64(value + 1))
        count += 1
    }

    /// Replaces the integer under `hash`. Precondition: `old` is there.
    mutating func replace(_ hash: UInt32, _ old: Int, with new: Int) {
        slots[position(hash, old)] = UInt64(hash) << 32 | UInt64(new + 1)
    }

    /// Removes an integer. Precondition: it is there under this hash.
    mutating func remove(_ hash: UInt32, _ value: Int) {
        var hole = position(hash, value)
        // Move back what the hole would cut off from its home position.
        var next = (hole + 1) & mask
        while slots[next] != 0 {
            let home = Int(slots[next] >> 32) & mask
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = 0
        count -= 1
    }

    private func position(_ hash: UInt32, _ value: Int) -> Int {
        let wanted = UInt64(hash) << 32 | UInt64(value + 1)
        var position = Int(hash) & mask
        while slots[position] != wanted {
            precondition(slots[position] != 0, "the index lacks an entry that its table has")
            position = (position + 1) & mask
        }
        return position
    }

    private mutating func place(_ slot: UInt64) {
        var position = Int(slot >> 32) & mask
        while slots[position] != 0 { position = (position + 1) & mask }
        slots[position] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = [UInt64](repeating: 0, count: old.count * 2)
        mask = slots.count - 1
        for slot in old where slot != 0 { place(slot) }
    }
}
