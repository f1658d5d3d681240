/// What a client's database is held to: what `send` and `confirm` said, and what its server heard.
/// The lines are those of `client-crash-worker`.
struct ClientHistory {
    /// A message of the client's: to whom, and its body, which no other message has.
    private struct Outgoing: Hashable {
        var peer: Substring
        var body: Substring
    }

    /// A number under which a message reached the server.
    private struct Lane: Hashable {
        var device: Substring
        var peer: Substring
        var number: Substring
    }

    private var attempted: Set<Outgoing> = []
    private var saved: Set<Outgoing> = []
    private var left: [Lane: Substring] = [:]
    /// By peer: bodies in the order of their sequences.
    private var pushed: [Substring: [Substring]] = [:]
    private var cursors: [Substring: Int] = [:]
    private var confirmed: [Substring: Int] = [:]
    /// What was said, for a server that remembers it.
    private(set) var lines: [Substring] = []
    private(set) var complaints: [String] = []
    private(set) var lineCount = 0

    mutating func hear(_ line: Substring) {
        lineCount += 1
        let words = line.split(separator: " ")
        switch (words.first, words.count) {
        case ("s", 3): attempted.insert(Outgoing(peer: words[1], body: words[2]))
        case ("S", 4): saved.insert(Outgoing(peer: words[2], body: words[3]))
        case ("L", 5):
            lines.append(line)
            let lane = Lane(device: words[1], peer: words[2], number: words[3])
            if let before = left[lane], before != words[4] {
                complaints.append("number \(words[3]) of \(words[1]) stands for two messages")
            }
            left[lane] = words[4]
        case ("P", 3):
            lines.append(line)
            pushed[words[1], default: []].append(words[2])
        case ("C", 3):
            lines.append(line)
            cursors[words[1]] = max(cursors[words[1]] ?? 0, Int(words[2]) ?? 0)
        case ("K", 3): confirmed[words[1]] = max(confirmed[words[1]] ?? 0, Int(words[2]) ?? 0)
        case ("X", _): complaints.append("the server refused a request: \(line)")
        default: break
        }
    }

    // MARK: Looking

    /// - Parameter lines: what a worker found in a database.
    func check(_ lines: [Substring]) throws(Failure) {
        var outgoing: [Outgoing: Int] = [:]
        var places: [Outgoing: Lane] = [:]
        var held: [Substring: [Int: Substring]] = [:]
        var lastNumber: [Lane: Int] = [:]
        for line in lines {
            let words = line.split(separator: " ", maxSplits: 7)
            guard words.first != "E" else { throw Failure(String(line.prefix(300))) }
            guard words.count == 8, words[0] == "m", let state = Int(words[3]) else { continue }
            if state <= 2 {
                let message = Outgoing(peer: words[2], body: words[7])
                outgoing[message, default: 0] += 1
                places[message] = Lane(device: words[4], peer: words[2], number: words[5])
                guard state != 2 else { throw Failure("\(words[7]) was set aside") }
                guard attempted.contains(message) else {
                    throw Failure("a message that nobody sent: \(words[7].prefix(40))")
                }
                let lane = Lane(device: words[4], peer: words[2], number: "")
                guard let number = Int(words[5]), number == lastNumber[lane, default: 0] + 1 else {
                    throw Failure("the numbers of \(words[4]) are not in order at \(words[5])")
                }
                lastNumber[lane] = number
            } else {
                guard let sequence = Int(words[6]),
                    held[words[2], default: [:]].updateValue(words[7], forKey: sequence) == nil
                else { throw Failure("a message of \(words[2]) is there twice") }
                if let through = confirmed[words[2]], Int(words[1]) ?? .max <= through, state != 4 {
                    throw Failure("row \(words[1]) was confirmed, and is not")
                }
            }
        }
        for message in saved where outgoing[message] != 1 {
            throw Failure(
                "\(message.body.prefix(40)) was saved, and is there \(outgoing[message] ?? 0) times"
            )
        }
        try check(places)
        try check(held, lines)
    }

    /// What left under a number has it for ever.
    private func check(_ places: [Outgoing: Lane]) throws(Failure) {
        for (lane, body) in left
        where places[Outgoing(peer: lane.peer, body: body)] != lane {
            throw Failure("\(body.prefix(40)) left as \(lane.device) \(lane.number), and is not")
        }
    }

    /// What the server was told is held.
    private func check(
        _ held: [Substring: [Int: Substring]], _ lines: [Substring]
    ) throws(Failure) {
        for (peer, bodies) in held {
            for (sequence, body) in bodies
            where !(1...(pushed[peer]?.count ?? 0)).contains(sequence)
                || pushed[peer]?[sequence - 1] != body
            {
                throw Failure("\(sequence) of \(peer) is another message")
            }
        }
        for (peer, cursor) in cursors where cursor > 0 {
            for sequence in 1...cursor where held[peer]?[sequence] == nil {
                throw Failure("\(peer) was told \(cursor), and \(sequence) is not there")
            }
            let line = lines.first { $0.hasPrefix("c \(peer) ") }
            guard let own = line?.split(separator: " ").last.flatMap({ Int($0) }), own >= cursor
            else { throw Failure("\(peer) was told \(cursor), and the cursor is below") }
        }
    }
}
