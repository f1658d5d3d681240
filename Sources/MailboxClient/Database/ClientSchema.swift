import GRDB

/// The tables of a client's database; docs/CLIENT.md shows them.
enum ClientSchema {
    /// Every step that the schema ever took, in order. A step that was released is never changed.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { try $0.execute(sql: first) }
        return migrator
    }

    /// States of `message.state`.
    enum State {
        /// Outgoing: saved, not known to be stored by the server.
        static let saved = 0
        /// Outgoing: stored by the server.
        static let accepted = 1
        /// Outgoing: refused for good, set aside.
        static let refused = 2
        /// Incoming: the app has not confirmed it.
        static let unconfirmed = 3
        /// Incoming: the app has it.
        static let confirmed = 4
    }

    /// The number of the next message. None is given twice, also when the newest was discarded:
    /// what `AUTOINCREMENT` does with a table of its own, whose page every message would write.
    static let nextMessage = """
        (max((SELECT coalesce(max(id), 0) FROM message), (SELECT discarded FROM client)) + 1)
        """

    /// Every page that a message changes is written, and waited for, before `send` returns: hence
    /// few indexes, and none that what is derived could do without.
    private static let first = """
        CREATE TABLE client (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            account TEXT,
            epoch INTEGER,
            session INTEGER NOT NULL DEFAULT 0,
            body_bytes_maximum INTEGER NOT NULL DEFAULT 0,
            file_token TEXT,
            file_number TEXT,
            generation INTEGER NOT NULL DEFAULT 0,
            discarded INTEGER NOT NULL DEFAULT 0
        );
        INSERT INTO client (id) VALUES (1);
        CREATE TABLE device (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE
        );
        CREATE TABLE conversation (
            id INTEGER PRIMARY KEY,
            peer TEXT NOT NULL UNIQUE,
            cursor INTEGER NOT NULL DEFAULT 0,
            epoch INTEGER,
            acknowledged INTEGER NOT NULL DEFAULT 0,
            head_max INTEGER NOT NULL DEFAULT 0,
            unread INTEGER NOT NULL DEFAULT 0
        );
        CREATE TABLE lane (
            device INTEGER NOT NULL REFERENCES device (id),
            conversation INTEGER NOT NULL REFERENCES conversation (id),
            next INTEGER NOT NULL DEFAULT 1,
            sent INTEGER NOT NULL DEFAULT 0,
            accepted INTEGER NOT NULL DEFAULT 0,
            checked INTEGER NOT NULL DEFAULT 1,
            PRIMARY KEY (device, conversation)
        ) WITHOUT ROWID;
        CREATE TABLE message (
            id INTEGER PRIMARY KEY,
            conversation INTEGER NOT NULL REFERENCES conversation (id),
            state INTEGER NOT NULL,
            device INTEGER,
            sender_device TEXT,
            client_sequence INTEGER,
            sequence INTEGER,
            epoch INTEGER,
            sent_epoch INTEGER,
            timestamp INTEGER NOT NULL,
            reason INTEGER,
            reason_text TEXT,
            body BLOB NOT NULL
        );
        CREATE INDEX message_history ON message (conversation, id);
        CREATE UNIQUE INDEX message_queue ON message (device, conversation, client_sequence)
            WHERE state = 0;
        CREATE INDEX message_unconfirmed ON message (id) WHERE state = 3;
        CREATE INDEX message_refused ON message (id) WHERE state = 2;
        CREATE INDEX message_identity
            ON message (conversation, sender_device, client_sequence, sequence)
            WHERE state >= 3;
        """
}
