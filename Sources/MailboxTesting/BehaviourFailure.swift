internal import Mailbox

/// A store did not do what the contract says.
public struct BehaviourFailure: Error, CustomStringConvertible, Sendable {
    /// What was expected and what came.
    public let description: String
    /// Where it was checked.
    public let file: String
    /// The line in `file`.
    public let line: UInt

    init(_ description: String, file: StaticString, line: UInt) {
        self.description = "\(description) (\(file):\(line))"
        self.file = "\(file)"
        self.line = line
    }
}

func expect(
    _ condition: Bool, _ what: @autoclosure () -> String, file: StaticString = #fileID,
    line: UInt = #line
) throws(BehaviourFailure) {
    guard condition else { throw BehaviourFailure(what(), file: file, line: line) }
}

func expectEqual<Value: Equatable>(
    _ actual: Value, _ expected: Value, _ what: @autoclosure () -> String,
    file: StaticString = #fileID, line: UInt = #line
) throws(BehaviourFailure) {
    guard actual != expected else { return }
    throw BehaviourFailure(
        "\(what()): expected \(expected), got \(actual)", file: file, line: line)
}

/// The message bodies are compared, and never printed.
func expectBodies(
    _ messages: MessageBatch, _ expected: [[UInt8]], _ what: @autoclosure () -> String,
    file: StaticString = #fileID, line: UInt = #line
) throws(BehaviourFailure) {
    let bodies = messages.map { Array($0.body) }
    try expectEqual(
        bodies.map(\.count), expected.map(\.count), "\(what()): bytes of each body", file: file,
        line: line)
    for (index, body) in bodies.enumerated() where body != expected[index] {
        throw BehaviourFailure("\(what()): body \(index) has other bytes", file: file, line: line)
    }
}

/// The call must be refused with this code.
///
/// - Returns: the error, for its facts.
@discardableResult
func expectRefusal<Value>(
    _ code: StoreError.Code, _ what: String, file: StaticString = #fileID, line: UInt = #line,
    _ call: () async throws(StoreError) -> Value
) async throws(BehaviourFailure) -> StoreError {
    do {
        _ = try await call()
    } catch {
        try expectEqual(error.code, code, "\(what): the refusal's code", file: file, line: line)
        return error
    }
    throw BehaviourFailure(
        "\(what): expected the refusal \(code), got an answer", file: file, line: line)
}

/// The answer to one append of a batch must be a refusal with this code.
@discardableResult
func expectRefusal(
    _ code: StoreError.Code, _ what: String, in result: Result<AppendResult, StoreError>,
    file: StaticString = #fileID, line: UInt = #line
) throws(BehaviourFailure) -> StoreError {
    guard case .failure(let error) = result else {
        throw BehaviourFailure(
            "\(what): expected the refusal \(code), got an answer", file: file, line: line)
    }
    try expectEqual(error.code, code, "\(what): the refusal's code", file: file, line: line)
    return error
}
