/// One thing that takes bytes from outside: what libFuzzer feeds, and what must hold then.
public struct FuzzTarget: Sendable {
    /// As `make fuzz TARGET=…` says it; also the name of its folder of inputs.
    public let name: String
    /// The longest input worth trying.
    public let byteCountMaximum: Int
    /// Inputs to begin with, made by the product's own encoders.
    public let seeds: @Sendable () throws -> [[UInt8]]
    /// Takes one input. What must not happen ends the process: a trap, the sanitizer, `violation`.
    public let run: @Sendable ([UInt8]) -> Void

    /// A target with its inputs and its check.
    public init(
        _ name: String, byteCountMaximum: Int,
        seeds: @escaping @Sendable () throws -> [[UInt8]],
        run: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.name = name
        self.byteCountMaximum = byteCountMaximum
        self.seeds = seeds
        self.run = run
    }
}
