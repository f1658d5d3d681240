internal import Synchronization

/// What the connections of one account, or of one address, share: their number, and their rates.
final class SharedTraffic: Sendable {
    private struct State {
        var connections = 0
        var buckets: TrafficBuckets
    }

    private let state: Mutex<State>

    init(_ traffic: ConnectLimits.Traffic, nowMilliseconds: Int64) {
        state = Mutex(State(buckets: TrafficBuckets(traffic, nowMilliseconds: nowMilliseconds)))
    }

    /// Takes one request; see `TrafficBuckets.take`.
    func take(byteCount: Int, nowMilliseconds: Int64) -> Int64? {
        state.withLock { $0.buckets.take(byteCount: byteCount, nowMilliseconds: nowMilliseconds) }
    }

    /// One more connection.
    ///
    /// - Returns: false when there are `maximum` already; then nothing was counted.
    fileprivate func join(maximum: Int) -> Bool {
        state.withLock { state in
            guard state.connections < maximum else { return false }
            state.connections += 1
            return true
        }
    }

    /// One connection less.
    ///
    /// - Returns: how many are left.
    fileprivate func leave() -> Int {
        state.withLock { state in
            state.connections -= 1
            return state.connections
        }
    }
}

/// The traffic of all that have connections, by account or by address.
///
/// An entry goes with its last connection, and its debts with it: who reconnects for every request
/// has to pay for handshakes, and those are limited by the address's connections.
final class TrafficTable<Key: Hashable & Sendable>: Sendable {
    private let entries = Mutex<[Key: SharedTraffic]>([:])
    private let traffic: ConnectLimits.Traffic
    private let connectionsMaximum: Int

    init(_ traffic: ConnectLimits.Traffic, connectionsMaximum: Int) {
        self.traffic = traffic
        self.connectionsMaximum = connectionsMaximum
    }

    /// Counts a connection in; `leave` must follow.
    ///
    /// - Returns: nil when there are too many; then nothing was counted.
    func join(_ key: Key, nowMilliseconds: Int64) -> SharedTraffic? {
        entries.withLock { entries in
            let entry =
                entries[key] ?? SharedTraffic(traffic, nowMilliseconds: nowMilliseconds)
            guard entry.join(maximum: connectionsMaximum) else { return nil }
            entries[key] = entry
            return entry
        }
    }

    /// Counts a connection out.
    func leave(_ key: Key) {
        entries.withLock { entries in
            guard let entry = entries[key], entry.leave() == 0 else { return }
            entries[key] = nil
        }
    }

    /// Keys with a connection.
    var count: Int { entries.withLock { $0.count } }
}
