import Crypto
import Foundation
import Testing

/// A store, and two of each other role, as processes on loopback: what `deploy/run-cluster` starts.
/// Each member keeps its port over restarts.
actor Cluster {
    enum Role: String, CaseIterable, Sendable {
        case store, recv, push, send, connect
    }

    private struct Member {
        let role: Role
        let arguments: [String]
        var port = 0
        var daemon: Daemon?
    }

    /// Small segments and frequent checkpoints, so that kills find all of them under way; and
    /// messages stay after their confirmation, for the check at the end.
    static let engineArguments = [
        "--engine-journal-segment-bytes", "1MiB", "--engine-checkpoint-journal-bytes", "2MiB",
        "--engine-checkpoint-interval-milliseconds", "50", "--engine-tail-bytes", "4MiB",
        "--engine-message-bytes", "16KiB", "--engine-retention", "acknowledged:86400",
        "--log-level", "error",
    ]

    private let directory: TestDirectory
    private var members: [Member] = []

    private init(_ directory: TestDirectory) { self.directory = directory }

    /// Starts all, each when those that it needs are ready.
    static func start(in directory: TestDirectory, secretPath: String) async throws -> Cluster {
        let cluster = Cluster(directory)
        try await cluster.start(secretPath)
        return cluster
    }

    /// Where devices connect.
    var devicePorts: [Int] { members.filter { $0.role == .connect }.map(\.port) }

    /// How many there are of a role.
    func count(_ role: Role) -> Int { members.count { $0.role == role } }

    private func start(_ secretPath: String) async throws {
        let store = try await add(
            .store, ["--directory", directory.file("store")] + Self.engineArguments)
        let storeAddress = ["--store-address", "127.0.0.1:\(store)"]
        let quiet = ["--log-level", "error"]
        var recv: [String] = []
        var push: [String] = []
        var send: [String] = []
        for _ in 0..<2 {
            recv.append("127.0.0.1:\(try await add(.recv, storeAddress + quiet))")
        }
        let recvAddresses = ["--recv-addresses", recv.joined(separator: ",")]
        for _ in 0..<2 {
            let registry = ["--push-registry", directory.file("push.sqlite")]
            push.append("127.0.0.1:\(try await add(.push, recvAddresses + registry + quiet))")
        }
        let pushAddresses = ["--push-addresses", push.joined(separator: ",")]
        for _ in 0..<2 {
            send.append("127.0.0.1:\(try await add(.send, storeAddress + pushAddresses + quiet))")
        }
        let sendAddresses = ["--send-addresses", send.joined(separator: ",")]
        for number in 0..<2 {
            _ = try await add(
                .connect,
                ["--connect-instance", "connect-\(number)"] + sendAddresses + recvAddresses
                    + pushAddresses
                    + ["--tokens-key", secretPath, "--tokens-algorithm", "HS256"] + quiet)
        }
    }

    private func add(_ role: Role, _ arguments: [String]) async throws -> Int {
        members.append(Member(role: role, arguments: arguments))
        try await start(members.count - 1)
        return members[members.count - 1].port
    }

    private func start(_ place: Int) async throws {
        let member = members[place]
        let flag = member.role == .connect ? "--connect-port" : "--listen-port"
        let daemon = try await Daemon.start(
            role: member.role.rawValue, member.arguments + [flag, "\(member.port)"])
        guard daemon.isReady else {
            let end = try await daemon.end()
            throw TextSocket.Failed(message: "\(member.role) did not become ready: \(end.notes)")
        }
        members[place].port = member.role == .connect ? daemon.devicePort : daemon.port
        members[place].daemon = daemon
    }

    /// Kills some members of a role (SIGKILL, by their process numbers), and starts them again.
    ///
    /// - Parameter numbers: which of them, from 0.
    func killAndRestart(_ role: Role, _ numbers: [Int]) async throws {
        let places = members.indices.filter { members[$0].role == role }
        let victims = numbers.map { places[$0] }
        for place in victims { members[place].daemon?.signal(SIGKILL) }
        for place in victims {
            let end = try await members[place].daemon?.end()
            guard end?.wasKilled == true else {
                throw TextSocket.Failed(
                    message: "\(role) ended before it was killed: \(end?.notes ?? "")")
            }
        }
        for place in victims { try await start(place) }
    }

    /// Ends all, from the edge inwards.
    ///
    /// - Returns: what those said that did not end in order.
    func stop() async throws -> [String] {
        var complaints: [String] = []
        for member in members.reversed() {
            guard let end = try await member.daemon?.stop(), end.status != 0 else { continue }
            complaints.append("\(member.role): \(end.status) \(end.notes)")
        }
        return complaints
    }
}

extension Daemon {
    /// Where devices connect; 0 when it serves none.
    var devicePort: Int {
        readyLine.firstMatch(of: #/ws=127.0.0.1:(\d+)/#).flatMap { Int($0.1) } ?? 0
    }
}

/// Tokens of an hour for any account, signed with a secret that is in a file (HS256).
struct TokenMint: Sendable {
    let secretPath: String
    private let secret: [UInt8]

    init(in directory: TestDirectory) throws {
        let text = (0..<4).map { _ in String(UInt64.random(in: 1 << 60...UInt64.max), radix: 16) }
            .joined()
        secret = Array(text.utf8)
        secretPath = try directory.write(text, to: "tokens.secret")
    }

    func mint(_ account: String) -> String {
        let expires = Int(Date.now.timeIntervalSince1970) + 3_600
        let header = #"{"alg":"HS256","kid":"main","typ":"JWT"}"#
        let claims = #"{"sub":"\#(account)","exp":\#(expires)}"#
        let signed = Self.text(Data(header.utf8)) + "." + Self.text(Data(claims.utf8))
        let code = HMAC<SHA256>.authenticationCode(
            for: Data(signed.utf8), using: SymmetricKey(data: secret))
        return signed + "." + Self.text(Data(code))
    }

    private static func text(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }
}
