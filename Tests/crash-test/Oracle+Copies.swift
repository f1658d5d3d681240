import Glibc
import Mailbox
import StoreEngine

extension Oracle {
    /// Looks at backups and restored stores in a directory, now and then: that takes as long as a
    /// store.
    func checkCopies(
        _ root: String, _ history: History, _ random: inout SeededRandom
    ) throws(Failure) {
        for (number, backup) in history.backups {
            if backup.isMade, random.chance(backup.isRestored ? 3 : 10) {
                try checkBackup("\(root)/backup-\(number)", backup, history, scratch: root)
            }
            guard backup.isBeingRestored || backup.isRestored, random.chance(20) else { continue }
            try checkRestored("\(root)/restored-\(number)", backup, history)
        }
    }

    /// Looks at each of them.
    func checkAllCopies(_ root: String, _ history: History) throws(Failure) {
        for (number, backup) in history.backups {
            if backup.isMade {
                try checkBackup("\(root)/backup-\(number)", backup, history, scratch: root)
            }
            guard backup.isBeingRestored || backup.isRestored else { continue }
            try checkRestored("\(root)/restored-\(number)", backup, history)
        }
    }

    private func checkBackup(
        _ path: String, _ backup: History.OfBackup, _ history: History, scratch root: String
    ) throws(Failure) {
        let target = "\(root)/restored-for-a-look"
        try Files.remove(target)
        do throws(StoreError) {
            try MailboxStore.restore(
                from: path, to: target, configuration: Self.configuration())
        } catch {
            throw Failure("\(path) is not restored: \(error.code): \(error.message)")
        }
        try checkCopy(target, backup, history, "the restored backup")
        try Files.remove(target)
    }

    /// A restore that was cut off is either not there at all, or whole, or refused: never an empty
    /// store in its place.
    private func checkRestored(
        _ path: String, _ backup: History.OfBackup, _ history: History
    ) throws(Failure) {
        if !backup.isRestored {
            let names = try Files.list(path).map(\.name)
            if !names.contains("STORE") {
                guard names.contains(where: { $0.hasPrefix("shard-") }) else { return }
                if let store = try? MailboxStore.open(
                    at: path, configuration: Self.configuration())
                {
                    store.abandon()
                    throw Failure("an empty store in the place of one that was being restored")
                }
                return
            }
        }
        try checkCopy(path, backup, history, "the restored store")
    }

    private func checkCopy(
        _ path: String, _ backup: History.OfBackup, _ history: History, _ what: String
    ) throws(Failure) {
        do throws(Failure) {
            let store: MailboxStore
            do throws(StoreError) {
                store = try MailboxStore.open(at: path, configuration: Self.configuration())
            } catch {
                throw Failure("does not open: \(error.code): \(error.message)")
            }
            defer { store.abandon() }
            try check(store, backup.begun, history)
        } catch {
            throw Failure("\(what): \(error)")
        }
    }
}
