public import CLMDB

/// A named tree of an environment, opened in a transaction.
///
/// It is good from the end of the transaction that opened it, if that committed, until the
/// environment is closed. A handle from a transaction that was abandoned is not open: using it
/// throws `invalidArgument` or `badDatabase`.
@usableFromInline
package struct Database: Hashable, Sendable {
    @usableFromInline let handle: MDB_dbi

    @inlinable
    init(handle: MDB_dbi) {
        self.handle = handle
    }

    /// LMDB's own tree of free pages.
    static let freePages = Database(handle: 0)
}

/// The shape of one tree, from `mdb_stat`.
package struct DatabaseStatistics: Hashable, Sendable {
    /// Records.
    package let entries: Int
    /// Levels; 0 when empty.
    package let depth: Int
    /// Pages that hold keys and pointers to pages.
    package let branchPages: Int
    /// Pages that hold records.
    package let leafPages: Int
    /// Pages that hold the values which do not fit a leaf.
    package let overflowPages: Int

    init(_ statistics: MDB_stat) {
        entries = statistics.ms_entries
        depth = Int(statistics.ms_depth)
        branchPages = statistics.ms_branch_pages
        leafPages = statistics.ms_leaf_pages
        overflowPages = statistics.ms_overflow_pages
    }
}
