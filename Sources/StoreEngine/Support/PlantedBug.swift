#if PLANTED_BUGS
    internal import Glibc
#endif

/// Mistakes that a crash test must find: one that finds none proves nothing.
///
/// Only a build with the condition `PLANTED_BUGS` has them, and only `Tests/crash-test` is built
/// so; there the environment names the one that is made. In every other build `isMade` is the
/// constant false.
enum PlantedBug: String {
    /// Callers hear of their messages, and readers see them, and then the group is synced.
    case acknowledgeBeforeSync = "acknowledge-before-sync"
    /// Readers see a group that is not synced yet; callers hear of it afterwards.
    case visibleBeforeSync = "visible-before-sync"
    /// A checkpoint writes the log's position first, and then what it says is there.
    case positionBeforeData = "position-before-data"
    /// Frames of an earlier generation count.
    case framesWithoutGeneration = "frames-without-generation"
    /// New names are not made durable.
    case noDirectorySync = "no-directory-sync"
    /// A journal's sync that failed counts as done.
    case syncErrorIgnored = "sync-error-ignored"
    /// A checkpoint that the replay of the journal needs gives segments back, and the end of the
    /// replay holds them for needed still: they are used by two.
    case truncateWhileReplaying = "truncate-while-replaying"
    /// The replay removes segments, and then the checkpoint writes what they had.
    case truncateBeforeReplayed = "truncate-before-replayed"
    /// What the page cache shows after a sync that failed counts as durable.
    case pageCacheBelieved = "page-cache-believed"

    #if PLANTED_BUGS
        private static let made: PlantedBug? = unsafe getenv("MAILBOX_PLANTED_BUG")
            .flatMap { unsafe PlantedBug(rawValue: String(cString: $0)) }

        var isMade: Bool { self == Self.made }
    #else
        var isMade: Bool {
            @inline(__always) get { false }
        }
    #endif
}
