import GRPCCore
import GRPCProtobuf
import Mailbox
import StoreAPI
import SwiftProtobuf
import Testing

@Suite("Refusals on the wire")
struct ErrorMapTests {
    @Test("The table has every code of the stores and of the contract, each once")
    func complete() {
        #expect(ErrorMap.rows.map(\.code) == StoreError.Code.ofStores)
        #expect(
            Set(ErrorMap.rows.map(\.wire))
                == Set(Wire.ErrorCode.allCases.filter { $0 != .unspecified }))
        #expect(ErrorMap.rows.count == Wire.ErrorCode.allCases.count - 1)
    }

    @Test("A refusal comes back as it was, from an outcome and from a status")
    func roundTrip() throws {
        var facts = StoreError.Facts()
        facts.expectedClientSequence = 7
        facts.maxSequence = 8
        facts.currentEpoch = Epoch(rawValue: .max)
        facts.floor = 9
        facts.mailbox = try MailboxID(sender: "zoë", receiver: "bob")
        for row in ErrorMap.rows {
            for facts in [facts, StoreError.Facts()] {
                let error = StoreError(code: row.code, message: "because", facts: facts)
                let status = GoogleRPCStatus(error)
                #expect(status.code == row.status)
                let rpcError = RPCError(
                    code: status.rpcErrorCode, message: status.rpcErrorMessage,
                    metadata: status.rpcErrorMetadata)
                let decoded = [
                    StoreError(wire: Wire.ErrorDetail(error)),
                    try #require(StoreError(detailOf: rpcError)),
                ]
                for each in decoded {
                    #expect(each.code == error.code)
                    #expect(each.message == error.message)
                    #expect(each.facts == error.facts)
                }
            }
        }
    }

    @Test("A code of a newer server is told by the status of its call")
    func unknownCode() {
        var detail = Wire.ErrorDetail()
        detail.code = .UNRECOGNIZED(99)
        #expect(StoreError(wire: detail).code == .failed)
        #expect(StoreError(wire: detail, status: .resourceExhausted).code == .overloaded)
        #expect(StoreError(wire: detail, status: .invalidArgument).code == .invalidArgument)
        #expect(StoreError(wire: detail, status: .permissionDenied).code == .failed)
        detail.code = .unspecified
        #expect(StoreError(wire: detail, status: .unavailable).code == .unavailable)
    }

    @Test("A status without a detail is no store's refusal")
    func noDetail() {
        #expect(StoreError(detailOf: RPCError(code: .unavailable, message: "no")) == nil)
        let broken = RPCError(
            code: .internalError, message: "no",
            metadata: ["grpc-status-details-bin": .binary([1, 2, 3])])
        #expect(StoreError(detailOf: broken) == nil)
    }

    @Test("Facts that are none are left out")
    func badFacts() {
        var detail = Wire.ErrorDetail()
        detail.code = .epochChanged
        detail.currentEpoch = 0
        detail.mailbox = .with { $0.sender = "" }
        #expect(StoreError(wire: detail).facts == StoreError.Facts())
    }
}
