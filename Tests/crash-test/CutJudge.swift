/// What knows what a program was promised, and holds to it what a cut left.
protocol CutJudge {
    /// What was heard so far: it changes when something more must be there.
    var lineCount: Int { get }

    /// Takes in what the program said.
    mutating func hear(_ line: Substring)

    /// Opens what is in a directory, and holds it to what was promised.
    func check(_ directory: String, _ random: inout SeededRandom) throws(Failure)

    /// What was wrong while the program ran, whatever a cut left.
    var complaints: [String] { get }
}

/// Holds a store to its history.
struct StoreJudge: CutJudge {
    var history: History
    let oracle: Oracle

    var lineCount: Int { history.lineCount }

    mutating func hear(_ line: Substring) { history.hear(line) }

    func check(_ directory: String, _ random: inout SeededRandom) throws(Failure) {
        try oracle.checkCopies(directory, history, &random)
        try oracle.open("\(directory)/store", history, &random)
    }

    var complaints: [String] {
        var complaints: [String] = []
        if let wrong = history.wrong { complaints.append("a reader saw it: \(wrong)") }
        if history.failures.contains("untyped") { complaints.append("an error without a code") }
        return complaints
    }
}
