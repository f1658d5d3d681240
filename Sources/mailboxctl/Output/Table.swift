/// Rows of text in aligned columns, for people.
struct Table {
    enum Alignment { case left, right }

    private let titles: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// - Parameter columns: titles and alignments from left to right. A table whose titles are all
    ///   empty has no title row.
    init(_ columns: [(title: String, alignment: Alignment)]) {
        titles = columns.map(\.title)
        alignments = columns.map(\.alignment)
    }

    /// A table of names and values, without titles.
    static func facts(_ facts: [(name: String, value: String)]) -> Table {
        var table = Table([("", .left), ("", .left)])
        for fact in facts { table.add([fact.name, fact.value]) }
        return table
    }

    /// Adds a row. Precondition: it has a cell for each column.
    mutating func add(_ row: [String]) {
        precondition(row.count == titles.count)
        rows.append(row)
    }

    /// The table's lines. Cells of the last column keep their length; no line ends in a space.
    var lines: [String] {
        let hasTitles = titles.contains { !$0.isEmpty }
        let all = hasTitles ? [titles] + rows : rows
        var widths = [Int](repeating: 0, count: titles.count)
        for row in all {
            for (column, cell) in row.enumerated() {
                widths[column] = max(widths[column], cell.count)
            }
        }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += alignments[column] == .right ? padding + cell : cell + padding
                if column < row.count - 1 { line += "  " }
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

extension Console {
    /// Writes a table for people.
    func write(_ table: Table) throws(Failure) {
        for line in table.lines { try write(line) }
    }
}
