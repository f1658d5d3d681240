/// Every setting of the peers that was tried, so that the shortlist can be checked on another
/// machine.
struct PeerSurvey {
    let scale: Scale
    let scratch: Scratch
    let seed: UInt64

    private static let lmdb = [
        LMDBPeer(batch: 1, sorted: false), LMDBPeer(batch: 1_024, sorted: false),
        LMDBPeer(batch: 1_024), LMDBPeer(batch: 1_024, preallocatedMebibytes: 1_024),
        LMDBPeer(batch: 4_096),
    ]

    func run() throws -> Section {
        let workload = try Workload.random(
            mailboxes: scale.mailboxes, messages: scale.bulkMessages, seed: seed,
            secondsMaximum: scale.secondsMaximum)
        var section = Section("Peers alone, one run each")
        for group in [1, 256, 1_024, 4_096] {
            let value = try bareDiskRate(group: group, scale: scale, scratch: scratch)
            section.row("bare disk", "pwrite + fdatasync per \(group), 128 B each", rate(value))
        }
        // One append a transaction is so slow that its warm-up alone would take minutes.
        let short = workload.shortened(to: 0)
        for peer in Self.lmdb where peer.batch > 1 || short.stream.count < 10_000 {
            try measure(peer, workload, &section)
        }
        for peer in RocksDBPeer.survey { try measure(peer, workload, &section) }
        section.note(
            "A run that needs longer than \(fixed(scale.secondsMaximum, 0)) s stops early.")
        return section
    }

    private func measure(
        _ peer: some Contestant, _ workload: Workload, _ section: inout Section
    ) throws {
        let value = try scratch.with("peers") { try peer.append(workload, in: $0) }
        progress("\(peer.name), \(peer.settings): \(outcomes([value]))")
        section.row(peer.name, peer.settings, outcomes([value]))
    }
}
