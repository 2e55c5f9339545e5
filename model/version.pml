/* SPDX-License-Identifier: MIT */
/*
 * Model of the two counters: src/core/version.c, with the section's beginning and end of src/core/section.c and
 * src/core/section.h. The lock itself is taken in one step here; lock.pml has its inside. Order is sequential
 * consistency.
 *
 *   here                    in the code
 *   own, fl                 control.cell: the holder, and the flags C and N (P is another C)
 *   sequence, version       the two
 *   TAKE, BEGIN             shms__lock(), take_turn(); "CELL_INHERITED", shms__sequence_open()
 *   QUICK                   shms__unlock_quick()
 *   GIVE_BACK .. RING       shms__unlock_wake(), give_back(), ring()
 *   GIVEN_UP                shms__rollback(): what was written is undone, and is no change
 *   waiter                  shms__wait(): LOOK and look(), armed(); END_DEAD is shms__section_settle()
 *   locked_waiter           shms__wait_locked()
 *   notifier                shms__section_notify()
 *   reader                  shms__snapshot_whole(), the copy word by word
 *   slices                  the end of a sleep by the clock: it comes only when nothing else can happen, so
 *                           a run without slices shows that no wake-up needs them
 *
 * A holder may die between any two steps: also after its sequence says that it has ended, and before its
 * version says that something has changed.
 *
 * Shown: at the end no waiter sleeps although something has changed, was notified, or somebody died with the
 * lock; the version moves for no other reason, so neither with a section that wrote nothing nor with one that
 * was given up; a waiter inside a section hears of every change and notice of others and of none of its own;
 * a snapshot is never a mixture, and never of a cut section.
 */
#ifndef WRITERS
#define WRITERS 1 /* changing sections */
#endif
#ifndef LOOKERS
#define LOOKERS 1 /* sections that write nothing */
#endif
#ifndef UNDOERS
#define UNDOERS 0 /* sections that are given up */
#endif
#ifndef WAITERS
#define WAITERS 1
#endif
#ifndef NOTIFIERS
#define NOTIFIERS 1
#endif
#ifndef READERS
#define READERS 0
#endif
#ifndef LOCKED
#define LOCKED 0 /* who waits inside a section */
#endif
#ifndef OPS
#define OPS 1
#endif
#ifndef KILLS
#define KILLS 0 /* of holders */
#endif
#ifndef SLICES
#define SLICES 0
#endif

#define C 1
#define N 2

#define LOOKS 0
#define WRITES 1
#define UNDOES 2
#define TELLS 3 /* a notice: a section that only moves the version */

byte own, fl, sequence, version; /* own: number of the holder, 0 for none */
bit died;
byte word0, word1;
bit dead[24];
byte asleep; /* a bit a waiter: on the futex of the version */

/* What only the model knows. */
bit cut;      /* bytes are half-written */
bit unsaid;   /* something has changed, or somebody died with the lock, and the version has not moved since */
bit owed;     /* notify has returned, and the version has not moved since */
byte whole0;  /* what the last whole section wrote */
byte kills, slices;

#define STEP atomic { if :: is_mortal && kills < KILLS -> goto DEAD :: skip fi;

/* The version moves: something must have happened. */
inline move() {
    assert(unsaid || owed || (rings & N) || (fl & N));
    version = version + 2;
    unsaid = 0;
    owed = 0
}

proctype holder(byte me; byte what; bit is_mortal)
{
    byte f, ops, rings, old0, old1;
    bit moved, told, changes, inherited, was_cut;

    do
    :: ops < OPS ->
        atomic {
            own == 0 || dead[own];
            ops++;
            inherited = (own != 0);
            own = me;
            if
            :: !inherited -> goto TAKEN
            :: else
            fi
        }
#ifndef BUG_EVEN_IS_DONE
        changes = 1;
#else   /* a dead holder whose sequence is even is taken for one that had nothing more to tell */
        changes = (sequence & 1);
#endif
        STEP died = died | (sequence & 1) }
TAKEN:
        STEP /* BEGIN */
            if
            :: what == TELLS -> changes = 1; unsaid = 1; goto FREE
            :: else -> sequence = (sequence + 1) | 1
            fi
        }
        STEP
            told = died;
            assert(!cut || told);
            if
            :: what == LOOKS -> goto FREE
            :: else ->
                old0 = word0;
                old1 = word1;
                was_cut = cut;
                word0 = ops * 8 + me;
                cut = 1
            fi
        }
        STEP word1 = ops * 8 + me; told = 0 }
        if
        :: atomic { what == UNDOES -> skip }
            STEP word0 = old0 }
            STEP word1 = old1; cut = was_cut; old0 = 0; old1 = 0 }
#ifdef BUG_ROLLBACK_MOVES
            changes = 1
#endif
        :: atomic { what == WRITES -> cut = 0; changes = 1; unsaid = 1; old0 = 0; old1 = 0 }
            STEP died = 0; whole0 = word0 }
        fi;
FREE:
        STEP /* QUICK: no flag stands */
            told = 0;
#ifdef BUG_MOVES_ALWAYS /* a section that wrote nothing is a change */
            changes = 1;
#endif
            if
            :: fl == 0 && what != TELLS -> skip
            :: else -> goto GIVE_BACK
            fi
        }
        STEP sequence = (sequence | 1) + 1 }
        if
        :: atomic { changes -> skip }
            STEP move(); moved = 1 }
        :: atomic { !changes -> skip }
        fi;
        STEP
            if
            :: fl == 0 -> own = 0; goto NEXT
            :: else
            fi
        }
GIVE_BACK:
        STEP
            if
            :: sequence & 1 -> sequence = sequence + 1
            :: else
            fi
        }
AGAIN:
        STEP f = fl }
        if
        :: atomic { (changes && !moved) || (f & N) -> skip }
#ifdef BUG_FLAGS /* the version moves first, then the flags go: a waiter may set one in between */
            STEP move(); moved = 1 }
            STEP
                if
                :: fl == f -> rings = rings | f; fl = 0; f = 0
                :: else -> goto AGAIN
                fi
            }
#else
            STEP
                if
                :: fl == f -> rings = rings | f; fl = 0; f = 0
                :: else -> goto AGAIN
                fi
            }
            STEP move(); moved = 1 }
#endif
        :: atomic { !((changes && !moved) || (f & N)) -> skip }
        fi;
        STEP
            if
            :: fl == f -> own = 0
            :: else -> goto AGAIN
            fi;
            rings = rings | (moved -> f : 0)
        }
#ifndef BUG_NO_RING
        STEP /* RING */
            if
            :: rings & C -> asleep = 0
            :: else
            fi
        }
#endif
NEXT:   atomic { f = 0; rings = 0; moved = 0; changes = 0; inherited = 0; was_cut = 0 }
    :: else -> break
    od;
    goto END;
DEAD:
    atomic { kills++; dead[me] = 1; unsaid = unsaid | (own == me) }
END:
    skip
}

/* Waits for changes for ever; at the end it must sleep with good reason. */
proctype waiter(byte me)
{
    byte v, seen;
    bit asked, is_mortal;
#define MINE (1 << (me - 16))

LOOK:
    STEP
        v = version;
        if
        :: v != seen -> seen = v; asked = 0; goto LOOK
        :: else
        fi
    }
#ifndef BUG_LATE
    STEP
        if
        :: !(fl & C) -> fl = fl | C; goto LOOK
        :: else /* it stands after the look: who takes it out then moves the version */
        fi
    }
    STEP
        if
        :: version != v -> goto LOOK
        :: else
        fi
    }
#endif
    if
    :: atomic { asked && own != 0 && dead[own] -> goto END_DEAD }
    :: atomic { !(asked && own != 0 && dead[own]) -> asked = 0 }
    fi;
    STEP
        if
        :: version == v -> asleep = asleep | MINE
        :: else -> goto LOOK
        fi
    }
#ifdef BUG_LATE /* the flag after the last look */
    fl = fl | C;
#endif
end:
    if
    :: atomic { !(asleep & MINE) -> asked = 0; goto LOOK }
    :: atomic { timeout && slices < SLICES -> slices++; asleep = asleep & ~MINE; asked = 1; goto LOOK }
    :: atomic { timeout && slices >= SLICES ->
        assert(v == version && v == seen);
        assert(!owed && !unsaid) }
    fi;
    goto OVER;

END_DEAD: /* a turn at the cell that begins no section */
    asked = 0;
    run settler(me);
    goto LOOK;
OVER:
DEAD:
    skip
}

/* shms__section_settle(): ends a dead one's section, if nobody else has. */
proctype settler(byte me)
{
    bit is_mortal;
    atomic {
        if
        :: own != 0 && dead[own] -> own = me; unsaid = 1
        :: else -> goto DEAD
        fi
    }
    atomic {
        died = died | (sequence & 1);
        sequence = sequence + (sequence & 1)
    }
    atomic {
        if
        :: fl & C -> asleep = 0
        :: else
        fi;
        fl = 0;
        version = version + 2;
        unsaid = 0;
        owed = 0;
        own = 0
    }
DEAD:
    skip
}

proctype notifier(byte me)
{
    byte o, n;

    do
    :: n < OPS ->
        if
        :: atomic { own == 0 || dead[own] -> n++; run holder(me + n, TELLS, 0) }
        :: atomic { own != 0 && !dead[own] -> o = own; n++ }
            if
            :: atomic { own == o -> fl = fl | N; owed = 1 }
            :: atomic { own != o -> n-- }
            fi;
            o = 0
        fi
    :: else -> break
    od
}

#if LOCKED > 0
/*
 * wait_locked: it takes the lock, looks, perhaps writes, and waits. What others change or notify from its look
 * on must end its sleep; `news` remembers that there was something. Its own does not.
 */
bit news_due;

proctype locked_waiter(byte me)
{
    byte v, f, seen;
    bit writes, rings;

    atomic { own == 0; own = me }
    atomic {
        news_due = 0;
        if
        :: writes = 1
        :: skip
        fi
    }
    /* its own change is told by a version of its own, before the lock is given back */
#ifndef BUG_OWN_IS_OTHERS
    if
    :: atomic { writes -> version = version + 2 }
    :: atomic { !writes -> skip }
    fi;
    seen = version;
AGAIN:
    f = fl;
    if
    :: atomic { f & N -> skip }
#else   /* the version of its own change and that of a notice fall together */
    atomic { seen = version + ((writes || (fl & N)) -> 2 : 0) }
AGAIN:
    f = fl;
    if
    :: atomic { (f & N) || (writes && version != seen) -> skip }
#endif
        atomic {
            if
            :: fl == f -> fl = 0; rings = rings | (f & C); f = 0
            :: else -> goto AGAIN
            fi
        }
        atomic { version = version + 2; owed = 0 }
#ifndef BUG_OWN_IS_OTHERS
    :: atomic { !(f & N) -> skip }
#else
    :: atomic { !((f & N) || (writes && version != seen)) -> skip }
#endif
    fi;
    atomic {
        if
        :: fl == f -> own = 0; rings = rings | (f & C)
        :: else -> goto AGAIN
        fi;
        if
        :: rings -> asleep = 0
        :: else
        fi
    }
    /* asleep until the version is another; the inside of that is the waiter's */
end:
    if
    :: atomic { version != seen -> skip }
    :: atomic { timeout && version == seen -> assert(!news_due) }
    fi
}

/* Says something while the other has the lock, or after. */
proctype teller()
{
    if
    :: atomic { own != 0 -> fl = fl | N; news_due = 1 }
    :: atomic { own == 0 -> version = version + 2; news_due = 1 }
    fi
}
#endif

proctype reader()
{
    byte before, a, b;

    atomic {
        before = sequence;
        if
        :: before & 1 -> goto END
        :: else
        fi
    }
#ifndef BUG_DIED
    if
    :: died -> goto END
    :: else
    fi;
#endif
    a = word0;
    b = word1;
    atomic {
#ifndef BUG_ONE_LOOK
        if
        :: sequence != before -> goto END
        :: else
        fi;
#endif
        assert(a == b)
    }
END:
    skip
}

init {
    byte i;
    atomic {
        do
        :: i < WRITERS -> i++; run holder(i, WRITES, 1)
        :: else -> break
        od;
        do
        :: i < WRITERS + LOOKERS -> i++; run holder(i, LOOKS, 1)
        :: else -> break
        od;
        do
        :: i < WRITERS + LOOKERS + UNDOERS -> i++; run holder(i, UNDOES, 1)
        :: else -> break
        od;
        i = 0;
        do
        :: i < WAITERS -> run waiter(16 + i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < NOTIFIERS -> run notifier(8 + 2 * i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < READERS -> run reader(); i++
        :: else -> break
        od;
        i = 0;
#if LOCKED > 0
        run locked_waiter(20);
        run teller()
#endif
    }
}
