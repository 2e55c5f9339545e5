/* SPDX-License-Identifier: MIT */
/*
 * Model of the exclusive lock: src/core/cell.c and src/core/cell.h, with join and death as in src/core/member.c.
 *
 * P processes live LIVES lives each as a member and take the lock OPS times a life. Up to KILLS of them are
 * killed, between any two steps. A step is one access to shared memory or one system call; what a process
 * does between two of them touches nothing shared, so it is part of the step before. A label stands before
 * its step, never inside: SPIN would make one step of the two that a jump into an atomic sequence connects.
 * Order is sequential consistency: what the code says in its acquire and release comments is not shown here.
 *
 *   here                    in the code
 *   own, fl                 control.cell: identity, and the flags W C N R (P is another C)
 *   FAST                    shms__cell_try()
 *   SPIN                    spin(), one look of it
 *   LOOK .. SLEEP           attempt_once(), its take(), shms__member_alive(), sleep_once()
 *   GIVE_UP                 shms__cell_take() after a time-out
 *   TAKE_OVER, BEGIN        "CELL_INHERITED", and in section.c: inherit(), shms__repaired(), the caller's bytes
 *   FREE, GIVE_BACK, RING   shms__cell_drop(), give_back() and shms__cell_give(), ring()
 *   JOIN, LEAVE             take_token(), shms__member_join(); shms__section_release_all(), shms__region_drop()
 *   DEAD                    the system: frees the token, takes the process off the futex queue
 *   bystander               others that set flags: shms__wait() sets C, shms__section_notify() sets N
 *
 * Time is choice: a slice may end whenever there is one, a time-out may pass whenever the code looks at the
 * clock, the clock may have reached ask_at whenever it is looked at, and must have after a whole slice.
 *
 * Each section here is one that changes bytes of a region without a journal, and is open from the moment that
 * the cell is had, so whoever takes over says so. The two counters are in version.pml, the journal in
 * journal.pml, S in shared.pml.
 *
 * Shown: one living holder at a time; a holder's death in a section is told until repaired; the one that
 * waits gets the lock (live); while one sleeps that was woken and came too late, no newcomer takes a free
 * cell; the last ones to unlock leave no flag; without slices no wake-up is lost while nobody dies or gives
 * up (no invalid end state).
 *
 * Not shown: two threads in one handle, spinning longer, the wrap of a generation after 2^32 joins.
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
#define KILLS 1
#endif
#ifndef NUDGES
#define NUDGES 0 /* of the bystander */
#endif
#ifndef GENERATIONS
#define GENERATIONS 15 /* more than there are joins */
#endif
#define CAS_TRIES 2

#define SLOTS P

/* flags of the cell */
#define W 1
#define C 2
#define N 4
#define R 8
#define ALL_BUT_R 7

/* an identity: generation and slot; 0 is nobody */
#define ID(g, s) ((g) * SLOTS + (s) + 1)
#define SLOT_OF(i) (((i) - 1) % SLOTS)
#define GENERATION_OF(i) (((i) - 1) / SLOTS)
/* what a futex can compare: half of the cell, without the generation */
#define LOW_HALF(i) ((i) == 0 -> 0 : SLOT_OF(i) + 1)

byte own, fl;
bit died;
byte generation[SLOTS];
byte token[SLOTS]; /* number of the process + 1 */

#define AWAKE 0
#define ASLEEP 1
#define WOKEN 2
byte futex[P + 1];

/* What only the model knows. */
bit busy;          /* some living process holds the lock */
bit holds[P + 1];  /* this one */
bit dirty[P + 1];  /* it is in the middle of its writing */
bit cut;           /* bytes are half-written by somebody gone */
bit reserved;      /* a sleeper sleeps that was passed over, and no sleeper has had its turn since */
bit waiting0;      /* process 0 waits for the lock without a time-out */
byte kills, done;

/* A step of a process that may be killed before it. */
#define STEP atomic { if :: kills < KILLS && !is_last -> goto DEAD :: skip fi;

/* ---- steps that several places share */

#define FORGET o = 0; f = 0; n = 0; tries = 0; slept = 0; passed = 0; asked = 0; ask = 0; may = 0

/* The compare-and-swap has succeeded. */
inline taken(is_newcomer) {
    assert(!busy);
    busy = 1;
    holds[me] = 1;
    assert(!(is_newcomer) || !reserved);
    reserved = 0;
    if
    :: me == 0 -> waiting0 = 0
    :: else
    fi;
    FORGET
}

#ifdef BUG_NO_W /* who has slept does not say that others may still sleep */
#define FLAGS_TAKEN (slept -> (f & ALL_BUT_R) : f)
#else
#define FLAGS_TAKEN (slept -> ((f & ALL_BUT_R) | W) : f)
#endif

#ifdef BUG_BARGE /* newcomers do not stand back */
#define STANDS_BACK 0
#else
#define STANDS_BACK (f & R)
#endif

#ifdef BUG_NO_R /* nobody reserves */
#define FLAGS_ASLEEP (f | W)
#else
#define FLAGS_ASLEEP (f | W | (passed -> R : 0))
#endif

inline released() {
    busy = 0;
    holds[me] = 0
}

/* The clock has reached ask_at. */
inline ask_now() {
    slept = slept | asked;
    asked = 1;
    ask = 0
}

inline wake_one() {
    if
    :: futex[0] == ASLEEP -> futex[0] = WOKEN
    :: futex[1] == ASLEEP -> futex[1] = WOKEN
#if P > 2
    :: futex[2] == ASLEEP -> futex[2] = WOKEN
#endif
#if P > 3
    :: futex[3] == ASLEEP -> futex[3] = WOKEN
#endif
    :: else
    fi
}

/* ---- who takes part */

proctype member(byte me; bit is_last)
{
    byte slot, id;        /* private to a handle */
    byte o, f;            /* the cell as it was seen */
    byte lives, ops, n;
    bit tries, slept, passed, asked, ask, may, told, leaves;

JOIN:
    STEP
        lives++;
        do
        :: token[slot] != 0 -> slot++
        :: else -> break
        od;
        token[slot] = me + 1
    }
    STEP
#ifndef BUG_GENERATION
        generation[slot] = (generation[slot] % GENERATIONS) + 1;
#else
        generation[slot] = 1;
#endif
        id = ID(generation[slot], slot)
    }

FAST:
    STEP
        ops++;
        if
        :: !is_last -> tries = 1
        :: tries = 0; if :: me == 0 -> waiting0 = 1 :: else fi
        fi;
        if
        :: own == 0 && fl == 0 -> own = id; taken(!tries); goto BEGIN
        :: else
        fi;
        ask = 1;
        if
        :: tries -> goto LOOK
        :: else
        fi
    }

    /* SPIN: */
    STEP
        o = own;
        f = fl;
        if
        :: o == 0 && !STANDS_BACK -> skip
        :: else -> goto LOOK
        fi
    }
    STEP
        if
        :: own == o && fl == f -> own = id; taken(1); goto BEGIN
        :: else
        fi
    }

LOOK:
    STEP
        o = own;
        f = fl;
        may = (o == 0 && (slept || tries || !STANDS_BACK));
        if
        :: may -> skip
        :: !may && o != 0 && (ask || KILLS > 0) -> ask_now(); goto ASK
        :: !may && o == 0 -> ask_now(); goto DEADLINE
        :: !may && !ask -> goto DEADLINE
        fi
    }

    /* TAKE: */
    STEP
        if
        :: own == o && fl == f -> own = id; fl = FLAGS_TAKEN; taken(!slept && !tries); goto BEGIN
        :: else
        fi;
        if
        :: ask_now()
        :: !ask -> skip
        fi;
        goto DEADLINE
    }

ASK:
    STEP
        assert(o != id); /* no life has the identity of another */
        if
        :: SLOT_OF(o) == slot || generation[SLOT_OF(o)] != GENERATION_OF(o) -> goto TAKE_OVER
        :: else
        fi
    }
    STEP
        if
        :: token[SLOT_OF(o)] != 0 -> goto DEADLINE
        :: else
        fi
    }
TAKE_OVER:
    STEP
        if
#ifdef BUG_SEIZE /* a plain store instead of a compare-and-swap */
        :: 1 ->
#else
        :: own == o && fl == f ->
#endif
            own = id;
            fl = FLAGS_TAKEN;
            taken(0)
        :: else -> goto LOOK
        fi
    }
#ifndef BUG_NOT_TOLD
    STEP died = 1 }
#endif
    goto BEGIN;

    atomic {
        skip;
DEADLINE:
        if
        :: tries -> goto GIVE_UP
#ifdef TIMEOUTS
        :: !tries && !is_last && me != 0 -> goto GIVE_UP
#endif
        :: !tries && may -> goto LOOK
        :: !tries && !may && FLAGS_ASLEEP == f -> goto SLEEP
        :: !tries && !may && FLAGS_ASLEEP != f -> skip
        fi
    }
    STEP
#ifndef BUG_LATE
        if
        :: own == o && fl == f -> f = FLAGS_ASLEEP; fl = f
        :: else -> goto LOOK
        fi
#else /* the flag is added without a look at what it is added to */
        fl = fl | W;
        f = fl;
        o = own
#endif
    }
SLEEP:
    STEP
        if
        :: LOW_HALF(own) == LOW_HALF(o) && fl == f -> futex[me] = ASLEEP; reserved = reserved | passed
        :: else -> goto LOOK
        fi
    }
    if
    :: atomic { kills < KILLS && !is_last -> goto DEAD }
    :: atomic { futex[me] == WOKEN -> futex[me] = AWAKE; slept = 1; passed = 1; goto LOOK }
#ifdef SLICES
    :: atomic { futex[me] == ASLEEP -> futex[me] = AWAKE; slept = 1; ask = 1; goto LOOK }
#endif
#ifdef SIGNALS
    :: atomic { futex[me] == ASLEEP -> futex[me] = AWAKE; goto LOOK }
#endif
    fi;

GIVE_UP:
    STEP
        if
        :: passed -> fl = fl & ALL_BUT_R; reserved = 0
        :: else
        fi;
        goto NEXT
    }

BEGIN:
    STEP
        told = died;
        assert(!cut || told);
        dirty[me] = 1
    }
    if
    :: atomic { kills < KILLS && !is_last -> goto DEAD }
    :: atomic { told -> dirty[me] = 0; cut = 0 }
        STEP died = 0; told = 0; goto FREE }
    :: atomic { !told || !is_last -> dirty[me] = 0; told = 0; goto FREE }
    :: atomic { !is_last -> died = 1; leaves = 1; told = 0 }
        STEP dirty[me] = 0; cut = 1 }
    fi;

FREE:
    STEP
        assert(own == id);
        if
        :: fl == 0 -> own = 0; released(); goto NEXT
        :: else
        fi
    }
GIVE_BACK:
    STEP
        o = own;
        f = fl;
        assert(o == id)
    }
    STEP
#ifndef BUG_STORE
        if
        :: own == o && fl == f -> own = 0; fl = f & R; released()
        :: else ->
            n++;
            if
            :: n < CAS_TRIES -> goto GIVE_BACK
            :: else -> own = 0; fl = 0; f = W; released(); reserved = 0
            fi
        fi;
#else   /* the cell is freed by a plain store, whatever flags have come */
        own = 0;
        fl = 0;
        released();
#endif
        if
        :: f & W -> skip
        :: else -> goto NEXT
        fi
    }
    /* RING: */
    STEP wake_one() }

NEXT:
    STEP
        FORGET;
        if
        :: ops < (is_last -> 2 : OPS) && !leaves -> goto FAST
        :: else
        fi
    }
    /* LEAVE: */
    STEP assert(own != id); token[slot] = 0; goto END }

    atomic {
        skip;
DEAD:   kills++;
        if
        :: id != 0 || token[slot] == me + 1 -> token[slot] = 0
        :: else
        fi;
        futex[me] = AWAKE;
        if
        :: holds[me] -> released()
        :: else
        fi;
        if
        :: dirty[me] -> cut = 1; dirty[me] = 0
        :: else
        fi;
        if
        :: me == 0 -> waiting0 = 0
        :: else
        fi;
END:    FORGET;
        told = 0;
        leaves = 0;
        ops = 0;
        id = 0;
        slot = 0;
        if
        :: lives < (is_last -> 1 : LIVES) -> goto JOIN
        :: else -> done++
        fi
    }
}

proctype bystander()
{
    byte n;
end:
    do
    :: atomic { n < NUDGES && done < P && !(fl & C) -> n++; fl = fl | C }
    :: atomic { n < NUDGES && done < P && own != 0 && !(fl & N) -> n++; fl = fl | N }
    od
}

init {
    byte i;
    atomic {
        do
        :: i < P -> run member(i, 0); i++
        :: else -> break
        od;
        i = 0;
#if NUDGES > 0
        run bystander()
#endif
    }
    done == P;
#ifdef SLICES /* who comes last, twice, finds a lock that works, and leaves no flag behind */
    run member(P, 1);
    done == P + 1;
    assert(own == 0 && fl == 0)
#endif
}

#ifdef LIVE
ltl live { !<>[] waiting0 }
#endif
