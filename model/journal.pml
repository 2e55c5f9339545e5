/* SPDX-License-Identifier: MIT */
/*
 * Model of crash-atomic sections: src/core/journal.c, with taking over, news, ending and giving up as in
 * src/core/section.c. The cell is taken in one step (lock.pml has its inside), the shared lock too (shared.pml).
 *
 * P processes live LIVES lives each; in a life each makes one section that writes, and commits it or gives it
 * up (GIVE_UP), or takes a turn at the cell without changing anything, as a reader does and an opener. Up to
 * KILLS are killed, between any two steps: so a recoverer dies, and who recovers from it. A step is one
 * access to shared memory, to what threads of a process share, or one system call.
 *
 *   here                     in the code
 *   own, S, news, owed       control.cell "CELL_SHARED"; control.died "DIED_..."
 *   used, at, old            control.journal_used, and the records
 *   data[0], data[1], size   two blocks of the data, and the size: 1 or 2 blocks. A record's `at` is the
 *                            block, or SIZE for "RECORD_SIZE". data[2] is written by strays alone
 *   open, saved, n, inside   struct journal: its "open", "saved", "used" and "writer"
 *   TAKE, TAKE_OVER, SAY     shms__cell_take(), inherit(), its "a32_store_relaxed(&c->died"
 *   READERS                  shms__readers_await()
 *   OPEN                     shms__sequence_open()
 *   NEWS, UNDO .. UNDONE     news(), undo(), shms__journal_roll_back(), undo_one()
 *   MARK                     shms__journal_open(), with clear_notes()
 *   write()                  shms__journal_save(): enter(), append(), publish(), leave(); the copy in transfer.c
 *   SHRINK, GROW             shms__journal_resize(), clear_precious(), change_size()
 *   COMMIT, CUT              shms__journal_shut(), shms__journal_commit(), give_back_memory()
 *   UNDO_OWN                 shms__rollback(), undo_own(), shms__journal_resume()
 *   EVEN, FREE               shms__unlock_wake(), give_back()
 *   ENTER                    shms__lock_shared() where S stands
 *   snapshot                 shms__snapshot_whole()
 *   stray                    another thread of process 0 that writes without the lock (STRAYS)
 *   BORN                     a child of process 0, forked at any moment of its section (FORK):
 *                            shms__journal_renew()
 *
 * With PLAIN the region has no journal, for anybody. A roll-back may fail (FAILS, as by EMFILE): it is owed
 * then, and a writer does not begin; a section that was to be given up goes on.
 *
 * Shown: who gets the lock, by a section or by a turn, finds the bytes and the size of the last section that
 * was committed, or is told; a section of no journal that was cut short is told, whoever took over and died;
 * bytes change while the sequence is odd and nobody reads; a snapshot is what was committed; the records are
 * written by the holder's process alone, and are those of its section, whatever its other threads write, and
 * whatever a child found in its memory.
 *
 * Not shown: growing the journal; records that a hostile peer wrote; a thread that leaves save by siglongjmp.
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

#ifndef STRAYS
#define STRAYS 0 /* writes of the other thread */
#endif

#ifdef PLAIN
#define ATOMIC 0
#else
#define ATOMIC 1
#endif
#ifdef FORK
#define HANDLES (P + 2)
#else
#define HANDLES (P + 1)
#endif

#define SIZE 3 /* in at[]; 0 to 2 are blocks */
#define RECORDS 6

byte own; /* an identity, 0 for nobody */
bit S;
bit news, owed;
byte sequence, used;
byte at[RECORDS], old[RECORDS];
byte data[3], size = 2;
bit dead[16];
bit reads[HANDLES];

/* What the threads of a process share: a handle's journal, and the holder's identity in this life. */
bit open[HANDLES], inside[HANDLES];
byte saved[HANDLES], n[HANDLES], identity[HANDLES];

/* What only the model knows. */
byte whole0, whole1, whole_size = 2; /* what the last committed section left */
bit cut;                             /* that is half-written, by a section of no journal */
byte ids, kills, done, due;

#define ODD (sequence & 1)
#if HANDLES == 3
#define ANY_READER (reads[0] || reads[1])
#elif HANDLES == 4
#define ANY_READER (reads[0] || reads[1] || reads[2] || reads[3])
#else
#define ANY_READER (reads[0] || reads[1] || reads[2] || reads[3] || reads[4])
#endif
#define IS_WHOLE (size == whole_size && data[0] == whole0 && (size < 2 || data[1] == whole1))

/* A step of a process that may be killed before it; its other thread dies with it. */
#define STEP atomic { \
        if \
        :: kills < KILLS && !is_last -> goto DIE \
        :: is_stray && identity[0] != mine -> goto DIE \
        :: !is_stray || identity[0] == mine -> skip \
        fi;

inline commit() {
    whole0 = data[0];
    whole1 = (size == 2 -> data[1] : 0);
    whole_size = size
}

#define CHANGES assert(ODD && !ANY_READER)

/* One thread of a process at a time. */
inline enter(p) {
#ifdef BUG_NO_GUARD
    skip
#else
    STEP !inside[p]; inside[p] = 1 }
#endif
}

inline leave(p) {
    STEP inside[p] = 0 }
}

/* A record of the section that is open; `mine`: of which process. */
inline append(p, what, bytes) {
    STEP y = n[p] }
#ifdef BUG_USED_FIRST /* a record counts before it is there */
    STEP used = y + 1 }
#endif
    STEP assert(own == identity[p]); at[y] = what }
    STEP old[y] = bytes; n[p] = y + 1; y = 0 }
}

inline publish(p) {
#ifndef BUG_USED_FIRST
    STEP assert(own == identity[p]); used = n[p] }
#else
    skip
#endif
}

/* Each block is saved once a section. */
inline write(block, bytes) {
    enter(me);
    if
    :: atomic { ATOMIC && !(saved[me] & (1 << block)) -> skip }
#ifdef BUG_WRITE_FIRST /* the byte is written before its record */
        x = data[block];
        STEP CHANGES; data[block] = bytes }
        append(me, block, x);
        x = 0;
#else
        append(me, block, data[block]);
#endif
        STEP saved[me] = saved[me] | (1 << block) }
        publish(me)
    :: atomic { !ATOMIC || (saved[me] & (1 << block)) -> skip }
    fi;
    leave(me);
    STEP CHANGES; data[block] = bytes }
}

proctype user(byte me; bit is_last; bit is_child)
{
    byte lives, id, o, k, x, y, was, end;
    bit changes, gives_up, is_stray;
    byte mine;

BEGIN:
    atomic {
        lives++;
        ids++;
        id = ids;
        identity[me] = id;
        if
        :: !is_last -> changes = 1
        :: !is_child -> skip /* changes nothing */
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
        :: own == 0 -> own = id; goto READERS
        :: else -> o = own
        fi
    }
    /* TAKE_OVER: */
    STEP
        if
        :: own == o -> own = id; o = 0
        :: else -> o = 0; goto TAKE
        fi
    }
    /* SAY: */
    STEP
#ifndef BUG_NOT_TOLD /* whoever takes over a section that no journal covers says nothing */
        news = news | (ODD && !ATOMIC);
#endif
        owed = owed | (used != 0)
    }
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
        STEP sequence = (sequence + 1) | 1 }
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
#ifndef BUG_EVEN /* the sequence does not say that bytes change */
    if
    :: atomic { ODD -> skip }
    :: atomic { !ODD -> skip }
        STEP sequence = sequence + 1 }
    fi;
#endif
    STEP end = used }
#ifdef BUG_UNDO_FIRST /* the journal is emptied before its records are used */
    STEP used = 0 }
#endif
UNDO_OWN:
    do
    :: atomic { k < end -> skip }
        STEP
            CHANGES;
            if
            :: at[k] == SIZE -> size = old[k]
            :: else -> data[at[k]] = old[k]
            fi;
            k++
        }
    :: atomic { k >= end -> k = 0; end = 0; break }
    od;
    /* UNDONE: */
    STEP used = 0 }
    if
    :: atomic { gives_up -> goto EVEN }
    :: atomic { !gives_up -> skip }
    fi;
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
    if
    :: atomic { ATOMIC -> skip }
    :: atomic { !ATOMIC -> cut = 1; goto WRITE }
    fi;
    /* MARK: */
#ifndef BUG_CHILD_NOTES /* what a child found of its parent's section counts for its own */
    STEP saved[me] = 0; n[me] = 0 }
#else
    STEP n[me] = 0; saved[me] = (is_child -> saved[me] : 0) }
#endif
    STEP open[me] = 1 }
    if
    :: goto WRITE
    :: goto COMMIT
    :: atomic { size == 2 -> skip } /* SHRINK */
        was = 2;
        enter(me);
        append(me, SIZE, 2);
        publish(me);
        leave(me);
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
        enter(me);
        append(me, SIZE, 1);
        publish(me);
        leave(me);
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
    :: atomic { !ATOMIC -> cut = news; commit() }
    :: atomic { ATOMIC -> skip }
    fi;

COMMIT:
#ifndef BUG_SHUT_LATE /* the mark is taken away after the commit only */
    if
    :: atomic { open[me] -> skip }
        enter(me);
        STEP open[me] = 0 }
        leave(me)
    :: atomic { !open[me] -> skip }
    fi;
#endif
#ifdef GIVE_UP
    if
    :: atomic { ATOMIC && changes && !owed && !gives_up -> gives_up = 1 }
#ifdef FAILS
        if
        :: atomic { !is_last -> open[me] = 1; goto COMMIT } /* and the section goes on; here it commits */
        :: skip
        fi;
#endif
        STEP end = used }
        goto UNDO_OWN
    :: skip
    fi;
#endif
#ifdef BUG_COMMIT_LATE /* after the cell is free */
    goto EVEN;
LATE:
#endif
    STEP
        if
#ifdef BUG_COMMIT_OWED /* whose records those are is not asked */
        :: ATOMIC && used != 0 -> assert(changes); used = 0; commit()
#else
        :: ATOMIC && used != 0 && !owed -> assert(changes); used = 0; commit()
#endif
        :: else
        fi
    }
#ifdef BUG_SHUT_LATE
    STEP open[me] = 0 }
#endif
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
        :: ODD -> sequence = sequence + 1
        :: else
        fi
    }
    /* FREE: */
    STEP assert(own == id); assert(!gives_up || (used == 0 && IS_WHOLE)); own = 0 }
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
        :: own == id && !ATOMIC && changes && cut -> commit() /* it stays as it is */
        :: else
        fi;
        reads[me] = 0;
END:    dead[id] = 1;
        id = 0;
        o = 0;
        end = 0;
        k = 0;
        x = 0;
        y = 0;
        was = 0;
        changes = 0;
        gives_up = 0;
        open[me] = 0;
        inside[me] = 0;
        n[me] = 0;
        saved[me] = 0;
        identity[me] = 0;
        if
        :: lives < LIVES && !is_last && !is_child -> goto BEGIN
        :: else -> done++
        fi
    }
}

#if STRAYS > 0
/*
 * Another thread of process 0 that writes a block of its own, without the lock: in the section that is open
 * then, or in none. It dies with its process: where that is killed it stops.
 */
proctype stray()
{
    byte mine, y, writes;
    bit is_last = 1, is_stray = 1;

    do
    :: atomic { writes < STRAYS && identity[0] != 0 -> writes++; mine = identity[0] }
#ifdef BUG_MARK_IGNORED /* that the handle holds the lock is enough */
        STEP own == mine || own != mine; if :: own == mine -> skip :: else -> goto WRITE fi }
        enter(0);
#else
        STEP if :: open[0] -> skip :: else -> goto WRITE fi }
        enter(0);
        STEP if :: open[0] -> skip :: else -> inside[0] = 0; goto WRITE fi }
#endif
        if
        :: atomic { !(saved[0] & 4) -> skip }
            append(0, 2, data[2]);
            STEP saved[0] = saved[0] | 4 }
            publish(0)
        :: atomic { saved[0] & 4 -> skip }
        fi;
        leave(0);
WRITE:
        STEP data[2] = data[2] ^ 1 }
DIE:    atomic { mine = 0; y = 0 }
    :: atomic { writes == STRAYS || done >= P -> break }
    od
}
#endif

#ifdef FORK
/* At any moment of a life of process 0: the child has a copy of what its threads share. */
proctype forker()
{
    atomic {
        identity[0] != 0 || done >= P;
        if
        :: identity[0] == 0 -> due--
        :: else ->
            saved[P + 1] = saved[0];
            n[P + 1] = n[0];
            run user(P + 1, 0, 1)
        fi
    }
}
#endif

#if SNAPSHOTS > 0
proctype snapshot()
{
    byte v, a, b, taken;

    do
    :: atomic { taken < SNAPSHOTS && !ODD -> v = sequence; taken++ }
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
            :: sequence == v -> assert(a == whole0 && (whole_size == 1 || b == whole1))
            :: else
            fi
        }
NEXT:   atomic { a = 0; b = 0; v = 0 }
    :: atomic { taken == SNAPSHOTS || done == P -> break }
    od
}
#endif

init {
    byte i;
    atomic {
        due = P;
        do
        :: i < P -> run user(i, 0, 0); i++
        :: else -> break
        od;
        i = 0;
#if STRAYS > 0
        run stray();
#endif
#ifdef FORK
        due++;
        run forker();
#endif
#if SNAPSHOTS > 0
        run snapshot()
#endif
    }
    done == due;
    run user(P, 1, 0);
    done == due + 1;
    assert(own == 0 && used == 0 && !owed && IS_WHOLE && (news || !cut) && !ODD)
}
