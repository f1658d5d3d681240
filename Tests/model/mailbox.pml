/* One mailbox: devices of the sender, the store, two devices of the receiver. See docs/MODEL.md.
 *
 * Bounds, each given with -D:
 *   SENDERS    devices of the sender
 *   MESSAGES   what each of them sends, numbered from 1
 *   CRASHES    how often the store may stop dead
 *   LOSSES     messages of the network that may be lost
 *   REPEATS    messages that may be sent again although nothing was lost
 * Planted mistakes: one of the names behind #ifdef below.
 */

#define ALL (SENDERS * MESSAGES)
#define RECEIVERS 2

/* What a message is: device 0 sends 1 ... MESSAGES, device 1 what comes behind. 0 is none. */
#define identity(device, number) ((device) * MESSAGES + (number))
#define deviceOf(message) (((message) - 1) / MESSAGES)
#define numberOf(message) (((message) - 1) % MESSAGES + 1)

#define higher(a, b) ((a) > (b) -> (a) : (b))

byte step, other;               /* counters within atomic steps, else 0 */

/* ---- The network. A request and its answer may be lost, repeated, and overtake each other. */
chan append[SENDERS] = [2] of { byte };         /* a client sequence; 0 asks for the send state */
chan accepted[SENDERS] = [2] of { byte };       /* everything through this client sequence */
chan fetch[RECEIVERS] = [2] of { byte };        /* a cursor */
chan page[RECEIVERS] = [2] of { byte, byte };   /* a sequence and its message, or 0, 0 */
byte lossesLeft = LOSSES;
byte repeatsLeft = REPEATS;

/* Takes one of at most two messages that are under way, any of them. What is under way has no
 * order: the lowest is kept in front, so that one set is one state. */
inline take(channel, value) {
    if
    :: channel ? value
    :: len(channel) == 2 ->
        channel ? other;
        channel ? value;
        channel ! other;
        other = 0
    fi
}
inline takePage(me, first, second) {
    if
    :: page[me] ? first, second
    :: len(page[me]) == 2 ->
        page[me] ? other, step;
        page[me] ? first, second;
        page[me] ! other, step;
        other = 0;
        step = 0
    fi
}

/* ---- The store: what survives a crash ... */
byte log[ALL + 2];              /* the message with each sequence; 0 when it was removed */
byte durable;                   /* every sequence through it is synced */
byte durableLast[SENDERS];      /* the producers' watermarks in that */
byte durableAcknowledged;
byte floor;

/* ... and what is memory alone. */
byte max;                       /* the newest sequence given out */
byte visible;                   /* the newest that a reader may see */
byte last[SENDERS];             /* the newest client sequence taken */
byte owed[SENDERS];             /* the newest client sequence that wants an answer */
bool isAsked[SENDERS];          /* somebody wants to know the send state */
byte acknowledged;
byte groupMax;                  /* what the group under way will have made durable */
byte groupAcknowledged;
byte groupLast[SENDERS];
bit isWriting;
byte crashesLeft = CRASHES;

/* ---- What the devices have on their own disks. */
byte confirmed[SENDERS];        /* what this device was told is accepted */
byte cursor[RECEIVERS];
byte held[RECEIVERS * (ALL + 2)];       /* device and sequence: which message */
#define holds(receiver, sequence) held[(receiver) * (ALL + 2) + (sequence)]

/* ---- For the properties alone. */
byte seen[ALL + 2];             /* the message that somebody once saw under a sequence */
byte newest[RECEIVERS * SENDERS];       /* the newest client sequence that each device holds */

#define isDelivered(message) isHeld[message]
bool isHeld[ALL + 1];           /* by one of the receiver's devices */
#if SENDERS * MESSAGES == 1
#define everythingHeld (isHeld[1])
#elif SENDERS * MESSAGES == 2
#define everythingHeld (isHeld[1] && isHeld[2])
#elif SENDERS * MESSAGES == 3
#define everythingHeld (isHeld[1] && isHeld[2] && isHeld[3])
#else
#define everythingHeld (isHeld[1] && isHeld[2] && isHeld[3] && isHeld[4])
#endif
#if SENDERS == 1
#define everythingConfirmed (confirmed[0] == MESSAGES)
#else
#define everythingConfirmed (confirmed[0] == MESSAGES && confirmed[1] == MESSAGES)
#endif

/* Everything that a sender was told is accepted is durable in the store, or with the receiver. */
inline expectNoLoss() {
    step = 1;
    do
    :: step <= ALL ->
        if
        :: numberOf(step) <= confirmed[deviceOf(step)] && !isHeld[step] ->
            other = floor + 1;
            do
            :: other <= durable && log[other] != step -> other++
            :: else -> break
            od;
            assert(other <= durable)
        :: else
        fi;
        step++
    :: else -> break
    od;
    step = 0;
    other = 0
}

/* Every sequence that counts as acknowledged is with one of the receiver's devices. */
inline expectNoFalseAcknowledgement() {
    step = 1;
    do
    :: step <= acknowledged ->
        assert(holds(0, step) != 0 || holds(1, step) != 0);
        step++
    :: else -> break
    od;
    step = 0;
    assert(floor <= acknowledged && floor <= durableAcknowledged && acknowledged <= visible)
}

/* ---- A device of the sender. Its outbox is on its disk; it sends at most two at a time, in
 * order, and again what is not confirmed when nothing more can come. */
proctype Sender(byte me) {
    byte next = 1;
    byte through;
end:
    do
    :: atomic { nempty(accepted[me]) ->
        take(accepted[me], through);
        confirmed[me] = higher(confirmed[me], through);
        next = higher(next, confirmed[me] + 1);
        through = 0;
        expectNoLoss()
       }
    :: atomic { empty(accepted[me]) && next <= MESSAGES && next <= confirmed[me] + 2 &&
            nfull(append[me]) ->
        append[me] !! next;
        next++
       }
#ifndef NEVER_SENT_AGAIN
    :: atomic { confirmed[me] < next - 1 && empty(append[me]) && empty(accepted[me]) &&
            owed[me] == 0 && !isAsked[me] ->
        next = confirmed[me] + 1;
        if
        :: append[me] !! next; next++
        :: append[me] !! 0
        fi
       }
#endif
    :: atomic { repeatsLeft > 0 && confirmed[me] < MESSAGES && next > confirmed[me] + 1 &&
            nfull(append[me]) ->
        repeatsLeft--;
        append[me] !! confirmed[me] + 1
       }
    od
}

/* ---- A device of the receiver. Message and cursor go to its disk in one transaction; only then
 * does it ask with the new cursor. */
proctype Receiver(byte me) {
    byte sequence, message;
end:
    do
    :: atomic { nempty(page[me]) ->
        takePage(me, sequence, message);
        if
#ifdef CURSOR_GOES_BACK
        :: sequence > 0 ->
#else
        :: sequence > cursor[me] ->
#endif
            assert(sequence > cursor[me] && holds(me, sequence) == 0);
            assert(seen[sequence] == 0 || seen[sequence] == message);
            assert(numberOf(message) > newest[me * SENDERS + deviceOf(message)]);
#ifdef CURSOR_BEFORE_MESSAGE
            if
            :: crashesLeft > 0 ->       /* this device stops between the two */
                crashesLeft--;
                cursor[me] = sequence;
                goto forgotten
            :: true
            fi;
#endif
            newest[me * SENDERS + deviceOf(message)] = numberOf(message);
            holds(me, sequence) = message;
            seen[sequence] = message;
            isHeld[message] = true;
            cursor[me] = sequence
        :: else
        fi;
#ifdef CURSOR_BEFORE_MESSAGE
forgotten:
#endif
        sequence = 0;
        message = 0
       }
    /* A watch tells when there is something to fetch; and what was stored is confirmed. */
    :: atomic { empty(page[me]) && empty(fetch[me]) &&
            (acknowledged < visible || acknowledged < cursor[me]) ->
        fetch[me] !! cursor[me]
       }
    :: atomic { repeatsLeft > 0 && nfull(fetch[me]) && (nempty(page[me]) || nempty(fetch[me])) ->
        repeatsLeft--;
        fetch[me] !! cursor[me]
       }
    od
}

/* ---- The store takes appends: into memory, where nobody sees them yet. */
proctype Append(byte device) {
    byte number;
end:
    do
    :: atomic { nempty(append[device]) ->
        take(append[device], number);
        if
        :: number == 0 -> isAsked[device] = true
#ifdef REPEATS_ARE_STORED
        :: number > 0 && number <= last[device] && max < ALL + 1 ->
            max++;
            log[max] = identity(device, number);
            owed[device] = higher(owed[device], number)
#else
        :: number > 0 && number <= last[device] -> owed[device] = higher(owed[device], number)
#endif
#ifdef GAPS_ARE_TAKEN
        :: number > last[device] ->
#else
        :: number == last[device] + 1 ->
#endif
            max++;
            log[max] = identity(device, number);
            last[device] = number;
            owed[device] = higher(owed[device], number)
        :: else         /* a gap is refused, and the device sends what is missing */
        fi;
        number = 0
       }
    od
}

#ifdef ANSWERED_BEFORE_DURABLE
#define known(device) last[device]
#else
#define known(device) durableLast[device]
#endif
#ifdef STATE_BEFORE_DURABLE
#define state(device) last[device]
#else
#define state(device) durableLast[device]
#endif

/* ---- Answers go out when what they say is durable. */
proctype Answer(byte device) {
end:
    do
    :: atomic { owed[device] > 0 && owed[device] <= known(device) && nfull(accepted[device]) ->
        accepted[device] !! owed[device];
        owed[device] = 0
       }
    :: atomic { isAsked[device] && nfull(accepted[device]) ->
        accepted[device] !! state(device);
        isAsked[device] = false
       }
    od
}

/* ---- The journal: write; then sync and publish. A crash may come before, between and behind; an
 * answer, which may get lost, is a step of its own. */
proctype Commit() {
end:
    do
    :: atomic { !isWriting && max > durable ->
        groupMax = max;
        groupAcknowledged = acknowledged;
        for (step : 0 .. SENDERS - 1) { groupLast[step] = last[step] }
        step = 0;
#ifdef VISIBLE_BEFORE_DURABLE
        visible = groupMax;
#endif
        isWriting = 1
       }
    :: atomic { isWriting ->
        durable = groupMax;
        durableAcknowledged = higher(durableAcknowledged, groupAcknowledged);
        visible = groupMax;
        for (step : 0 .. SENDERS - 1) {
            durableLast[step] = groupLast[step];
            groupLast[step] = 0
        }
        step = 0;
        groupMax = 0;
        groupAcknowledged = 0;
        isWriting = 0
       }
    od
}

/* ---- Reading is confirming the last read. */
proctype Fetch(byte receiver) {
    byte from;
end:
    do
    :: atomic { nfull(page[receiver]) && nempty(fetch[receiver]) ->
        take(fetch[receiver], from);
        assert(from <= visible);        /* no cursor is ever ahead of the store */
#ifdef ACKNOWLEDGED_GOES_BACK
        acknowledged = from;
#else
        acknowledged = higher(acknowledged, from);
#endif
#ifdef SENDING_IS_CONFIRMING
        acknowledged = (acknowledged < visible -> acknowledged + 1 : acknowledged);
        from = acknowledged - 1;
#else
        from = acknowledged;
#endif
        expectNoFalseAcknowledgement();
        if
        :: from < visible ->
            assert(log[from + 1] != 0);
            page[receiver] !! from + 1, log[from + 1]
        :: else -> page[receiver] !! 0, 0
        fi;
        from = 0
       }
    od
}

/* ---- A checkpoint makes acknowledgements durable; compaction removes what they allow. */
proctype Checkpoint() {
end:
    do
    :: atomic { acknowledged > durableAcknowledged -> durableAcknowledged = acknowledged }
    od
}

#ifdef COMPACTED_ABOVE_ACKNOWLEDGED
#define removable visible
#else
#ifdef COMPACTED_BEFORE_DURABLE
#define removable acknowledged
#else
#define removable durableAcknowledged
#endif
#endif
proctype Compaction() {
end:
    do
    :: atomic { floor < removable ->
        do
        :: floor < removable ->
            floor++;
            log[floor] = 0
        :: else -> break
        od;
        expectNoLoss()
       }
    od
}

/* ---- What may happen to store and network. */
proctype Crash() {
end:
    do
    :: atomic { crashesLeft > 0 ->
        crashesLeft--;
        /* Of what was written and not synced, the disk may have any beginning. */
        do
        :: durable < groupMax ->
            durable++;
            durableLast[deviceOf(log[durable])] = numberOf(log[durable])
        :: break
        od;
        step = durable + 1;
        do
        :: step <= max -> log[step] = 0; step++
        :: else -> break
        od;
        /* Likewise of the acknowledgements that the group carried. */
        if
        :: groupAcknowledged > durableAcknowledged -> durableAcknowledged = groupAcknowledged
        :: true
        fi;
        acknowledged = durableAcknowledged;
        max = durable;
        visible = durable;
        for (step : 0 .. SENDERS - 1) {
            last[step] = durableLast[step];
            owed[step] = 0;
            isAsked[step] = false;
            groupLast[step] = 0
        }
        groupMax = 0;
        groupAcknowledged = 0;
        isWriting = 0;
        expectNoLoss();
        expectNoFalseAcknowledgement()
       }
    od
}

inline lose(channel) { atomic { lossesLeft > 0 && nempty(channel) -> channel ? step; forget() } }
inline losePage(me) {
    atomic { lossesLeft > 0 && nempty(page[me]) -> page[me] ? step, other; forget() }
}
inline forget() {
    lossesLeft--;
    step = 0;
    other = 0
}

proctype Network() {
end:
    do
    :: lose(append[0])
    :: lose(accepted[0])
#if SENDERS > 1
    :: lose(append[1])
    :: lose(accepted[1])
#endif
    :: lose(fetch[0])
    :: lose(fetch[1])
    :: losePage(0)
    :: losePage(1)
    od
}

init {
    atomic {
        for (step : 0 .. SENDERS - 1) {
            run Sender(step);
            run Append(step);
            run Answer(step)
        }
        for (step : 0 .. RECEIVERS - 1) {
            run Receiver(step);
            run Fetch(step)
        }
        step = 0;
        run Commit();
        run Checkpoint();
        run Compaction();
        run Crash();
        run Network()
    }
}

ltl delivered { <> (everythingHeld && everythingConfirmed) }
