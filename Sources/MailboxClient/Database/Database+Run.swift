import GRDB

extension Database {
    /// Executes a statement that is compiled once.
    func run(_ sql: String, _ arguments: StatementArguments = []) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// The first row of a query that is compiled once.
    func row(_ sql: String, _ arguments: StatementArguments = []) throws -> Row? {
        try Row.fetchOne(cachedStatement(sql: sql), arguments: arguments)
    }

    /// All rows of a query that is compiled once; the query bounds how many.
    func rows(_ sql: String, _ arguments: StatementArguments = []) throws -> [Row] {
        try Row.fetchAll(cachedStatement(sql: sql), arguments: arguments)
    }

    /// The number that a query answers; 0 when it answers none.
    func number(_ sql: String, _ arguments: StatementArguments = []) throws -> Int64 {
        try Int64.fetchOne(cachedStatement(sql: sql), arguments: arguments) ?? 0
    }
}

extension UInt64 {
    /// SQLite's integers are signed: the same 64 bits.
    init(stored: Int64) { self.init(bitPattern: stored) }
    /// See `init(stored:)`.
    var stored: Int64 { Int64(bitPattern: self) }
}
