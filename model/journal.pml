/* SPDX-License-Identifier: MIT */
/*
 * Model of crash-atomic sections: src/core/journal.c, with taking over, news and giving back as in src/core/cell.c. The
 * cell is taken in one step (lock.pml has its inside), the shared lock too (shared.pml).
 *
 * P processes live LIVES lives each; in a life each makes one section that writes through the journal, or
 * (with PLAIN) one without, or takes a turn at the cell without changing anything, as a reader does and an
 * opener. Up to KILLS are killed, between any two steps: so a recoverer dies, and who recovers from it. A
 * step is one access to shared memory or one system call.
 *
 *   here                     in the code
 *   own, A, H, S, news, owed control.cell "CELL_ATOMIC", "CELL_HEIR", "CELL_SHARED"; control.died "DIED_..."
 *   used, at, old            control.journal_used, and the records
 *   data[0], data[1], size   two blocks of the data, and the size: 1 or 2 blocks. A record's `at` is the
 *                            block, or SIZE for "RECORD_SIZE"
 *   TAKE, TAKE_OVER, SAY     shms__cell_take(), take_over(), its "a32_store_relaxed(&c->died"
 *   READERS                  shms__await_readers()
 *   OPEN                     shms__version_open()
 *   NEWS, UNDO .. UNDONE     shms__news(), undo(), shms__journal_roll_back(), undo_one()
 *   write()                  shms__journal_save(): append(), publish(); then the copy in transfer.c
 *   SHRINK, GROW             shms__journal_resize(), clear_precious(), change_size()
 *   COMMIT, CUT              shms__journal_commit(), give_back_memory()
 *   EVEN, FREE               shms__unlock_wake(), give_back()
 *   ENTER                    shms__lock_shared() where S stands
 *   snapshot                 shms__snapshot_whole()
 *
 * A roll-back may fail (FAILS, as by EMFILE): it is owed then, and a writer does not begin.
 *
 * Shown: who gets the lock, by a section or by a turn, finds the bytes and the size of the last section that
 * was committed, or is told; a section of no journal that was cut short is told, whoever took over and died;
 * bytes change while version is odd and nobody reads; a snapshot is what was committed.
 *
 * Not shown: growing the journal; records that a hostile peer wrote.
 */
#ifndef P
#define P 2
#endif
#ifndef LIVES
#define LIVES 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef SNAPSHOTS
#define SNAPSHOTS 0
#endif

#define SIZE 2
#define RECORDS 4

byte own; /* an identity, 0 for nobody */
bit A, H, S;
bit news, owed;
byte version, used;
byte at[RECORDS], old[RECORDS];
byte data[2], size = 2;
bit dead[16];
bit reads[P + 1];

/* What only the model knows. */
byte whole0, whole1, whole_size = 2; /* what the last committed section left */
bit cut;                             /* that is half-written, by a section of no journal */
byte ids, kills, done;

#define ODD (version & 1)
#if P == 2
#define ANY_READER (reads[0] || reads[1])
#else
#define ANY_READER (reads[0] || reads[1] || reads[2])
#endif
#define IS_WHOLE (size == whole_size && data[0] == whole0 && (size < 2 || data[1] == whole1))

/* A step of a process that may be killed before it. */
#define STEP atomic { if :: kills < KILLS && !is_last -> goto DIE :: skip fi;

inline commit() {
    whole0 = data[0];
    whole1 = (size == 2 -> data[1] : 0);
    whole_size = size
}

#define CHANGES assert(ODD && !ANY_READER)

inline append(what, bytes) {
#ifdef BUG_USED_FIRST /* a record counts before it is there */
    STEP used = n + 1 }
#endif
    STEP at[n] = what }
    STEP old[n] = bytes; n++ }
}

inline publish() {
#ifndef BUG_USED_FIRST
    STEP used = n }
#else
    skip
#endif
}

/* Each block is saved once a section. */
inline write(block, bytes) {
    if
    :: atomic { is_atomic && !(saved & (1 << block)) -> saved = saved | (1 << block) }
#ifdef BUG_WRITE_FIRST /* the byte is written before its record */
        x = data[block];
        STEP CHANGES; data[block] = bytes }
        append(block, x);
        x = 0;
#else
        append(block, data[block]);
#endif
        publish()
    :: atomic { !is_atomic || (saved & (1 << block)) -> skip }
    fi;
    STEP CHANGES; data[block] = bytes }
}

proctype user(byte me; bit is_last)
{
    byte lives, id, o, n, k, x, saved, was;
    bit is_atomic, changes, heir;

BEGIN:
    atomic {
        lives++;
        ids++;
        id = ids;
        if
        :: !is_last -> is_atomic = 1; changes = 1
        :: skip /* changes nothing */
        :: !is_last -> is_atomic = 1 /* the same, by a handle whose writes go through the journal */
#ifdef PLAIN
        :: !is_last -> changes = 1
#endif
        fi
    }
    if
    :: atomic { !changes && S && own == 0 && !owed && !is_last -> goto ENTER }
    :: skip
    fi;
TAKE:
    STEP
        own == 0 || dead[own];
        if
        :: own == 0 -> own = id; A = is_atomic; H = 0; goto READERS
        :: else -> o = own
        fi;
#ifdef BUG_NO_HEIR /* the heir of a section that no journal covers leaves no mark of that */
        heir = (ODD && !A)
#else
        heir = (ODD && (!A || H))
#endif
    }
    /* TAKE_OVER: */
    STEP
        if
        :: own == o -> own = id; A = is_atomic; H = heir; o = 0
        :: else -> heir = 0; o = 0; goto TAKE
        fi;
#ifdef BUG_NO_HEIR
        H = 0
#endif
    }
    /* SAY: */
    STEP news = news | heir; owed = owed | (used != 0); heir = 0 }
READERS:
    if
    :: atomic { !changes || !S -> skip }
    :: atomic { changes && S && !ANY_READER -> skip }
        STEP S = 0 }
    :: atomic { changes && S && ANY_READER && !is_last -> goto EVEN }
    fi;
    /* OPEN: */
    if
    :: atomic { !changes -> skip }
    :: atomic { changes -> skip }
        STEP version = (version + 1) | 1 }
    fi;

    /* NEWS: */
    if
    :: atomic { !owed -> goto TOLD }
    :: atomic { owed -> skip }
    fi;
#ifdef FAILS
    if
    :: atomic { !is_last -> goto NOT_UNDONE }
    :: skip
    fi;
#endif
    /* UNDO: */
#ifndef BUG_READERS_IN /* readers are not waited for */
    if
    :: atomic { !S -> skip }
    :: atomic { S && !ANY_READER -> skip }
        STEP S = 0 }
    :: atomic { S && ANY_READER -> goto NOT_UNDONE }
    fi;
#endif
#ifndef BUG_EVEN /* version does not say that bytes change */
    if
    :: atomic { ODD -> skip }
    :: atomic { !ODD -> skip }
        STEP version = version + 1 }
    fi;
#endif
    STEP n = used }
#ifdef BUG_UNDO_FIRST /* the journal is emptied before its records are used */
    STEP used = 0 }
#endif
    do
    :: atomic { k < n -> skip }
        STEP
            CHANGES;
            if
            :: at[k] == SIZE -> size = old[k]
            :: else -> data[at[k]] = old[k]
            fi;
            k++
        }
    :: atomic { k >= n -> k = 0; n = 0; break }
    od;
    /* UNDONE: */
    STEP used = 0 }
    STEP owed = 0 }
    goto TOLD;

    atomic {
        skip;
NOT_UNDONE:
        if
        :: changes -> goto EVEN
        :: else
        fi
    }

TOLD:
    atomic {
        assert(owed || (used == 0 && IS_WHOLE));
        assert(owed || news || !cut);
        assert(!owed || !changes)
    }
    if
    :: atomic { !changes && !is_last -> skip } /* readers may come in from now on */
        STEP reads[me] = 1 }
        STEP S = 1 }
        goto COMMIT
    :: atomic { !changes -> goto COMMIT }
    :: atomic { changes && news -> skip } /* shms__repaired() */
        STEP news = 0; cut = 0 }
    :: atomic { changes -> skip }
    fi;

    /* the section */
    x = 0;
    if
    :: atomic { is_atomic -> skip }
    :: atomic { !is_atomic -> cut = 1 }
        goto WRITE
    fi;
    if
    :: goto WRITE
    :: goto COMMIT
    :: atomic { size == 2 -> skip } /* SHRINK */
        was = 2;
        append(SIZE, 2);
        publish();
        STEP CHANGES; size = 1 }
#ifdef BUG_CUT_EARLY /* the memory is given back before the commit */
        STEP data[1] = 0 }
#endif
        if
        :: write(0, id); goto COMMIT
        :: write(1, 0); /* GROW: what lies there is precious */
            STEP CHANGES; size = 2 }
        fi
    :: atomic { size == 1 -> skip } /* GROW */
        was = 1;
        append(SIZE, 1);
        publish();
        STEP CHANGES; data[1] = 0 }
        STEP CHANGES; size = 2 }
    fi;
WRITE:
    write(0, id);
    if
    :: atomic { size == 2 -> skip }
        write(1, id)
    :: atomic { size == 1 -> skip }
    fi;
    if
    :: atomic { !is_atomic -> cut = news; commit() }
    :: atomic { is_atomic -> skip }
    fi;

COMMIT:
#ifdef BUG_COMMIT_LATE /* after the cell is free */
    goto EVEN;
LATE:
#endif
    STEP
        if
#ifdef BUG_COMMIT_OWED /* whose records those are is not asked */
        :: is_atomic && used != 0 -> assert(changes); used = 0; commit()
#else
        :: is_atomic && used != 0 && !owed -> assert(changes); used = 0; commit()
#endif
        :: else
        fi
    }
#ifdef BUG_COMMIT_LATE
    goto AFTER;
#endif
    if
    :: atomic { was == 2 && size == 1 -> skip }
        STEP data[1] = 0 } /* CUT */
    :: atomic { was != 2 || size != 1 -> skip }
    fi;
EVEN:
    STEP
        if
        :: changes || ODD -> version = (version | 1) + 1
        :: else
        fi
    }
    /* FREE: */
    STEP assert(own == id); own = 0; A = 0; H = 0 }
#ifdef BUG_COMMIT_LATE
    goto LATE;
#endif
AFTER:
    if
    :: atomic { !reads[me] -> goto END }
    :: atomic { reads[me] -> skip }
    fi;
LEAVE:
    STEP reads[me] = 0 }
    goto END;

ENTER:
    STEP
        if
        :: S && own == 0 && !owed ->
            reads[me] = 1;
            assert(IS_WHOLE && (news || !cut));
            goto LEAVE
        :: else -> goto TAKE
        fi
    }

    atomic {
        skip;
DIE:    kills++;
        if
        :: own == id && !is_atomic && changes && cut -> commit() /* it stays as it is */
        :: else
        fi;
        reads[me] = 0;
END:    dead[id] = 1;
        id = 0;
        o = 0;
        n = 0;
        k = 0;
        x = 0;
        saved = 0;
        was = 0;
        is_atomic = 0;
        changes = 0;
        heir = 0;
        if
        :: lives < LIVES && !is_last -> goto BEGIN
        :: else -> done++
        fi
    }
}

#if SNAPSHOTS > 0
proctype snapshot()
{
    byte v, a, b, n;

    do
    :: atomic { n < SNAPSHOTS && !ODD -> v = version; n++ }
        if
        :: news || owed -> goto NEXT
        :: else
        fi;
        b = (size == 2 -> 1 : 0);
        a = data[0];
        if
        :: b -> b = data[1]
        :: else -> b = a
        fi;
        atomic {
            if
            :: version == v -> assert(a == whole0 && (whole_size == 1 || b == whole1))
            :: else
            fi
        }
NEXT:   atomic { a = 0; b = 0; v = 0 }
    :: atomic { n == SNAPSHOTS || done == P -> break }
    od
}
#endif

init {
    byte i;
    atomic {
        do
        :: i < P -> run user(i, 0); i++
        :: else -> break
        od;
        i = 0;
#if SNAPSHOTS > 0
        run snapshot()
#endif
    }
    done == P;
    run user(P, 1);
    done == P + 1;
    assert(own == 0 && used == 0 && !owed && IS_WHOLE && (news || !cut) && !ODD)
}
