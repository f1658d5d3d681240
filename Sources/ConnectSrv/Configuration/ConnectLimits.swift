/// What one connection, account or address may take, and for how long. Times are durations of at
/// least a millisecond.
public struct ConnectLimits: Sendable {
    /// How much may come in a second, on average and at once.
    public struct Rate: Hashable, Sendable {
        /// So many a second, on average.
        public var perSecond: Double
        /// So many at once.
        public var burst: Double

        /// A rate and a burst, both above 0.
        public init(perSecond: Double, burst: Double) {
            self.perSecond = perSecond
            self.burst = burst
        }

        /// So many times of it.
        static func * (rate: Rate, factor: Double) -> Rate {
            Rate(perSecond: rate.perSecond * factor, burst: rate.burst * factor)
        }
    }

    /// Requests and bytes that may come.
    public struct Traffic: Hashable, Sendable {
        /// Requests.
        public var requests: Rate
        /// Bytes of requests.
        public var bytes: Rate

        /// Requests and bytes.
        public init(requests: Rate, bytes: Rate) {
            self.requests = requests
            self.bytes = bytes
        }

        static func * (traffic: Traffic, factor: Double) -> Traffic {
            Traffic(requests: traffic.requests * factor, bytes: traffic.bytes * factor)
        }
    }

    private static let standardTraffic = Traffic(
        requests: Rate(perSecond: 2_000, burst: 4_000),
        bytes: Rate(perSecond: 4_194_304, burst: 16_777_216))

    // MARK: Connections

    /// Connections at once; above it they are closed as they come.
    public var connectionsMaximum = 20_000
    /// Connections of one account at once, over all devices.
    public var connectionsPerAccountMaximum = 32
    /// Connections of one IPv4 address or one IPv6 /64 network at once.
    public var connectionsPerAddressMaximum = 1_000
    /// From the TCP connection to the welcome.
    public var handshakeMaximum: Duration = .seconds(10)
    /// A connection that is quiet for so long is pinged; quiet for as long again, it is ended.
    public var heartbeat: Duration = .seconds(30)
    /// How long a close waits for the other side's.
    public var closeMaximum: Duration = .seconds(2)

    // MARK: Frames and requests

    /// The largest frame, and the largest message of several.
    public var frameBytesMaximum = 512 << 10
    /// The most frames of one message.
    public var fragmentsMaximum = 64
    /// Requests of a connection that wait for their answers.
    public var requestsInFlightMaximum = 256
    /// Fetches and syncs of a connection that are under way behind; others wait for them.
    public var readsInFlightMaximum = 4
    /// The most messages of one answer.
    public var pageMessagesMaximum = 1_000
    /// The most body bytes of one answer.
    public var pageBytesMaximum = 1 << 20
    /// The most receivers of one question for send states, and cursors of one sync.
    public var namesMaximum = 1_000

    // MARK: Rates

    /// What one connection may send.
    public var connectionTraffic = standardTraffic
    /// What all connections of an account may send.
    public var accountTraffic = standardTraffic * 2
    /// What all connections of an address may send.
    public var addressTraffic = standardTraffic * 8
    /// Refusals for rate; a connection with more is ended.
    public var refusals = Rate(perSecond: 20, burst: 2_000)

    // MARK: What goes out

    /// Above it, pushes become notices.
    public var outgoingPushBytesMaximum = 64 << 10
    /// Above it, a connection is ended.
    public var outgoingBytesMaximum = 8 << 20
    /// A connection that takes nothing for so long, while something waits, is ended.
    public var outgoingStallMaximum: Duration = .seconds(30)
    /// The largest body that is pushed; for larger ones a notice is.
    public var pushBodyBytesMaximum = 64 << 10
    /// Senders for which notices wait; above it, one notice stands for all.
    public var noticesMaximum = 64

    // MARK: The end

    /// How long answers in flight are waited for when the server ends.
    public var drainMaximum: Duration = .seconds(10)
    /// Devices are told to come back after a time drawn between nothing and this.
    public var reconnectSpread: Duration = .seconds(2)

    /// All defaults.
    public init() {}
}

extension Duration {
    /// Rounded down, and at least 0.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
    }
}
