/* SPDX-License-Identifier: MIT */
/*
 * Model of the version: src/core/version.c and src/core/version.h, with the section's beginning and end of src/core/cell.h
 * and src/core/cell.c. The lock itself is taken in one step here; lock.pml has its inside. Order is sequential
 * consistency.
 *
 *   here                    in the code
 *   own, fl                 control.cell: the holder, and the flags C and N (P is another C)
 *   BEGIN                   shms__section_begin()
 *   FREE .. RING            shms__unlock(), give_back(), shms__ring()
 *   waiter                  shms__wait(): LOOK and look(); END_DEAD is shms__settle()
 *   notifier                shms__notify()
 *   reader                  shms__snapshot_whole(), the copy word by word
 *   slices                  the end of a sleep by the clock: it comes only when nothing else can happen, so
 *                           a run without slices shows that no wake-up needs them
 *
 * Three controls are orders that the code once had, and that lost wake-ups: storing the version before the
 * flags are taken out (BUG_FLAGS), sleeping after a flag was set without seeing it stand after one more look
 * (BUG_EARLY), asking for a dead holder only where version is odd (BUG_ODD_ONLY).
 *
 * Shown: at the end no waiter sleeps although the version has moved or a dead section is open; after each
 * notify the version moves; a snapshot is never a mixture, and never of a cut section.
 */
#ifndef WRITERS
#define WRITERS 1 /* changing sections */
#endif
#ifndef QUIETS
#define QUIETS 1 /* quiet sections, as of handles that only read */
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

byte own, fl, version; /* own: number of the holder, 0 for none */
bit died;
byte word0, word1;
bit dead[16];
byte asleep; /* a bit a waiter: on the futex of the version */

/* What only the model knows. */
bit cut;      /* bytes are half-written */
bit owed;     /* notify has returned, and the version has not moved since */
byte whole;   /* what the last whole section wrote */
byte kills, slices;

#define STEP atomic { if :: is_mortal && kills < KILLS -> goto DEAD :: skip fi;
#define ODD (version & 1)

/* The version moves to something that ends waiting. */
inline move(to) {
    version = to;
    owed = 0
}

proctype holder(byte me; bit changes; bit is_mortal)
{
    byte f, ops, rings;
    bit moved, told;

    do
    :: ops < OPS ->
        atomic {
            own == 0 || dead[own];
            ops++;
            if
            :: own == 0 -> own = me; goto TAKEN
            :: else -> own = me
            fi
        }
        STEP died = 1 }
TAKEN:
        STEP /* BEGIN */
            if
            :: changes -> version = (version + 1) | 1
            :: else
            fi
        }
        STEP
            told = died;
            assert(!cut || told);
            if
            :: changes -> word0 = ops * 4 + me; cut = 1
            :: else -> goto FREE
            fi
        }
        STEP word1 = ops * 4 + me; cut = 0; told = 0 }
        STEP died = 0; whole = ops * 4 + me }

#ifdef BUG_FLAGS /* the version moves first, then the flags go: a waiter may set one in between */
FREE:
        STEP
            told = 0;
            moved = changes || ODD;
            if
            :: moved -> move((version | 1) + 1)
            :: else
            fi
        }
GIVE_BACK:
        STEP
            f = fl;
            if
            :: f & N -> skip
            :: else -> goto LET_GO
            fi
        }
        STEP move(version + 2); moved = 1 }
LET_GO:
        STEP
            if
            :: fl == f -> own = 0; rings = f; fl = (moved -> 0 : f)
            :: else -> goto GIVE_BACK
            fi
        }
#else   /* the flags go first, then the version moves; a C that comes later stays, an N begins again */
FREE:
        STEP
            told = 0;
            f = fl;
            moved = changes || ODD || (f & N);
            if
            :: moved -> version = version | 1
            :: else -> goto LET_GO
            fi;
            if
            :: f == 0 -> goto MOVE
            :: else
            fi
        }
        STEP
            if
            :: fl == f -> rings = rings | f; fl = 0
            :: else -> goto FREE
            fi
        }
MOVE:
        STEP
            move((version | 1) + 1)
        }
LET_GO:
        STEP
            if
            :: fl & N -> goto FREE
            :: else -> own = 0; rings = rings | fl; f = 0
            fi
        }
#endif
#ifndef BUG_NO_RING
        STEP /* RING */
            if
            :: (rings & C) && moved -> asleep = 0
            :: else
            fi
        }
#endif
NEXT:   atomic { f = 0; rings = 0; moved = 0 }
    :: else -> break
    od;
    goto END;
DEAD:
    atomic { kills++; dead[me] = 1 }
END:
    skip
}

/* Waits for changes for ever; at the end it must sleep with good reason. */
proctype waiter(byte me)
{
    byte v, seen;
    bit asked, is_mortal;
#define MINE (1 << (me - 8))

LOOK:
    STEP
        v = version;
        if
        :: !(v & 1) && v != seen -> seen = v; asked = 0; goto LOOK
        :: else
        fi
    }
#ifdef BUG_EARLY /* the flag first, then one more look: the flag may be gone by then, the version odd again */
    STEP fl = fl | C }
    STEP
        v = version;
        if
        :: !(v & 1) && v != seen -> seen = v; asked = 0; goto LOOK
        :: else
        fi
    }
#else
#ifndef BUG_LATE
    STEP
        if
        :: !(fl & C) -> fl = fl | C; goto LOOK
        :: else /* it stands after the look: who takes it out then moves the version */
        fi
    }
#endif
#endif
    if
#ifdef BUG_ODD_ONLY /* a dead holder is asked for where its section had begun to change something only */
    :: atomic { asked && (v & 1) && own != 0 && dead[own] -> goto END_DEAD }
    :: atomic { !(asked && (v & 1) && own != 0 && dead[own]) -> asked = 0 }
#else
    :: atomic { asked && ((v & 1) || (fl & N)) && own != 0 && dead[own] -> goto END_DEAD }
    :: atomic { !(asked && ((v & 1) || (fl & N)) && own != 0 && dead[own]) -> asked = 0 }
#endif
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
        assert(v == version && v == seen && !ODD);
        assert(!owed) }
    fi;
    goto OVER;

END_DEAD: /* a quiet section of one's own */
    asked = 0;
    run holder(me, 0, 0);
    goto LOOK;
OVER:
DEAD:
    skip
}

proctype notifier(byte me)
{
    byte o, n;

    do
    :: n < OPS ->
        if
        :: atomic { own == 0 || dead[own] -> n++; run holder(me + n, 1, 0) }
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

proctype reader()
{
    byte before, a, b, oldest;

    atomic {
        oldest = whole;
        before = version;
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
        :: version != before -> goto END
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
        :: i < WRITERS -> i++; run holder(i, 1, 1)
        :: else -> break
        od;
        do
        :: i < WRITERS + QUIETS -> i++; run holder(i, 0, 1)
        :: else -> break
        od;
        i = 0;
        do
        :: i < WAITERS -> run waiter(8 + i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < NOTIFIERS -> run notifier(10 + 2 * i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < READERS -> run reader(); i++
        :: else -> break
        od;
        i = 0
    }
}
