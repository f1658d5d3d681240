import Testing

@testable import MailboxClient

/// The session's state machine: what happens goes in, what to do comes out.
@Suite("The session")
struct SessionTests {
    private static func session() -> Session {
        var timing = SessionTiming()
        timing.tokenMarginMilliseconds = 10_000
        return Session(timing: timing, random: ClientRandom(seed: 7))
    }

    /// A session that is welcome at 100, with a heartbeat of 15 s.
    private static func welcome(tokenLife: Int64? = nil) -> Session {
        var session = Self.session()
        _ = session.start(0)
        _ = session.tokenCame("token", 1)
        _ = session.opened(1, 2)
        session.welcomed(heartbeat: 30_000, tokenLife: tokenLife, 100)
        return session
    }

    /// How long it waits now.
    private static func wait(_ session: Session, _ now: Int64) -> Int64 {
        (session.deadline ?? now) - now
    }

    @Test("A token, a connection, a hello, a welcome")
    func begin() {
        var session = Self.session()
        #expect(session.state == .stopped && session.deadline == nil)
        #expect(session.tick(5).isEmpty)
        #expect(session.start(0) == [.requestToken(isRenewal: false)])
        #expect(session.state == .connecting && session.deadline == 10_000)
        #expect(session.start(1).isEmpty)
        #expect(session.tokenCame("token", 5) == [.open(connection: 1)])
        #expect(session.deadline == 10_005)
        #expect(session.opened(2, 6).isEmpty)
        #expect(session.opened(1, 6) == [.hello(connection: 1, token: "token")])
        #expect(session.opened(1, 7).isEmpty)
        session.welcomed(heartbeat: 0, tokenLife: nil, 8)
        #expect(session.state == .connected && session.deadline == 15_008)
        #expect(session.stop() == [.close(connection: 1, withGoodbye: true), .lost(connection: 1)])
        #expect(session.state == .stopped && session.deadline == nil)
    }

    @Test(
        "Each failure waits at random below a bound that doubles, to a maximum; success resets it")
    func backoff() {
        var session = Self.session()
        var now: Int64 = 0
        _ = session.start(now)
        for failure in 0..<30 {
            // No token, no connection, no answer: each is a failure.
            switch failure % 3 {
            case 0: #expect(session.tokenCame(nil, now).isEmpty)
            case 1:
                _ = session.tokenCame("token", now)
                #expect(
                    session.closed(session.connection, now).last
                        == .lost(
                            connection: session.connection))
            default:
                _ = session.tokenCame("token", now)
                now += 10_000
                #expect(
                    session.tick(now).first
                        == .close(connection: session.connection, withGoodbye: false))
            }
            #expect(session.state == .waiting)
            let bound = min(60_000, Int64(500) << min(failure, 20))
            #expect((0...bound).contains(Self.wait(session, now)), "failure \(failure)")
            now = session.deadline ?? now
            #expect(session.tick(now) == [.requestToken(isRenewal: false)])
        }
        _ = session.tokenCame("token", now)
        _ = session.opened(session.connection, now)
        session.welcomed(heartbeat: 0, tokenLife: nil, now)
        _ = session.closed(session.connection, now)
        #expect((0...500).contains(Self.wait(session, now)))
    }

    @Test("Waits differ from client to client")
    func jitter() {
        let waits = (UInt64(0)..<50).map { seed in
            var session = Session(timing: SessionTiming(), random: ClientRandom(seed: seed))
            _ = session.start(0)
            _ = session.tokenCame(nil, 0)
            return session.deadline ?? 0
        }
        #expect(Set(waits).count > 20)
    }

    @Test("A hint about the network ends a wait, and asks an open connection for a sign of life")
    func networkPath() {
        var session = Self.session()
        #expect(session.networkChanged(0).isEmpty)
        _ = session.start(0)
        _ = session.tokenCame(nil, 0)
        #expect(session.networkChanged(1) == [.requestToken(isRenewal: false)])
        #expect(session.networkChanged(2).isEmpty)
        session = Self.welcome()
        #expect(session.networkChanged(200) == [.ping(connection: 1)])
        #expect(session.networkChanged(201).isEmpty)
        #expect(session.deadline == 15_200)
        session.heard(1, 300)
        #expect(session.deadline == 15_300)
    }

    @Test("A quiet connection is asked, and given up within two heartbeats")
    func heartbeat() {
        var session = Self.welcome()
        #expect(session.tick(15_099).isEmpty)
        #expect(session.tick(15_100) == [.ping(connection: 1)])
        // Another connection's sign of life is none.
        session.heard(2, 20_000)
        #expect(session.tick(30_099).isEmpty)
        #expect(
            session.tick(30_100) == [
                .close(connection: 1, withGoodbye: false), .lost(connection: 1),
            ])
        #expect(session.state == .waiting)
        session = Self.welcome()
        _ = session.tick(15_100)
        session.heard(1, 16_000)
        #expect(session.tick(30_100).isEmpty && session.deadline == 31_000)
    }

    @Test("A token is renewed before it expires, without another connection")
    func renewal() {
        var session = Self.welcome(tokenLife: 24_000)
        // A margin of 10 s before the end at 24 100.
        #expect(session.deadline == 14_100)
        #expect(session.tick(14_099).isEmpty)
        #expect(session.tick(14_100) == [.requestToken(isRenewal: true)])
        #expect(session.tick(14_101).isEmpty)
        #expect(session.tokenCame("new", 14_200) == [.refreshToken(connection: 1, token: "new")])
        session.welcomed(heartbeat: 30_000, tokenLife: 60_000, 14_300)
        #expect(session.state == .connected && session.connection == 1)
        session.heard(1, 60_000)
        #expect(session.deadline == 64_300)
        #expect(session.tick(64_300) == [.requestToken(isRenewal: true)])
        // None came: the connection goes on until the server ends it.
        #expect(session.tokenCame(nil, 64_400).isEmpty)
        #expect(session.state == .connected)
    }

    @Test("A token of the past is not asked for all the time")
    func wrongClock() {
        for life in [0, -86_400_000, 5] as [Int64] {
            var session = Self.welcome(tokenLife: life)
            #expect(session.deadline == 1_100, "\(life)")
            #expect(session.tick(1_099).isEmpty)
        }
    }

    @Test("An expired token: another is asked for at once; when that is refused, too, after a wait")
    func expired() {
        var session = Self.welcome()
        #expect(
            session.goodbye(
                isReplaced: false, needsToken: true, notBefore: 0, isFailure: true, 200)
                == [
                    .close(connection: 1, withGoodbye: false), .lost(connection: 1),
                    .requestToken(isRenewal: true),
                ])
        #expect(session.tokenCame("again", 300) == [.open(connection: 2)])
        _ = session.opened(2, 400)
        let actions = session.goodbye(
            isReplaced: false, needsToken: true, notBefore: 0, isFailure: true, 500)
        #expect(actions == [.close(connection: 2, withGoodbye: false), .lost(connection: 2)])
        #expect(session.state == .waiting)
        #expect(session.tick(session.deadline ?? 0) == [.requestToken(isRenewal: true)])
    }

    @Test("A server that ends says when to come back; one that is overloaded, at the earliest")
    func goodbye() {
        var session = Self.welcome()
        _ = session.goodbye(
            isReplaced: false, needsToken: false, notBefore: 730, isFailure: false, 1_000)
        #expect(session.state == .waiting && session.deadline == 1_730)
        session = Self.welcome()
        _ = session.goodbye(
            isReplaced: false, needsToken: false, notBefore: 5_000, isFailure: true, 1_000)
        #expect(session.deadline ?? 0 >= 6_000)
        // What the old connection still reports is nobody's.
        #expect(session.closed(1, 1_001).isEmpty)
    }

    @Test("Replaced: it stays away until it is started again")
    func replaced() {
        var session = Self.welcome()
        _ = session.goodbye(
            isReplaced: true, needsToken: false, notBefore: 0, isFailure: true, 200)
        #expect(session.state == .replaced && session.deadline == nil)
        #expect(session.networkChanged(300).isEmpty && session.tick(1 << 40).isEmpty)
        #expect(session.giveUp(400).isEmpty && session.reconnect(400).isEmpty)
        #expect(session.start(500) == [.requestToken(isRenewal: false)])
    }

    @Test("What an old connection says is ignored by its number, in every phase")
    func stale() {
        var session = Self.welcome()
        #expect(session.giveUp(200).last == .lost(connection: 1))
        _ = session.tick(session.deadline ?? 0)
        #expect(session.closed(1, 300).isEmpty)
        _ = session.tokenCame("token", 300)
        #expect(session.connection == 2)
        #expect(session.opened(1, 301).isEmpty && session.closed(1, 302).isEmpty)
        #expect(session.state == .connecting)
        // A token that comes too late opens nothing.
        #expect(session.tokenCame("late", 303).isEmpty)
    }
}
