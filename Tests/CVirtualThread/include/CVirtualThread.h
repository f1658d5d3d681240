#ifndef C_VIRTUAL_THREAD_H
#define C_VIRTUAL_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Makes the calling thread virtual: what code on it is told of the clocks, the random numbers that
/// it draws, and the timers that Swift's concurrency sets there are its owner's. Other threads
/// notice nothing.
///
/// It works because the executable's definitions of `clock_gettime`, `syscall` and
/// `dispatch_after_f` come before those of the libraries. `owner` is kept, not retained.
void virtual_thread_enter(void *_Nonnull owner, uint64_t seed);

/// Makes the calling thread a real one again.
void virtual_thread_leave(void);

/// The owner that the calling thread was entered with; NULL on a real thread.
void *_Nullable virtual_thread_owner(void);

/// Sets the calling thread's clocks: nanoseconds since it was entered.
void virtual_thread_set_clock(int64_t nanoseconds);

/// How far the clock of the day is ahead, in milliseconds since 1970, at the entry.
#define VIRTUAL_THREAD_EPOCH_MILLISECONDS 1750000000000LL

/// What a timer does when its time has come.
typedef void (*virtual_thread_work)(void *_Nullable context);

/// Called on a virtual thread when a timer is set there; `nanoseconds` since the entry.
typedef void (*virtual_thread_timer)(
    void *_Nonnull owner, int64_t nanoseconds, void *_Nullable context,
    virtual_thread_work _Nonnull work);

/// Says who hears of timers. Before the first thread is entered.
void virtual_thread_on_timer(virtual_thread_timer _Nonnull handler);

#endif
