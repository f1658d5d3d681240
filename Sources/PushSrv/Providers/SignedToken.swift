/// A token that is made once, used for a time, and then made anew.
actor SignedToken {
    private let lifetime: Duration
    private let renewal: Duration
    private let make: @Sendable () async throws -> String
    private var token: String?
    private var made: ContinuousClock.Instant
    private var making: Task<String, any Error>?

    /// - Parameters:
    ///   - lifetime: how long a token is used.
    ///   - renewal: a token younger than this is not made anew, whoever asks.
    ///   - make: makes one.
    init(
        lifetime: Duration, renewal: Duration, make: @escaping @Sendable () async throws -> String
    ) {
        self.lifetime = lifetime
        self.renewal = renewal
        self.make = make
        made = .now
    }

    /// The token that counts. Many who ask while it is made get the same.
    ///
    /// - Throws: what `make` throws.
    func value() async throws -> String {
        if let token, ContinuousClock.now - made < lifetime { return token }
        if let making { return try await making.value }
        let task = Task { try await make() }
        making = task
        defer { making = nil }
        let made = try await task.value
        token = made
        self.made = .now
        return made
    }

    /// The token was refused for its age: the next one who asks gets another.
    func renew() {
        if ContinuousClock.now - made >= renewal { token = nil }
    }
}
