extension MailboxStore {
    /// Waits until nothing is under way that nobody waits for: segments made ahead, checkpoints
    /// that a threshold asked for. For tests.
    package func settle() { for shard in shards { shard.settle() } }
}

extension Shard {
    /// See `MailboxStore.settle`.
    func settle() {
        var isIdle = false
        while !isIdle {
            isIdle = control.withLock { !$0.wantsSegment && !$0.wantsCheckpoint }
            // What the checkpoint thread took just now is done before its next task.
            guard (try? onCheckpointThread {}) != nil else { return }
        }
    }
}
