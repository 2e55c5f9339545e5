/* SPDX-License-Identifier: MIT */
/*
 * Model of a broadcast: src/channel/space.c, peers.c, send.c and receive.c. A frame is one place of a ring of
 * CAP. The senders' turn is taken in one step here; lock.pml has the inside of a cell. Order is sequential
 * consistency; the fences that the code needs for that are named in its comments.
 *
 *   here                    in the code
 *   tail, floor, limit      the same; sturn: senders_turn, 0 for nobody
 *   role, cursor            of a receiver's slot; role holds the member's generation, 0 for nobody
 *   living                  the generation that lives in the slot, as its token tells
 *   number                  of a frame's word: the position will do
 *   flag_s, flag_r, rung    as in channel.pml
 *   SLOW                    BLOCK, DROP, EXPEL
 *   slowest()               shms__channel_slowest(); walk() the same; room(): wait_room() and drop_room()
 *   JOIN                    shms__channel_begin_at(); BEHIND: go_on_behind()
 *   slices                  the end of a sleep by the clock: SLICES of each at any time, and when nothing else
 *                           can happen; a run without them shows that no wake-up needs them
 *   HISTORY                 receivers join at floor, else at tail
 *   LEAVES                  a receiver may close after any message
 *
 * Mortal are all but the last sender. A receiver's slot has LIVES members, one after another.
 *
 * Shown: what a receiver takes for the message at its position is that message, whole; with BLOCK nothing is
 * missed; a reader that missed something goes forward; a reservation of a living sender is never
 * overwritten; with DROP no sender waits for a receiver; nobody sleeps for ever.
 */
#ifndef NS
#define NS 1
#endif
#ifndef NR
#define NR 1
#endif
#ifndef MSGS
#define MSGS 3 /* of each sender */
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef LIVES
#define LIVES 1
#endif
#ifndef SLICES
#define SLICES 0
#endif
#define CAP 2
#define ALL (NS * MSGS)

#define BLOCK 0
#define DROP 1
#define EXPEL 2
#ifndef SLOW
#define SLOW BLOCK
#endif
#define LOSSY (SLOW != BLOCK)

#define READY 1
#define RESERVED 2
#define SKIP 3

byte state[CAP], owner[CAP], number[CAP];
byte what[CAP]; /* the message, from 1; 0: being written */
byte tail, floor, limit, sturn;
byte role[NR], cursor[NR], living[NR];
bit flag_s, flag_r;
bit rung[NS + NR + 1];   /* its side's signal has changed since it was read */
bit sleeps[NS + NR + 1]; /* on its side's signal */
bit dead[NS + 1];

/* What only the model knows. */
byte kills, gone_senders;
byte truth[ALL + 1]; /* by position: the message that was meant to be there */

#define STEP atomic { if :: me != NS && kills < KILLS -> goto DEAD :: skip fi;

inline take(turn) { atomic { turn == 0 || dead[turn]; turn = me } }
inline give(turn) { if :: turn == me -> turn = 0 :: else fi }

/* All members from `first` to `last`: count the signal up, and wake. */
inline ring_all(first, last) {
    i = first;
    do :: i <= last -> sleeps[i] = 0; rung[i] = 1; i++ :: else -> break od;
    i = 0
}
inline tell_senders() { STEP if :: flag_s -> flag_s = 0; ring_all(1, NS) :: else fi } }
inline tell_receivers() { STEP if :: flag_r -> flag_r = 0; ring_all(NS + 1, NS + NR) :: else fi } }

/* ---- senders; the turn is held */

/* The smallest cursor from `from` on, but at most `most`: into low, and there is one: some. */
inline slowest(from, most) {
    low = most;
    some = 0;
    s = 0;
    do
    :: s < NR ->
        STEP r = role[s] }
        if
        :: r != 0 ->
            STEP at = cursor[s] }
            if
            :: at < from || at >= low
            :: else ->
                if
                :: atomic { asks && living[s] != r };
#ifndef BUG_CLEAR_BLIND
                    STEP if :: role[s] == r -> role[s] = 0 :: else fi }
#else               /* without comparing: perhaps another has joined there meanwhile */
                    STEP role[s] = 0 }
#endif
                :: else -> low = at; some = 1
                fi
            fi
        :: else
        fi;
        s++
    :: else -> break
    od;
    atomic { s = 0; r = 0; at = 0 }
}

/* From `from` on towards `to`, but over no frame that is being filled: into low. */
inline walk(from, to) {
    w = to;
    low = from;
    do
    :: low < w ->
#ifndef BUG_PAST_RESERVED
        STEP if
             :: state[low % CAP] != RESERVED -> r = 0
             :: else -> r = (asks && dead[owner[low % CAP]] -> 1 : 2)
             fi }
        if
        :: r == 2 -> some = 1; break
        :: r == 1 -> STEP if :: state[low % CAP] == RESERVED -> state[low % CAP] = SKIP :: else fi }
        :: else
        fi;
#endif
        low++
    :: else -> break
    od;
    atomic { w = 0; r = 0 }
}

inline raise_both(to) {
    STEP if :: floor < to -> floor = to :: else fi }
#ifndef BUG_LIMIT_LATE
    STEP limit = to }
#endif
}

#define IS_ENOUGH (tail + 1 <= limit + CAP)

inline room() {
    if
    :: IS_ENOUGH
    :: !IS_ENOUGH && SLOW == DROP ->
        some = 0;
        walk(limit, tail + 1 - CAP);
        if :: limit < low -> raise_both(low) :: else -> assert(some) fi
    :: !IS_ENOUGH && SLOW != DROP ->
        slowest(limit, tail);
        walk(limit, low);
        STEP if :: floor < low -> floor = low :: else fi }
#ifndef BUG_ONE_LOOK
        slowest(limit, low);
#endif
        if :: limit < low -> raise_both(low) :: else fi
    fi;
    low = 0
}

inline expel() {
    asks = 1;
    room();
    if
    :: IS_ENOUGH
    :: else ->
        slowest(limit, tail);
        if
        :: some ->
            m = low;
            slowest(m + 1, tail);
            walk(limit, low);
            if :: m < low -> raise_both(low) :: else fi;
            m = 0
        :: else
        fi
    fi;
    atomic { low = 0; asks = 0 }
}

#ifdef BUG_LIMIT_LATE /* DROP: said only when it has been overwritten */
#define ROOM_IS_THERE (IS_ENOUGH || (SLOW == DROP && tail + 1 <= floor + CAP))
#else
#define ROOM_IS_THERE IS_ENOUGH
#endif

proctype sender(byte me)
{
    byte k, m, i, s, r, at, low, w, slices;
    bit asks, some, armed, waited;

    do
    :: k < MSGS ->
TOP:
#ifdef BUG_IMPATIENT
        if
        :: armed -> STEP if :: sturn == 0 || dead[sturn] -> sturn = me :: else -> goto SLEEP fi }
        :: else -> take(sturn)
        fi;
#else
        take(sturn);
#endif
        room();
        if :: ROOM_IS_THERE -> goto WRITE :: else fi;
        STEP give(sturn) }
        asks = 0;
        if
        :: !armed ->
            STEP rung[me] = 0 }
            STEP flag_s = 1 }
            armed = 1;
            waited = 1;
            goto TOP
        :: else
        fi;
SLEEP:
        STEP sleeps[me] = !rung[me] }
        armed = 0;
        if
        :: atomic { !sleeps[me] }
        :: atomic { sleeps[me] && slices < SLICES -> slices++; sleeps[me] = 0; asks = 1 }
        :: atomic { timeout && sleeps[me] && SLICES > 0 -> sleeps[me] = 0; asks = 1 }
        :: atomic { sleeps[me] && SLOW == EXPEL -> sleeps[me] = 0 };
            take(sturn);
            expel();
            if :: ROOM_IS_THERE -> goto WRITE :: else fi;
            STEP give(sturn) }
        fi;
        goto TOP;
WRITE:
        atomic { armed = 0; asks = 0; m = (me - 1) * MSGS + k + 1 }
        STEP at = tail; truth[at] = m; what[at % CAP] = 0 }
        if
        :: STEP what[at % CAP] = m } /* send */
            STEP state[at % CAP] = READY; number[at % CAP] = at }
            STEP tail++ }
#ifdef BUG_LIMIT_LATE
            STEP limit = floor }
#endif
            STEP give(sturn) }
        :: NS > 1 -> /* reserve */
            STEP owner[at % CAP] = me }
            STEP state[at % CAP] = RESERVED; number[at % CAP] = at }
            STEP tail++ }
            STEP give(sturn) }
            STEP assert(state[at % CAP] == RESERVED && number[at % CAP] == at); what[at % CAP] = m }
            STEP assert(state[at % CAP] == RESERVED && number[at % CAP] == at);
                state[at % CAP] = READY } /* commit */
#ifndef BUG_COMMIT_SILENT
            tell_senders()
#endif
        fi;
        tell_receivers();
        if
        :: waited -> tell_senders() /* get_room(): there may be room for more than one of those that sleep */
        :: else
        fi;
        atomic { k++; at = 0; m = 0; waited = 0 }
    :: else -> break
    od;
    atomic { gone_senders++; flag_r = 0; ring_all(NS + 1, NS + NR); goto END } /* close */
DEAD:
    atomic { kills++; dead[me] = 1; gone_senders++ }
END:
    skip
}

/* ---- receivers */

#define OVERTAKEN (LOSSY && limit > pos)

proctype receiver(byte me; byte slot)
{
    byte life, pos, seen, was, v, i, o, n, slices;
    bit asks, armed, joined;

LIFE:
    atomic { life++; living[slot] = life; joined = 0; asks = 0; armed = 0 }
JOIN:
#ifdef HISTORY
    STEP pos = floor }
#else
    STEP pos = (joined -> floor : tail) }
#endif
    STEP cursor[slot] = pos }
    STEP role[slot] = life }
#ifndef BUG_NO_SECOND_LOOK
    STEP if :: pos < floor -> goto JOIN :: else fi }
#endif
    STEP seen = tail }
#ifndef BUG_JOIN_SILENT
    /* The cursor that it showed first may have held up a sender. */
    if :: SLOW != DROP -> tell_senders() :: else fi;
#endif
    if :: joined -> assert(pos > was); was = 0 :: else -> joined = 1 fi;
LOOK:
    if :: pos == seen -> STEP seen = tail } :: else fi;
    if :: pos == seen -> goto WAIT :: else fi;
    STEP i = state[pos % CAP]; n = number[pos % CAP] }
    if
    :: i == READY ->
        STEP v = what[pos % CAP] }
        STEP n = what[pos % CAP] }
#ifndef BUG_NOT_CHECKED
        STEP if :: OVERTAKEN -> goto BEHIND :: else fi }
#endif
        atomic { assert(v == truth[pos] && n == v); v = 0; n = 0; i = 0 }
    :: i == SKIP ->
        STEP if :: OVERTAKEN -> goto BEHIND :: else fi }
        atomic { n = 0; i = 0 }
    :: i == RESERVED ->
        STEP o = owner[pos % CAP] }
        STEP if :: OVERTAKEN -> goto BEHIND :: else fi }
        if
        :: asks && dead[o] ->
            STEP if
                 :: state[pos % CAP] == RESERVED && number[pos % CAP] == n -> state[pos % CAP] = SKIP
                 :: else
                 fi }
            atomic { o = 0; n = 0; i = 0 }
            goto LOOK
        :: else -> atomic { o = 0; n = 0; i = 0; goto WAIT }
        fi
    :: else -> assert(OVERTAKEN); goto BEHIND
    fi;
    STEP cursor[slot] = pos + 1; pos++ }
    atomic { asks = 0; armed = 0 }
    if :: SLOW != DROP -> tell_senders() :: else fi;
#ifdef LEAVES
    if
    :: goto END
    :: true
    fi;
#endif
    goto LOOK;
BEHIND:
    atomic { assert(LOSSY); was = pos; v = 0; n = 0; o = 0; i = 0; goto JOIN }
WAIT:
    asks = 0;
    if
    :: !armed ->
        STEP rung[me] = 0 }
        STEP flag_r = 1 }
        armed = 1;
        goto LOOK
    :: else
    fi;
    armed = 0;
    STEP sleeps[me] = !rung[me] }
    if
    :: atomic { !sleeps[me] }
    :: atomic { sleeps[me] && gone_senders == NS && pos == tail -> goto END } /* by wake or slice */
    :: atomic { sleeps[me] && slices < SLICES -> slices++; sleeps[me] = 0; asks = 1 }
    :: atomic { timeout && sleeps[me] && SLICES > 0 -> sleeps[me] = 0; asks = 1 }
    fi;
    if
    :: atomic { gone_senders == NS && pos == tail -> goto END }
    :: else
    fi;
    goto LOOK;
DEAD:
    atomic { kills++; living[slot] = 0; sleeps[me] = 0; v = 0; n = 0; o = 0; i = 0; was = 0 }
    if
    :: life < LIVES -> goto LIFE
    :: else -> goto OVER
    fi;
END:
    atomic { sleeps[me] = 0; role[slot] = 0 } /* close */
    atomic { ring_all(1, NS); living[slot] = 0 }
OVER:
    skip
}

init {
    byte n = 1;
    atomic {
        do :: n <= NS -> run sender(n); n++ :: else -> break od;
        do :: n <= NS + NR -> run receiver(n, n - NS - 1); n++ :: else -> break od
    }
}
