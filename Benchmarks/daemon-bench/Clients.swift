import Mailbox
import StoreAPI

/// Connected clients: each has a connection of its own, made a call, and stays until standard input
/// ends.
struct Clients {
    let target: StoreClientConfiguration.Target
    let count: Int

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var clients: [StoreClient] = []
            for number in 0..<count {
                let client = try StoreClient(StoreClientConfiguration(target))
                group.addTask { try await client.run() }
                let mailbox = try MailboxID(sender: "client\(number)", receiver: "everybody")
                _ = try await client.append(Append(mailbox, text: "here"))
                clients.append(client)
            }
            print("clients: \(clients.count)")
            // Whoever started this reads a pipe.
            fflushStandardOutput()
            while readLine() != nil {}
            for client in clients { client.close() }
            try await group.waitForAll()
        }
    }
}

#if canImport(Glibc)
    import Glibc

    private func fflushStandardOutput() { fflush(nil) }
#else
    import Darwin

    private func fflushStandardOutput() { fflush(nil) }
#endif
