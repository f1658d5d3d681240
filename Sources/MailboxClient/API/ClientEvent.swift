/// What an app may want to tell its people; docs/CLIENT.md has a recipe for each.
public enum ClientEvent: Hashable, Sendable {
    /// The connection's state changed.
    case connection(ConnectionState)
    /// Incoming messages were stored: how many, and who sent them.
    case received(peer: String, count: Int)
    /// What waited on the server when this connection began is stored here; once a connection.
    case caughtUp
    /// The server's history is another one (it was restored): conversations begin anew, what is
    /// held is dropped by its identity, nothing is skipped.
    case epochChanged(conversations: Int)
    /// The server answered that this database holds more of a sender than the server ever had.
    case cursorAhead(peer: String, held: UInt32, newest: UInt32)
    /// Messages were confirmed by another device of this account, or by a lost copy of this
    /// database, and do not come here any more: those above `after`, through `through`.
    case receivedElsewhere(peer: String, after: UInt32, through: UInt32)
    /// The server no longer has messages through `floor` that were asked for.
    case trimmed(peer: String, floor: UInt32)
    /// The mailbox to this receiver, or from this sender, gave out its last sequence.
    case sequenceExhausted(peer: String)
    /// A message was refused for good, and set aside.
    case refused(message: Int64, peer: String, reason: RefusalReason)
    /// The device took a new name, and what waited goes on under it.
    case identityRenewed(IdentityRenewal)
    /// The server had forgotten messages that it accepted; they are sent again.
    case sentAgain(peer: String, count: Int)
    /// The database belongs to another account than the token: nothing is sent or received.
    case wrongAccount(expected: String)
    /// The server did not take the token, and each attempt now asks for another one. Told once,
    /// until the server takes one.
    case tokenRefused
    /// The database failed; the connection was given up, and will be tried again.
    case databaseFailed(String)
    /// The server did something that the protocol does not allow; the connection was given up.
    case protocolViolation(String)
}

/// Why a device took a new name.
public enum IdentityRenewal: Hashable, Sendable {
    /// The file is a copy, or was restored.
    case copied
    /// The server has more from this device than this database ever sent.
    case ahead
    /// The server has other bytes under a number of this device.
    case conflict
    /// The server has forgotten messages that this database no longer has either.
    case forgotten
    /// A message that a server of another epoch may have stored was refused for good.
    case refusedAcrossEpochs
}
