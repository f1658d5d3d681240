package import Mailbox

extension Wire.Cursor {
    /// The cursor as it goes over the wire.
    package init(_ cursor: Cursor) {
        self.init()
        sequence = cursor.sequence
        epoch = cursor.epoch?.rawValue ?? 0
    }
}

extension Cursor {
    /// The cursor that came over the wire. Epoch 0 stands for none.
    ///
    /// - Throws: `invalidArgument` when it is missing.
    package init(wire: Wire.Cursor?, field: String = "cursor") throws(StoreError) {
        guard let wire else { throw .missing(field) }
        self.init(wire.sequence, epoch: Epoch(rawValue: wire.epoch))
    }
}

extension Epoch {
    /// The epoch that came over the wire, of an answer.
    ///
    /// - Throws: `invalidArgument` when it is 0: every answer of a store has an epoch.
    package init(wire: UInt64, field: String = "epoch") throws(StoreError) {
        guard let epoch = Epoch(rawValue: wire) else { throw .missing(field) }
        self = epoch
    }
}
