/* SPDX-License-Identifier: MIT */
/*
 * Model of the shared lock: src/core/readers.c and src/core/readers.h, with the cell of src/core/cell.c, which is taken in one
 * step here (lock.pml has its inside), and join and death as in src/core/member.c.
 *
 * P processes live LIVES lives each as a member, and in each life read or write OPS times, by one thread. With
 * THREADS process 0 has a second thread that reads through the same handle; it is not killed then. Up to
 * KILLS are killed, between any two steps. A step is one access to shared memory or
 * one system call. Order is sequential consistency, but for one reordering (below).
 *
 *   here                     in the code
 *   own, S                   control.cell: the identity, CELL_SHARED
 *   entry                    slot.readers[0], and with THREADS [1]
 *   first, by                struct readers: whose entry 0 is, and who has claimed which
 *   JOIN                     shms__member_join(), under the life-cycle lock
 *   CLAIM, READ, LOOK        shms__readers_try(), claim(), shms__reader_in()
 *   GO_BACK, READ_OUT        shms__reader_out(), with its shms__readers_wake(); "r->by[entry]" last
 *   TURN                     share_by_turn(): shms__cell_take(), shms__readers_enter(), "CELL_SHARED", give_back()
 *   WRITE                    shms__lock(): the cell is taken
 *   AWAIT, ENTRY .. SLEEP    shms__readers_await() "slots_used", await_entry(), reader_alive()
 *   DRAINED                  "a64_and_relaxed(&c->cell, ~CELL_SHARED)"
 *   GIVE_UP                  shms__lock_wait() after a time-out, give_back(): S stands
 *   DIE                      the system: frees the token, takes the process off the futex queue
 *
 * Shown: no writer beside a writer or a reader, whoever dies wherever, with slots that are used again; a
 * writer that is named in the cell gets in though others read for ever (live); without slices no wake-up is
 * lost while nobody dies. REORDER: a leaving reader's look at the cell comes before its store has arrived,
 * as in "Why leaving needs no full barrier"; then slices are needed, and enough.
 */
#ifndef P
#define P 3
#endif
#ifndef LIVES
#define LIVES 1
#endif
#ifndef OPS
#define OPS 1
#endif
#ifndef KILLS
#define KILLS 0
#endif

#define SLOTS P
#ifdef THREADS
#define ENTRIES 2 /* of a slot; those of slot s are 2 s and 2 s + 1 */
#define USERS (P + 1)
#else
#define ENTRIES 1
#define USERS P
#endif
/* an identity: generation and slot; 0 is nobody */
#define ID(g, s) ((g) * SLOTS + (s) + 1)
#define SLOT_OF(i) (((i) - 1) % SLOTS)
#define GENERATION_OF(i) (((i) - 1) / SLOTS)

#ifdef BUG_ONE_MARK /* an entry does not tell whose it is */
#define MARK 1
#else
#define MARK generation[slot]
#endif

byte own;
bit S;
byte generation[SLOTS], token[SLOTS], entry[SLOTS * ENTRIES];
byte first, by[ENTRIES]; /* of process 0: threads, 1 and 2 */
byte slot0, id0;         /* of process 0, for its second thread */
bit second_done;
byte slots_used;
byte life; /* who has the life-cycle lock */

#define AWAKE 0
#define WOKEN 255
byte futex[P]; /* AWAKE, WOKEN, or asleep on the entry - 1 */

/* What only the model knows. */
bit reads[USERS], writes[P];
bit draining0; /* process 0 is named in the cell and waits for readers */
byte kills, done;

#if P == 2
#ifdef THREADS
#define READERS (reads[0] + reads[1] + reads[2])
#else
#define READERS (reads[0] + reads[1])
#endif
#define WRITERS (writes[0] + writes[1])
#else
#define READERS (reads[0] + reads[1] + reads[2])
#define WRITERS (writes[0] + writes[1] + writes[2])
#endif

/* A step of a process that may be killed before it. */
#ifdef THREADS
#define TWO_THREADS (me == 0 || me == P)
#define MORTAL (!TWO_THREADS)
#else
#define MORTAL 1
#endif
#define STEP atomic { if :: kills < KILLS && MORTAL -> goto DIE :: skip fi;

inline wake(s) {
    if
    :: futex[0] == (s) + 1 -> futex[0] = WOKEN
    :: futex[1] == (s) + 1 -> futex[1] = WOKEN
#if P > 2
    :: futex[2] == (s) + 1 -> futex[2] = WOKEN
#endif
    :: else
    fi
}

#define DEAD(i) (generation[SLOT_OF(i)] != GENERATION_OF(i) || token[SLOT_OF(i)] == 0)

inline take() {
    own == 0 || DEAD(own);
    own = id
}

inline read_in() {
    reads[me] = 1;
    assert(WRITERS == 0)
}

/*
 * Reading once, by thread t (1 or 2) of a handle. Which entry is claimed in private, before anything is put in,
 * and until after it is out again; entry 0 belongs to the first thread that ever read.
 */
#define E ((slot) * ENTRIES + e)

inline claim(t) {
#ifdef THREADS
    if
    :: atomic { TWO_THREADS -> skip }
#ifdef BUG_NO_FIRST /* any thread takes entry 0 by a plain store */
        e = 0; by[0] = t;
#else
        STEP
            if
            :: first == 0 -> first = t
            :: else
            fi;
            e = (first == t -> 0 : 1)
        }
        STEP assert(by[e] == 0); by[e] = t }
#endif
    :: atomic { !TWO_THREADS -> skip }
    fi
#else
    skip
#endif
}

inline unclaim() {
#ifdef THREADS
    STEP
        if
        :: TWO_THREADS -> by[e] = 0
        :: else
        fi
    }
#else
    skip
#endif
}

inline read_once(slot, t) {
    claim(t);
#ifdef BUG_LOOK_FIRST /* the look at the cell comes before the entry */
    STEP
        if
        :: S && own == 0 -> skip
        :: else -> goto TURN
        fi
    }
    STEP entry[E] = MARK; read_in(); goto READ_OUT }
#else
    STEP
#ifndef BUG_NO_FIRST
        assert(entry[E] == 0);
#endif
        entry[E] = MARK
    }
#endif
    /* LOOK: */
    STEP
        if
        :: S && own == 0 -> read_in(); goto READ_OUT
        :: else -> skip
        fi
    }
    /* GO_BACK: */
    STEP entry[E] = 0 }
    unclaim();
    STEP
        if
        :: own != 0 -> wake(E)
        :: else
        fi
    }
TURN:
    STEP take() }
    claim(t);
    STEP entry[E] = MARK; read_in() }
    STEP S = 1 }
    STEP own = 0 }
READ_OUT:
#ifdef REORDER
    STEP seen = own }
    STEP reads[me] = 0; entry[E] = 0 }
    unclaim();
    STEP
        if
        :: seen != 0 -> wake(E)
#else
    STEP reads[me] = 0; entry[E] = 0 }
    unclaim();
    STEP
        if
        :: own != 0 -> wake(E)
#endif
        :: else
        fi;
        seen = 0
    }
}

#ifdef THREADS
/* The second thread of process 0: it reads, too. */
proctype second(byte me)
{
    byte e, n, seen, id;

    atomic { id0 != 0; id = id0 }
    do
    :: atomic { n < OPS -> n++ }
        read_once(slot0, 2)
    :: atomic { n == OPS -> break }
    od;
DIE:
    atomic { second_done = 1 }
}
#endif

proctype member(byte me)
{
    byte slot, id, lives, ops, s, end, seen, e;

JOIN:
    STEP life == 0; life = me + 1; lives++ }
    STEP
        do
        :: token[slot] != 0 -> slot++
        :: else -> break
        od;
        token[slot] = me + 1
    }
    STEP
        entry[slot * ENTRIES] = 0;
#ifdef THREADS
        entry[slot * ENTRIES + 1] = 0
#endif
    }
    STEP
        generation[slot]++;
        id = ID(generation[slot], slot);
        if
        :: me == 0 -> slot0 = slot
        :: else
        fi
    }
    STEP
        if
        :: slots_used <= slot -> slots_used = slot + 1
        :: else
        fi
    }
    STEP
        life = 0;
        if
        :: me == 0 -> id0 = id
        :: else
        fi
    }

NEXT:
    atomic {
        seen = 0;
        s = 0;
        end = 0;
        if
        :: ops < OPS -> ops++
        :: ops >= OPS -> goto LEAVE
        fi;
#ifdef LIVE /* process 0 writes once, the others read for ever */
        ops = 0;
        if
        :: me == 0 -> ops = OPS; goto WRITE
        :: else -> goto READ
        fi
#else
        if
        :: goto READ
        :: goto WRITE
        fi
#endif
    }

READ:
    read_once(slot, 1);
    goto NEXT;

WRITE:
#ifdef BUG_DRAIN_FIRST /* the writer waits for readers before it has its name in the cell */
    STEP end = slots_used * ENTRIES; goto ENTRY }
NAME:
    STEP take(); S = 0; goto SECTION }
#endif
#ifdef BUG_HIGH_EARLY /* how many slots there are is asked before the cell is had */
    STEP end = slots_used * ENTRIES }
#endif
    STEP
        take();
        if
        :: me == 0 -> draining0 = 1
        :: else
        fi
    }
    STEP
        if
        :: S -> skip
        :: else -> goto SECTION
        fi
    }
#ifdef BUG_CLEAR_FIRST /* S is taken out before the readers are */
    STEP S = 0 }
#endif
#ifndef BUG_HIGH_EARLY
    /* AWAIT: */
    STEP end = slots_used * ENTRIES }
#endif
ENTRY:
    STEP
        seen = entry[s];
        if
        :: seen == 0 -> goto NEXT_ENTRY
        :: else
        fi
    }
    STEP
        if
#ifdef BUG_ONE_MARK
        :: skip
#else
        :: seen != generation[s / ENTRIES] -> goto CLEAR /* dead, as in shms__member_alive() */
        :: else
#endif
        fi
    }
    STEP
        if
#ifdef BUG_TRUST_DEAD /* an entry is waited for, whoever has put it in */
        :: s != s -> skip
#else
        :: token[s / ENTRIES] == 0 -> skip
#endif
        :: else -> goto SLEEP
        fi
    }
CLEAR:
    STEP
        if
        :: entry[s] == seen -> entry[s] = 0
        :: else
        fi;
        goto NEXT_ENTRY
    }
SLEEP:
    STEP
        if
        :: entry[s] == seen -> futex[me] = s + 1
        :: else -> goto ENTRY
        fi
    }
    if
    :: atomic { kills < KILLS && MORTAL -> goto DIE }
    :: atomic { futex[me] == WOKEN -> futex[me] = AWAKE }
        goto ENTRY
#ifdef SLICES
    :: atomic { futex[me] == s + 1 -> futex[me] = AWAKE }
        goto ENTRY
#endif
#ifdef TIMEOUTS
    :: atomic { futex[me] == s + 1 -> futex[me] = AWAKE }
        goto GIVE_UP
#endif
    fi;
    atomic {
        skip;
NEXT_ENTRY:
        seen = 0;
        s++;
        if
        :: s < end -> goto ENTRY
        :: else -> s = 0; end = 0
        fi
    }
#ifdef BUG_DRAIN_FIRST
    goto NAME;
#endif
    /* DRAINED: */
    STEP S = 0 }
SECTION:
    STEP
        writes[me] = 1;
        assert(WRITERS == 1 && READERS == 0);
        if
        :: me == 0 -> draining0 = 0
        :: else
        fi
    }
    STEP writes[me] = 0; assert(own == id); own = 0 }
    goto NEXT;

#ifdef TIMEOUTS
GIVE_UP:
    STEP
        assert(own == id);
        own = 0;
        if
        :: me == 0 -> draining0 = 0
        :: else
        fi;
        goto NEXT
    }
#endif

LEAVE:
#ifdef THREADS
    (me != 0 || second_done);
#endif
    STEP life == 0; life = me + 1 }
    STEP assert(own != id && entry[slot * ENTRIES] == 0); token[slot] = 0; life = 0 }
    goto END;

    atomic {
        skip;
DIE:    kills++;
        if
        :: token[slot] == me + 1 -> token[slot] = 0
        :: else
        fi;
        if
        :: life == me + 1 -> life = 0
        :: else
        fi;
        reads[me] = 0;
        writes[me] = 0;
        futex[me] = AWAKE;
        if
        :: me == 0 -> draining0 = 0
        :: else
        fi;
END:    id = 0;
        e = 0;
        slot = 0;
        ops = 0;
        s = 0;
        end = 0;
        seen = 0;
        if
        :: lives < LIVES -> goto JOIN
        :: else -> done++
        fi
    }
}

init {
    byte i;
    atomic {
        do
        :: i < P -> run member(i); i++
        :: else -> break
        od;
        i = 0;
#ifdef THREADS
        run second(P)
#endif
    }
    done == P
}

#ifdef LIVE
ltl live { !<>[] draining0 }
#endif
