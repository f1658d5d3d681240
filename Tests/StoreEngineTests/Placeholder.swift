import Foundation
import Mailbox
import Testing

@testable import StoreEngine

@Test func smoke() throws {
    let path = NSTemporaryDirectory() + "smoke-\(UInt64.random(in: 0 ... .max))"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var configuration = StoreConfiguration()
    configuration.journalSegmentBytes = 1 << 20
    let mailbox = try MailboxID(sender: "a", receiver: "b")
    do {
        let store = try MailboxStore.open(at: path, configuration: configuration)
        for i in 1...200 {
            let r = try store.blocking.append(Append(mailbox, text: "m\(i)"))
            #expect(r.sequence == UInt32(i))
        }
        let a = try store.fetch(mailbox, cursor: Cursor(100, epoch: store.epoch))
        #expect(a.messages.map(\.sequence) == Array(101...200))
        try store.blocking.checkpoint()
        let b = try store.fetch(mailbox, cursor: Cursor(150, epoch: store.epoch))
        #expect(b.messages.map(\.sequence) == Array(151...200))
        for i in 201...250 { _ = try store.blocking.append(Append(mailbox, text: "m\(i)")) }
        let c = try store.fetch(mailbox, cursor: Cursor(120, epoch: store.epoch))
        #expect(c.messages.map(\.sequence) == Array(151...250))
        print(try store.statistics())
        store.abandon()
    }
    let store = try MailboxStore.open(at: path, configuration: configuration)
    let c = try store.fetch(mailbox, cursor: Cursor(120, epoch: store.epoch))
    #expect(c.messages.map(\.sequence) == Array(151...250))
    print(try store.statistics())
    try store.close()
}
