import ClientWire
import Mailbox
import MailboxTesting
import SwiftProtobuf

/// `SimulatedServer` behind a network on which services have trouble, and what is pushed gets lost.
final class ModelBackend: SimulatedBackend {
    private unowned let world: SimulatedWorld
    private var server: SimulatedServer

    var store: ModelStore { server.store }

    init(_ world: SimulatedWorld) {
        self.world = world
        server = SimulatedServer(clock: world.clock)
    }

    func open(_ connection: UInt64, account: String) -> Bool {
        guard !server.isDown else { return false }
        server.connections[connection] = SimulatedServer.Connection(account: account)
        return true
    }

    func lose(_ connection: UInt64) { server.connections[connection] = nil }

    func limitBodies(to bytes: Int) { server.bodyBytesMaximum = bytes }

    func arrive(_ frame: ClientFrame, _ id: UInt64) {
        if world.isTroubled, case .send = frame.content, server.connections[id]?.isWelcome == true,
            world.random.chance(3)
        {
            return world.toClient(trouble(frame, id), id)
        }
        let (sent, ended) = server.take(frame, from: id)
        for (connection, frame) in sent {
            let isPush = frame.request == 0
            if isPush, world.isTroubled {
                if world.random.chance(20) { continue }
                if world.random.chance(10) { world.toClient(frame, connection) }
                if world.random.chance(10), case .pushed(let pushed) = frame.content {
                    world.toClient(notice(pushed), connection)
                    continue
                }
            }
            // An answer that is lost is as good as a connection that does nothing any more.
            if !isPush, world.isTroubled, world.random.nextIsOneOf(300) { continue }
            world.toClient(frame, connection)
        }
        for id in ended { world.tellClosed(id, world.draw(1...50)) }
    }

    /// The services behind have trouble; what was asked for may have been done.
    private func trouble(_ frame: ClientFrame, _ id: UInt64) -> ServerFrame {
        let isDone = world.random.chance(30)
        if isDone { _ = server.take(frame, from: id) }
        return ServerFrame.with {
            $0.request = frame.request
            $0.refused = .with {
                $0.code =
                    isDone ? .unavailable : world.pick([.unavailable, .overloaded, .storageFull])
                if world.random.chance(50) {
                    $0.retryAfterMilliseconds = UInt32(world.draw(1...2_000))
                }
            }
        }
    }

    private func notice(_ pushed: Mailbox_Client_V1_Pushed) -> ServerFrame {
        .with {
            $0.notice = .with {
                guard world.random.chance(70) else { return }
                $0.sender = pushed.sender
                $0.epoch = pushed.epoch
                $0.maxSequence = pushed.message.sequence
            }
        }
    }

    func restart(restoring backup: ModelStore.Backup?) {
        for id in server.connections.keys.sorted() { world.tellClosed(id, world.draw(1...3_000)) }
        for id in server.connections.keys { server.connections[id]?.isReading = false }
        server.isDown = true
        if let backup {
            let epoch = Epoch(rawValue: UInt64(world.draw(2...Int64.max)))!
            server.store = ModelStore(restoring: backup, epoch: epoch)
            world.history.noteRestore()
        } else if world.random.chance(30) {
            // Confirmations may be lost in a crash.
            let keep = SequenceNumber(world.draw(0...50))
            server.store.modify { state in
                for mailbox in state.mailboxes.keys {
                    state.mailboxes[mailbox]?.forgetAcknowledgements(above: keep)
                }
            }
        }
        world.after(world.draw(1...5_000)) { [unowned self] in server.isDown = false }
    }
}
