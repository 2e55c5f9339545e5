/* SPDX-License-Identifier: MIT */
/*
 * Model of the shared lock: src/core/readers.c and src/core/readers.h, with the cell of src/core/cell.c, which is taken in one
 * step here (lock.pml has its inside), and join and death as in src/core/member.c.
 *
 * P processes live LIVES lives each as a member, and in each life read or write OPS times; each member has
 * one reading thread. Up to KILLS are killed, between any two steps. A step is one access to shared memory or
 * one system call. Order is sequential consistency, but for one reordering (below).
 *
 *   here                     in the code
 *   own, S                   control.cell: the identity, CELL_SHARED
 *   entry                    slot.readers[0]
 *   JOIN                     shms__member_join(), under the life-cycle lock
 *   READ, LOOK               shms__lock_shared(): shms__reader_enter(), shms__readers_pass()
 *   GO_BACK, READ_OUT        shms__reader_leave(), with its "shms__wake_writer"
 *   TURN                     enter_by_turn(): shms__cell_take(), enter_any(), "CELL_SHARED", shms__unlock()
 *   WRITE                    shms__lock(): the cell is taken
 *   AWAIT, ENTRY .. SLEEP    shms__await_readers() "slots_used", await_entry(), reader_alive()
 *   DRAINED                  "a64_and_relaxed(&c->cell, ~CELL_SHARED)"
 *   GIVE_UP                  shms__lock_wait() after a time-out, "shms__cell_give": S stands
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
byte generation[SLOTS], token[SLOTS], entry[SLOTS];
byte slots_used;
byte life; /* who has the life-cycle lock */

#define AWAKE 0
#define WOKEN 255
byte futex[P]; /* AWAKE, WOKEN, or asleep on the entry of slot - 1 */

/* What only the model knows. */
bit reads[P], writes[P];
bit draining0; /* process 0 is named in the cell and waits for readers */
byte kills, done;

#if P == 2
#define READERS (reads[0] + reads[1])
#define WRITERS (writes[0] + writes[1])
#else
#define READERS (reads[0] + reads[1] + reads[2])
#define WRITERS (writes[0] + writes[1] + writes[2])
#endif

/* A step of a process that may be killed before it. */
#define STEP atomic { if :: kills < KILLS -> goto DIE :: skip fi;

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

proctype member(byte me)
{
    byte slot, id, lives, ops, s, end, seen;

JOIN:
    STEP life == 0; life = me + 1; lives++ }
    STEP
        do
        :: token[slot] != 0 -> slot++
        :: else -> break
        od;
        token[slot] = me + 1
    }
    STEP entry[slot] = 0 }
    STEP generation[slot]++; id = ID(generation[slot], slot) }
    STEP
        if
        :: slots_used <= slot -> slots_used = slot + 1
        :: else
        fi
    }
    STEP life = 0 }

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
#ifdef BUG_LOOK_FIRST /* the look at the cell comes before the entry */
    STEP
        if
        :: S && own == 0 -> skip
        :: else -> goto TURN
        fi
    }
    STEP entry[slot] = MARK; read_in(); goto READ_OUT }
#else
    STEP assert(entry[slot] == 0); entry[slot] = MARK }
#endif
    /* LOOK: */
    STEP
        if
        :: S && own == 0 -> read_in(); goto READ_OUT
        :: else -> skip
        fi
    }
    /* GO_BACK: */
    STEP entry[slot] = 0 }
    STEP
        if
        :: own != 0 -> wake(slot)
        :: else
        fi
    }
TURN:
    STEP take() }
    STEP entry[slot] = MARK; read_in() }
    STEP S = 1 }
    STEP own = 0 }
READ_OUT:
#ifdef REORDER
    STEP seen = own }
    STEP reads[me] = 0; entry[slot] = 0 }
    STEP
        if
        :: seen != 0 -> wake(slot)
#else
    STEP reads[me] = 0; entry[slot] = 0 }
    STEP
        if
        :: own != 0 -> wake(slot)
#endif
        :: else
        fi;
        goto NEXT
    }

WRITE:
#ifdef BUG_DRAIN_FIRST /* the writer waits for readers before it has its name in the cell */
    STEP end = slots_used; goto ENTRY }
NAME:
    STEP take(); S = 0; goto SECTION }
#endif
#ifdef BUG_HIGH_EARLY /* how many slots there are is asked before the cell is had */
    STEP end = slots_used }
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
    STEP end = slots_used }
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
        :: seen != generation[s] -> goto CLEAR /* dead, as in shms__member_alive() */
        :: else
#endif
        fi
    }
    STEP
        if
#ifdef BUG_TRUST_DEAD /* an entry is waited for, whoever has put it in */
        :: s != s -> skip
#else
        :: token[s] == 0 -> skip
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
    :: atomic { kills < KILLS -> goto DIE }
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
    STEP life == 0; life = me + 1 }
    STEP assert(own != id && entry[slot] == 0); token[slot] = 0; life = 0 }
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
        i = 0
    }
    done == P
}

#ifdef LIVE
ltl live { !<>[] draining0 }
#endif
