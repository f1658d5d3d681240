internal import Logging
internal import Mailbox
internal import StoreAPI
internal import Synchronization

/// What was lost is found again: from the heads, or from what was pushed lately.
extension PushHub {
    /// Accounts were online when their instance attached, or pushes for them were lost: what was
    /// stored meanwhile was pushed by nobody, perhaps.
    func lookFor(_ accounts: Set<Address>) { unsure.add(accounts) }

    /// Pushes were lost, nobody knows whose.
    func lookForEverybody() {
        unsure.add(presence.withLock { $0.table.onlineAccounts })
        lost.ring()
    }

    /// An account came online. What was pushed while that was on its way here reached nobody.
    func lookForNewcomer(_ account: Address) { newcomers.add(account) }

    func lookAtNewcomers() async {
        while let account = await newcomers.next() {
            let (deliveries, pushes) = presence.withLock { presence in
                (presence.table.deliveries(to: account), presence.recent.notices(to: account))
            }
            if let pushes {
                deliver(pushes, by: deliveries)
            } else {
                unsure.add(account)
            }
        }
    }

    func lookAtUnsure() async {
        while let account = await unsure.next() {
            guard presence.withLock({ $0.table.isOnline(account) }) else { continue }
            do throws(StoreError) {
                try await announce(account)
            } catch {
                logger.warning(
                    "what waits for a device could not be looked up; trying again",
                    metadata: ["code": "\(error.code)"])
                lookAgain(account)
            }
        }
    }

    private func lookAgain(_ account: Address) {
        Task { [weak self] in
            try? await Task.sleep(for: .seconds(1))
            self?.unsure.add(account)
        }
    }

    /// Tells an account's sessions which of its mailboxes have something unconfirmed.
    private func announce(_ account: Address) async throws(StoreError) {
        let epoch = try await receiver.epoch
        var after: Address?
        repeat {
            let page = try await receiver.inbox(account, after: after, limit: 1_000)
            let notices = page.entries.filter { $0.head.waitingCount > 0 }.map { entry in
                Push(
                    mailbox: MailboxID(sender: entry.sender, receiver: account), epoch: epoch,
                    content: .notice(max: entry.head.max))
            }
            deliver(notices, by: presence.withLock { $0.table.deliveries(to: account) })
            after = page.next
        } while after != nil
    }

    /// Looks at what registered devices are owed: once after the start, and again when it is not
    /// known any more.
    func recover() async {
        guard !services.isEmpty else { return }
        await lost.wait(until: .now + configuration.recoveryDelay)
        while !Task.isCancelled {
            await lookAtRegistry()
            guard (try? await Task.sleep(for: configuration.lookAgainDelay)) != nil else { return }
            await lost.wait(until: nil)
        }
    }

    /// Owes a notification to every registered device, once; those that have nothing unconfirmed
    /// turn out to need none.
    private func lookAtRegistry() async {
        var after: Address?
        var count = 0
        while !Task.isCancelled {
            do throws(StoreError) {
                let accounts = try await registry.accounts(after: after, limit: 256)
                guard let last = accounts.last else { break }
                for registration in try await registry.registrations(of: accounts) {
                    // Beside what comes in: half of the room at most. For each one: those that
                    // found no room would be the same ones the next time.
                    while notifier.owedCount > configuration.owedMaximum / 2 {
                        guard (try? await Task.sleep(for: .milliseconds(100))) != nil
                        else { return }
                    }
                    owe(registration, nil, delay: .zero)
                    count += 1
                }
                after = last
            } catch {
                logger.error(
                    "registrations could not be read; trying again",
                    metadata: ["code": "\(error.code)"])
                try? await Task.sleep(for: .seconds(1))
            }
        }
        logger.info("looked for what is owed", metadata: ["devices": "\(count)"])
    }
}
