internal import Mailbox

/// The generated types of the contract, under short names.
package enum Wire {
    package typealias MailboxID = Mailbox_Store_V1_MailboxId
    package typealias Producer = Mailbox_Store_V1_Producer
    package typealias Cursor = Mailbox_Store_V1_Cursor
    package typealias Head = Mailbox_Store_V1_Head
    package typealias MailboxHead = Mailbox_Store_V1_MailboxHead
    package typealias Message = Mailbox_Store_V1_Message
    package typealias Append = Mailbox_Store_V1_Append
    package typealias AppendResult = Mailbox_Store_V1_AppendResult
    package typealias AppendOutcome = Mailbox_Store_V1_AppendOutcome
    package typealias Durability = Mailbox_Store_V1_Durability
    package typealias PageLimit = Mailbox_Store_V1_PageLimit
    package typealias ErrorCode = Mailbox_Store_V1_ErrorCode
    package typealias ErrorDetail = Mailbox_Store_V1_StoreErrorDetail
    package typealias RetentionPolicy = Mailbox_Store_V1_RetentionPolicy
    package typealias AppendRequest = Mailbox_Store_V1_AppendRequest
    package typealias AppendResponse = Mailbox_Store_V1_AppendResponse
    package typealias AppendBatchRequest = Mailbox_Store_V1_AppendBatchRequest
    package typealias AppendBatchResponse = Mailbox_Store_V1_AppendBatchResponse
    package typealias AppendStreamRequest = Mailbox_Store_V1_AppendStreamRequest
    package typealias AppendStreamResponse = Mailbox_Store_V1_AppendStreamResponse
    package typealias FetchRequest = Mailbox_Store_V1_FetchRequest
    package typealias FetchResponse = Mailbox_Store_V1_FetchResponse
    package typealias FetchOutcome = Mailbox_Store_V1_FetchOutcome
    package typealias FetchStreamRequest = Mailbox_Store_V1_FetchStreamRequest
    package typealias FetchStreamResponse = Mailbox_Store_V1_FetchStreamResponse
    package typealias ReadRequest = Mailbox_Store_V1_ReadRequest
    package typealias ReadResponse = Mailbox_Store_V1_ReadResponse
    package typealias ListInboxResponse = Mailbox_Store_V1_ListInboxResponse
    package typealias SyncRequest = Mailbox_Store_V1_SyncRequest
    package typealias SyncResponse = Mailbox_Store_V1_SyncResponse
    package typealias WatchResponse = Mailbox_Store_V1_WatchResponse
    package typealias GetStoreInfoResponse = Mailbox_Store_V1_GetStoreInfoResponse
    package typealias CompactRequest = Mailbox_Store_V1_CompactRequest
    package typealias CompactResponse = Mailbox_Store_V1_CompactResponse
    package typealias ListMailboxesResponse = Mailbox_Store_V1_ListMailboxesResponse
    package typealias GetStatsResponse = Mailbox_Store_V1_GetStatsResponse
    package typealias StoreService = Mailbox_Store_V1_StoreService
    package typealias AdminService = Mailbox_Store_V1_AdminService
    package typealias SendService = Mailbox_Send_V1_SendService
    package typealias RecvService = Mailbox_Recv_V1_RecvService
    package typealias PushService = Mailbox_Push_V1_PushService
    package typealias Push = Mailbox_Push_V1_Push
    package typealias PresenceChange = Mailbox_Push_V1_PresenceChange
    package typealias NotifyRequest = Mailbox_Push_V1_NotifyRequest
    package typealias AttachRequest = Mailbox_Push_V1_AttachRequest
    package typealias AttachResponse = Mailbox_Push_V1_AttachResponse
    package typealias RegisterDeviceRequest = Mailbox_Push_V1_RegisterDeviceRequest
    package typealias NotificationService = Mailbox_Push_V1_NotificationService
}

// What came over a wire is believed in nothing: every conversion from it checks, and refuses with
// an `invalidArgument` that names the field.

extension StoreError {
    /// A part of a message that must be there and is not.
    static func missing(_ field: String) -> StoreError {
        .invalidArgument("\(field) is missing")
    }

    /// The same error, naming the field that it is about.
    func inField(_ field: String) -> StoreError {
        StoreError(code: code, message: "\(field): \(message)", cause: cause, facts: facts)
    }
}

/// Runs a check, and names the field that it is about when it fails.
func inField<Value>(
    _ field: String, _ body: () throws(StoreError) -> Value
) throws(StoreError) -> Value {
    do throws(StoreError) {
        return try body()
    } catch {
        throw error.inField(field)
    }
}
