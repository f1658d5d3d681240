package import GRPCCore
package import Mailbox

/// The one table of refusals: the code of a `StoreError`, the code on the wire, and the status of a
/// gRPC call that ends with it.
package enum ErrorMap {
    /// A line of the table.
    package struct Row: Sendable {
        package let code: StoreError.Code
        package let wire: Wire.ErrorCode
        package let status: RPCError.Code
    }

    /// Every code that a store refuses with. Codes of clients (`unknown`, `unavailable`) are not in
    /// it: they say that no answer came.
    package static let rows: [Row] = [
        Row(code: .invalidArgument, wire: .invalidArgument, status: .invalidArgument),
        Row(code: .messageTooLarge, wire: .messageTooLarge, status: .invalidArgument),
        Row(code: .producerGap, wire: .producerGap, status: .failedPrecondition),
        Row(code: .producerConflict, wire: .producerConflict, status: .alreadyExists),
        Row(code: .sequenceExhausted, wire: .sequenceExhausted, status: .outOfRange),
        Row(code: .cursorAhead, wire: .cursorAhead, status: .outOfRange),
        Row(code: .epochChanged, wire: .epochChanged, status: .failedPrecondition),
        Row(code: .trimmed, wire: .trimmed, status: .outOfRange),
        Row(code: .overloaded, wire: .overloaded, status: .resourceExhausted),
        Row(code: .storageFull, wire: .storageFull, status: .resourceExhausted),
        Row(code: .corrupted, wire: .corrupted, status: .dataLoss),
        Row(code: .failed, wire: .failed, status: .internalError),
        Row(code: .locked, wire: .locked, status: .unavailable),
        Row(code: .closed, wire: .closed, status: .unavailable),
    ]

    private static let byCode = Dictionary(uniqueKeysWithValues: rows.map { ($0.code, $0) })
    private static let byWire = Dictionary(uniqueKeysWithValues: rows.map { ($0.wire, $0) })

    /// The code on the wire. A code that is not in the contract goes as `failed`: what became of
    /// the call is not known.
    package static func wire(_ code: StoreError.Code) -> Wire.ErrorCode {
        byCode[code]?.wire ?? .failed
    }

    /// The status of a call that ends with the code.
    package static func status(_ code: StoreError.Code) -> RPCError.Code {
        byCode[code]?.status ?? .internalError
    }

    /// The code that came over the wire; one that a newer server invented is told by the status of
    /// its call, where there is one.
    package static func code(_ wire: Wire.ErrorCode, status: RPCError.Code?) -> StoreError.Code {
        byWire[wire]?.code ?? status.map(code(status:)) ?? .failed
    }

    /// The code of a call that ended with a status and no detail.
    package static func code(status: RPCError.Code) -> StoreError.Code {
        switch status {
        case .invalidArgument: .invalidArgument
        case .resourceExhausted: .overloaded
        case .dataLoss: .corrupted
        case .unavailable, .deadlineExceeded, .cancelled: .unavailable
        default: .failed
        }
    }
}
