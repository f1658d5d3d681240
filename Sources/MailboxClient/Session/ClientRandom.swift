/// Random numbers for jitter and names: the system's, or those of a seed, for tests.
struct ClientRandom: RandomNumberGenerator {
    private var state: UInt64
    private let isSeeded: Bool

    init(seed: UInt64?) {
        state = seed ?? 0
        isSeeded = seed != nil
    }

    mutating func next() -> UInt64 {
        guard isSeeded else {
            var system = SystemRandomNumberGenerator()
            return system.next()
        }
        // SplitMix64.
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A device's name that nobody else draws: 128 bits.
    mutating func name() -> String {
        let words = [next(), next()].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return "device-" + words.joined()
    }
}
