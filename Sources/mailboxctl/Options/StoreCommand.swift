import ArgumentParser

/// A subcommand on one store: its first argument is the store's directory, unless `--connect` names
/// a daemon; then the other arguments move up.
protocol StoreCommand: ConsoleCommand {
    var location: StoreLocation { get set }

    /// The arguments behind the store, in their order.
    static var positions: [Position<Self>] { get }
}

/// An argument behind the store. Optional to the parser, which cannot know how many come.
struct Position<Command> {
    let argument: WritableKeyPath<Command, String?>
    /// Its name in capitals, as the usage shows it.
    let name: String
    var isRequired = true
}

extension StoreCommand {
    mutating func validate() throws {
        try settle()
    }

    /// Gives each argument to the one that it is meant for.
    ///
    /// - Throws: `ValidationError` when one is missing or too many are there: a directory and
    ///   `--connect`, or neither.
    mutating func settle() throws {
        if location.connection.connect != nil {
            var moved = location.store
            location.store = nil
            for position in Self.positions {
                swap(&moved, &self[keyPath: position.argument])
            }
            if moved != nil {
                throw ValidationError("Name a store's directory or --connect, not both.")
            }
        } else if location.store == nil {
            throw ValidationError(
                "Name the store: its directory as the first argument, or a daemon with --connect.")
        }
        for position in Self.positions
        where position.isRequired && self[keyPath: position.argument] == nil {
            let hint =
                location.store == nil
                ? "" : " The first argument is the store's directory, unless there is --connect."
            throw ValidationError("\(position.name) is missing.\(hint)")
        }
    }

    /// How the command is written, for its help.
    static func usage(_ name: String, _ arguments: String = "") -> String {
        let rest = arguments.isEmpty ? "" : " " + arguments
        return """
            mailboxctl \(name) STORE\(rest) [options]
            mailboxctl \(name) --connect ADDRESS\(rest) [options]
            """
    }
}
