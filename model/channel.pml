/* SPDX-License-Identifier: MIT */
/*
 * Model of a queue with several senders and receivers: src/channel/send.c, claim.c and wait.c. A frame is one
 * place of a ring of CAP; all messages are as long. The turns are taken in one step here; lock.pml has the
 * inside of a cell. Order is sequential consistency. (That a publisher's store may still wait in its processor
 * while it reads the sleepers' flag is not here: slices bound what that costs.)
 *
 *   here                    in the code
 *   tail, next, head        the same
 *   sturn, rturn            senders_turn, receivers_turn: who holds it, 0 for nobody
 *   flag_s, flag_r          asleep_senders, asleep_receivers
 *   rung                    signal_senders, signal_receivers are another than this one has read
 *   WRITE, PUBLISH          append(), publish(); RESERVE: mark_reserved(); COMMIT: settle()
 *   CLAIM                   claim_once(): find_next(), find_orphan(), mark(); `asks`: the same
 *   ADVANCE                 advance_head()
 *   RELEASE                 shms__claim_release()
 *   PASS_ON                 pass_on()
 *   slices                  the end of a sleep by the clock: only when nothing else can happen, so a run
 *                           without them shows that no wake-up needs them
 *   LEAVES                  any receiver may stop receiving: what it released must be free by then
 *   LAZY                    a receiver that works on its message for long: the others get the next ones
 *
 * Mortal are all but the last sender and the last receiver; they may die before any step.
 *
 * Shown: nobody sleeps for ever; no message that was sent is lost; none is delivered twice, but where its
 * receiver died; none is half-written; none is overwritten while it is used; head comes to tail.
 */
#ifndef NS
#define NS 1
#endif
#ifndef NR
#define NR 2
#endif
#ifndef MSGS
#define MSGS 3 /* of each sender */
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef SLICES
#define SLICES 0
#endif
#define CAP 2
#define ALL (NS * MSGS)
/* The last message of each needs the whole ring, as if it were as long, and is shortened then. */
#define NEED (k == MSGS - 1 -> CAP : 1)

#define READY 1
#define RESERVED 2
#define SKIP 3
#define CLAIMED 4
#define DONE 5

byte state[CAP], owner[CAP], what[CAP]; /* what: the message's number, from 1; 0: being written */
byte tail, next, head, sturn, rturn;
bit flag_s, flag_r;
bit rung[NS + NR + 1];   /* its side's signal has changed since it was read */
bit sleeps[NS + NR + 1]; /* on its side's signal */
bit dead[NS + NR + 1];
byte gone_senders;

/* What only the model knows. */
byte kills;
#ifdef LEAVES
bit over;
#endif
bit sent[ALL + 1], got[ALL + 1];
byte by[ALL + 1]; /* who got it */

#define IS_SENDER(p) (p <= NS)
#define IS_MORTAL(p) (p != NS && p != NS + NR)
#define STEP atomic { if :: IS_MORTAL(me) && kills < KILLS -> goto DEAD :: skip fi;

inline take(turn) { atomic { turn == 0 || dead[turn]; turn = me } }
inline give(turn) { if :: turn == me -> turn = 0 :: else fi }

/* All members from `first` to `last`: count the signal up, and wake. */
inline ring_all(first, last) {
    i = first;
    do :: i <= last -> sleeps[i] = 0; rung[i] = 1; i++ :: else -> break od;
    i = 0
}

/* After a store of head; all that sleep. */
inline tell_senders() {
    STEP if :: flag_s -> flag_s = 0; ring_all(1, NS) :: else fi }
}

/* One of them: any, and perhaps a dead one. */
inline wake_receiver() {
    flag_r = 0;
    rung[NS + 1] = 1; rung[NS + NR] = 1;
    if
    :: sleeps[NS + 1] -> sleeps[NS + 1] = 0
    :: sleeps[NS + NR] -> sleeps[NS + NR] = 0
    :: else
    fi
}
inline tell_receivers() {
    STEP if :: flag_r -> wake_receiver() :: else fi }
}

/* The turn is held. */
inline advance() {
    do
    :: true ->
        q = head;
        do /* walk_head() */
        :: STEP if :: q != next && (state[q % CAP] == DONE || state[q % CAP] == SKIP) -> q++; i = 1
                   :: else -> i = 0 fi }
            if :: i == 0 -> break :: else fi
        od;
        if :: q == head -> break :: else fi;
        STEP head = q }
#ifdef BUG_NO_SECOND_LOOK /* the frame that head comes to is not looked at again */
        break
#endif
    od;
    q = 0
}

proctype sender(byte me)
{
    byte k, m, i, q, at, slices;
    bit asks, waited;

    do
    :: k < MSGS ->
        m = (me - 1) * MSGS + k + 1;
        take(sturn);
ROOM:
        STEP if :: tail - head + NEED <= CAP -> goto WRITE :: else fi }
        STEP give(sturn) }
        /* wait.c */
        STEP rung[me] = 0 }
#ifndef BUG_FLAG_LATE
        STEP flag_s = 1 }
#endif
        waited = 1;
        STEP if
             :: sturn == 0 || dead[sturn] ->
                 if :: tail - head + NEED <= CAP -> sturn = me; goto WRITE :: else fi
             :: else -> i = 1
             fi }
#ifndef BUG_IMPATIENT
        if
        :: i -> /* the holder may have told of nothing: look once with the turn */
            i = 0;
            take(sturn);
            STEP if :: tail - head + NEED <= CAP -> goto WRITE :: else -> give(sturn) fi }
        :: else
        fi;
#endif
#ifdef BUG_FLAG_LATE
        STEP flag_s = 1; rung[me] = 0 }
#endif
        STEP sleeps[me] = !rung[me] }
        if
        :: atomic { !sleeps[me] }
        :: atomic { timeout && sleeps[me] && slices < SLICES -> slices++; sleeps[me] = 0; asks = 1 }
#ifdef LEAVES
        :: atomic { over -> sleeps[me] = 0; goto END }
#endif
        fi;
        if
        :: asks -> /* shms__claim_tidy() */
            asks = 0;
            if
            :: atomic { rturn == 0 || dead[rturn] -> rturn = me };
                advance();
                STEP give(rturn); wake_receiver() }
            :: else
            fi
        :: else
        fi;
        take(sturn);
        goto ROOM;
WRITE:
        STEP at = tail % CAP; what[at] = 0; assert(tail - head + NEED <= CAP) }
        if
        :: STEP what[at] = m } /* send */
            STEP state[at] = READY }
            STEP tail++; sent[m] = 1 } /* PUBLISH */
            STEP give(sturn) }
#ifndef BUG_OWNER_LATE
        :: STEP owner[at] = me } /* RESERVE */
            STEP state[at] = RESERVED }
            STEP tail++ }
#else   /* others see the frame before it names its owner */
        :: STEP state[at] = RESERVED; owner[at] = 0 }
            STEP tail++ }
            STEP owner[at] = me }
#endif
            STEP give(sturn) }
            tell_receivers();
            STEP assert(state[at] == RESERVED && owner[at] == me); what[at] = m }
            STEP state[at] = READY; sent[m] = 1 } /* COMMIT */
        fi;
        tell_receivers();
        if
        :: waited -> tell_senders() /* get_room(): there may be room for more than one of those that sleep */
        :: else
        fi;
        atomic { k++; at = 0; m = 0; waited = 0 }
    :: else -> break
    od;
    /* close */
    atomic {
        gone_senders++;
        flag_r = 0; ring_all(NS + 1, NS + NR)
    }
    goto END;
DEAD:
    atomic { kills++; dead[me] = 1; gone_senders++ }
END:
    skip
}

proctype receiver(byte me)
{
    byte p, q, m, i, slices;
    bit found, asks, slept;

AGAIN:
    take(rturn);
    atomic { found = 0; p = 0; q = 0; m = 0; i = 0 } /* CLAIM */
    do
    :: STEP if
            :: next == tail -> i = 0
            :: next != tail && (state[next % CAP] == READY || state[next % CAP] == CLAIMED) -> i = 1
            :: next != tail && state[next % CAP] == RESERVED ->
                if
                :: asks && dead[owner[next % CAP]] -> state[next % CAP] = SKIP; i = 2
                :: else -> i = 0
                fi
            :: next != tail && (state[next % CAP] == SKIP || state[next % CAP] == DONE) -> next++; i = 2
            fi }
        if :: i < 2 -> break :: else fi
    od;
    if
    :: i == 1 ->
        p = next;
        STEP owner[p % CAP] = me }
        STEP state[p % CAP] = CLAIMED }
        STEP next = p + 1 }
        found = 1
    :: else
    fi;
    q = head;
#ifndef BUG_NO_ORPHANS
    do /* find_orphan() */
    :: !found && asks && q != next ->
        STEP if
            :: state[q % CAP] == CLAIMED && dead[owner[q % CAP]] -> owner[q % CAP] = me; p = q; found = 1
            :: else -> q++
            fi }
    :: else -> break
    od;
#endif
    advance();
    STEP give(rturn) }
    tell_senders();
    asks = 0;
    if
    :: slept -> /* PASS_ON */
        slept = 0;
#ifndef BUG_NO_BATON
        STEP flag_r = 1 }
        STEP if :: next != tail -> wake_receiver() :: else fi }
#endif
    :: else
    fi;
    if
    :: found ->
        atomic {
            m = what[p % CAP];
            assert(m != 0 && state[p % CAP] == CLAIMED && owner[p % CAP] == me);
            assert(!got[m] || dead[by[m]]);
            got[m] = 1; by[m] = me
        }
#ifdef LAZY /* the first receiver keeps its message until nothing else can happen */
        if
        :: me == NS + 1 -> atomic { timeout -> assert(next == tail || !sleeps[NS + NR]) }
        :: else
        fi;
#endif
        STEP assert(what[p % CAP] == m && owner[p % CAP] == me); state[p % CAP] = DONE } /* RELEASE */
#ifndef BUG_NO_LOOK_AT_HEAD
        STEP i = (head == p) }
#endif
        if
        :: i -> i = 0; take(rturn); advance(); STEP give(rturn) }
        :: else
        fi;
        tell_senders();
#ifdef LEAVES
        if
        :: goto OVER
        :: true
        fi;
#endif
        goto AGAIN
    :: else
    fi;
    /* wait.c */
    STEP rung[me] = 0 }
    STEP flag_r = 1 }
    STEP if :: next != tail && state[next % CAP] != RESERVED -> goto AGAIN :: else fi }
    STEP sleeps[me] = !rung[me] }
    if
    :: atomic { !sleeps[me] -> slept = 1 }
#ifdef LEAVES
    :: atomic { over -> goto OVER }
#endif
    :: atomic { sleeps[me] && gone_senders == NS && head == tail -> goto END } /* the end: by wake or slice */
    :: atomic { timeout && sleeps[me] && slices < SLICES -> slices++; sleeps[me] = 0; asks = 1; slept = 1 }
    fi;
    if
    :: atomic { gone_senders == NS && head == tail -> goto END }
    :: else
    fi;
    goto AGAIN;
DEAD:
    atomic { kills++; dead[me] = 1; goto OVER }
END:
    sleeps[me] = 0;
    if
    :: me == NS + NR ->
        atomic {
            i = 1;
            do :: i <= ALL -> assert(!sent[i] || got[i]); i++ :: else -> break od
        }
    :: else
    fi;
OVER:
    skip
}

#ifdef LEAVES
/* Nothing else can happen: then nothing stands at head that is done with. */
proctype watcher()
{
    atomic {
        timeout;
        assert(head == next || (state[head % CAP] != DONE && state[head % CAP] != SKIP));
        over = 1
    }
}
#endif

init {
    byte n = 1;
    atomic {
#ifdef LEAVES
        run watcher();
#endif
        do :: n <= NS -> run sender(n); n++ :: else -> break od;
        do :: n <= NS + NR -> run receiver(n); n++ :: else -> break od
    }
}
