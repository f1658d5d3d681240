package import Mailbox

extension Wire.Producer {
    /// The producer as it goes over the wire.
    package init(_ producer: Producer) {
        self.init()
        device = producer.device.description
        clientSequence = producer.clientSequence
    }
}

extension Producer {
    /// The producer that came over the wire. A client sequence of 0 is the store's to refuse.
    ///
    /// - Throws: `invalidArgument` when the device is none.
    package init(wire: Wire.Producer, field: String = "producer") throws(StoreError) {
        self.init(
            device: try DeviceID(wire: wire.device, field: "\(field).device"),
            clientSequence: wire.clientSequence)
    }
}

extension DeviceID {
    /// The device that came over the wire.
    ///
    /// - Throws: `invalidArgument` when it is none.
    package init(wire: String, field: String = "device") throws(StoreError) {
        self = try inField(field) { () throws(StoreError) in try DeviceID(wire) }
    }
}
