/// One thing that takes bytes from a network or a file: what is fed to it, and what must hold then.
///
/// Of no module of the fuzzers': the unit tests compile these files, too, and try the inputs that
/// are kept.
struct EdgeTarget: Sendable {
    let name: String
    let byteCountMaximum: Int
    /// Inputs to begin with, made by the product's own encoders.
    let seeds: @Sendable () async throws -> [[UInt8]]
    /// Takes one input.
    ///
    /// - Throws: `EdgeViolation` when something is not as it must be.
    let run: @Sendable ([UInt8]) throws -> Void

    static let all: [EdgeTarget] = [
        .clientFramesProto, .clientFramesJSON, .webSocketFrames, .handshakes, .connections,
        .tokens, .keySets, .appendFrames, .fetchFrames, .appendAnswers, .fetchAnswers,
        .serviceMessages,
    ]
}

/// What must not be.
struct EdgeViolation: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    static func unless(
        _ condition: Bool, _ description: @autoclosure () -> String
    ) throws {
        if !condition { throw EdgeViolation(description()) }
    }
}

/// Takes an input apart from its front; behind its end there are zeroes.
struct EdgeBytes {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }
    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }
    mutating func number(below limit: Int) -> Int { Int(byte()) % limit }

    mutating func bytes(_ count: Int) -> [UInt8] {
        let taken = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        return taken
    }

    mutating func text(_ count: Int) -> String { String(decoding: bytes(count), as: UTF8.self) }
    mutating func remaining() -> [UInt8] { bytes(rest.count) }
}
