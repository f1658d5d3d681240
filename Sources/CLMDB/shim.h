#include <lmdb.h>
#include <stddef.h>

/* How LMDB 0.9's `struct MDB_cursor` (mdb.c) begins. */
struct mailbox_cursor {
    MDB_cursor *next, *backup;
    void *sub_cursor;
    MDB_txn *txn;
    MDB_dbi dbi;
    void *db, *db_auxiliary;
    unsigned char *db_flag;
    unsigned short depth, top;
    unsigned int flags;
    const void *pages[32];
};

/* The page of the record that a cursor stands on, which no call of LMDB's tells. NULL when what
   calls do tell of the cursor is not found where it should be: then this is another LMDB. */
static inline const void *mailbox_cursor_page(MDB_cursor *cursor) {
    const struct mailbox_cursor *inner = (const struct mailbox_cursor *)cursor;
    if (inner->txn != mdb_cursor_txn(cursor) || inner->dbi != mdb_cursor_dbi(cursor))
        return NULL;
    if (inner->depth < 1 || inner->depth > 32 || inner->top != inner->depth - 1)
        return NULL;
    return inner->pages[inner->top];
}
