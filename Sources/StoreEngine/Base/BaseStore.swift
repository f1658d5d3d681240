internal import LMDB
internal import Mailbox

/// A shard's data file: what checkpoints wrote. One writer, the checkpoint thread; any number of
/// short readers.
final class BaseStore: Sendable {
    /// The trees, each with a marker record: version 0.9.24 of the library answers "not found" for
    /// a lost tree.
    struct Trees: Sendable {
        let messages: Database
        let producers: Database
        let waiting: Database
        let meta: Database
    }

    let environment: Environment
    let trees: Trees

    /// Sorts in front of every key: a mailbox key never begins with 0.
    static let markerKey: [UInt8] = [0]
    private static let positionKey: [UInt8] = Array("position".utf8)
    private static let names = ["messages", "producers", "waiting", "meta"]

    private init(environment: Environment, trees: Trees) {
        self.environment = environment
        self.trees = trees
    }

    private static func marker(_ name: String) -> [UInt8] { Array("mailbox-store \(name) 1".utf8) }

    /// Opens the data file in `directory`; makes its trees when `create`. Called on the thread that
    /// will write.
    static func open(
        _ directory: String, configuration: StoreConfiguration, create: Bool
    ) throws(StoreError) -> BaseStore {
        try onBase { () throws(LMDBError) in
            let environment = try Environment(
                path: directory,
                options: Environment.Options(
                    mapBytes: configuration.mapBytesInitial,
                    readersMaximum: configuration.readersMaximum, databasesMaximum: 8))
            do throws(LMDBError) {
                environment.adoptWriterThread()
                let trees = try environment.write {
                    (transaction: inout WriteTransaction) throws(LMDBError) in
                    Trees(
                        messages: try openTree(&transaction, 0, create: create),
                        producers: try openTree(&transaction, 1, create: create),
                        waiting: try openTree(&transaction, 2, create: create),
                        meta: try openTree(&transaction, 3, create: create))
                }
                return BaseStore(environment: environment, trees: trees)
            } catch {
                environment.close()
                throw error
            }
        }
    }

    private static func openTree(
        _ transaction: inout WriteTransaction, _ ordinal: Int, create: Bool
    ) throws(LMDBError) -> Database {
        let name = names[ordinal]
        let database: Database
        do throws(LMDBError) {
            database = try transaction.openDatabase(named: name, create: create)
        } catch {
            if error.code == .notFound { throw .corrupted("the tree '\(name)' is missing") }
            throw error
        }
        if create {
            try transaction.put(
                key: markerKey.span, value: marker(name).span, in: database)
            return database
        }
        guard let value = try transaction.value(for: markerKey.span, in: database),
            value.count == marker(name).count, value.hasPrefix(marker(name).span)
        else { throw .corrupted("the tree '\(name)' lost its marker, or is of another format") }
        return database
    }

    // MARK: The log position

    /// Everything in the journal through it is in the data file.
    func position() throws(StoreError) -> JournalPosition {
        try onBase { () throws(LMDBError) in
            try environment.read { transaction throws(LMDBError) in
                guard
                    let value = try transaction.value(for: Self.positionKey.span, in: trees.meta)
                else { return .zero }
                try BaseRecord.check(
                    value, key: Self.positionKey.span, atLeast: BaseRecord.headerByteCount + 8)
                let position = JournalPosition(value.littleEndian(BaseRecord.headerByteCount))
                guard position < .maximum else {
                    throw .corrupted("the log position is beyond its range")
                }
                return position
            }
        }
    }

    /// Writes the position, in the transaction that completes a checkpoint.
    func putPosition(
        _ position: JournalPosition, _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var record = BaseRecord.begin()
        record.appendLittleEndian(position.rawValue)
        BaseRecord.seal(&record, key: Self.positionKey)
        try transaction.put(key: Self.positionKey.span, value: record.span, in: trees.meta)
    }

    // MARK: Single records

    /// The head of the mailbox whose key this is.
    func head(
        _ prefix: [UInt8], _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> BaseHead {
        let key = BaseKey.head(prefix)
        if let value = try transaction.value(for: key.span, in: trees.messages) {
            return BaseHead(head: try HeadRecord.decode(value, key: key.span), exists: true)
        }
        // A lost head must not be taken for a mailbox that nobody wrote to: its sequences would be
        // given out again.
        try transaction.withCursor(in: trees.messages) {
            (cursor: inout ReadCursor) throws(LMDBError) in
            let isBehind = try cursor.seek(to: key.span)
            guard isBehind ? try cursor.previous() : try cursor.last() else { return }
            if BaseKey.firstSequence(cursor.key, prefix: prefix.span) != nil {
                throw .corrupted("a mailbox has messages and no head")
            }
        }
        return .none
    }

    /// The last client sequence of a device that the data file has, 0 when it has none.
    func producerLast(
        _ prefix: [UInt8], _ device: DeviceID, _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> ClientSequence {
        let producer = BaseKey.producer(prefix, device)
        var beyond = producer
        beyond.append(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF])
        return try transaction.withCursor(in: trees.producers) {
            (cursor: inout ReadCursor) throws(LMDBError) -> ClientSequence in
            // Block 2^32 − 1 does not exist: the last block is in front of this place.
            let isBeyond = try cursor.seek(to: beyond.span)
            let found = isBeyond ? try cursor.previous() : try cursor.last()
            guard found, cursor.key.count == producer.count + 4, cursor.key.hasPrefix(producer.span)
            else { return 0 }
            let block: UInt32 = cursor.key.bigEndian(producer.count)
            let count = try BaseRecord.check(
                cursor.value, key: cursor.key, atLeast: BaseRecord.headerByteCount)
            return block * ProducerBlock.capacity + UInt32(count)
        }
    }

    /// What the data file remembers of one client sequence, nil when nothing.
    func producerRecord(
        _ prefix: [UInt8], _ producer: Producer, _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> ProducerRecord? {
        let key = BaseKey.producerBlock(
            prefix, producer.device, block: ProducerBlock.number(of: producer.clientSequence))
        guard let value = try transaction.value(for: key.span, in: trees.producers) else {
            return nil
        }
        let records = try ProducerBlock.decode(value, key: key.span)
        let place = ProducerBlock.place(of: producer.clientSequence)
        return place < records.count ? records[place] : nil
    }

    /// Whether messages of the mailbox through `sequence` were removed in this snapshot.
    func isTrimmed(
        _ prefix: [UInt8], at sequence: SequenceNumber, _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> Bool {
        try head(prefix, transaction).head.floor >= sequence
    }
}
