/* SPDX-License-Identifier: MIT */
/*
 * Model of a region's life on Linux: src/core/region.c, src/core/life.c, with joining as in src/core/member.c.
 *
 * P processes live LIVES lives each; in a life each opens the name (creating or not, keeping or not), writes,
 * and leaves, or it unlinks the name. Process 0 has a second thread that may fork (FORK) at any moment; the
 * child is process P. Up to KILLS are killed, between any two steps. A step is one system call or one
 * access to control; what stands between two of them, and what touches only files that have no name yet, is
 * part of the step before.
 *
 *   here                     in the code
 *   ctl_name, data_name      what the names X.ctl and X.data mean: an inode, 0 for nothing
 *   file, tok, nur, life     openings of control, and byte locks: "LOCK_SLOT", "LOCK_NURSERY", "LOCK_LIFE"
 *   OPEN, TAKE, LOOK         find(), shms__life_take(), look() "shms__file_is_named"
 *   ATTACH, FINISH           attach(), finish_unlink()
 *   BURY, RESTART            bury(), its remove_names(); restart(), its begin_life()
 *   MAKE                     make(), of which nothing has a name
 *   JOIN                     take_token() in shms__member_join()
 *   PUBLISH .. READY         publish_new(), shms__region_publish() "STATE_READY"
 *   ORPHAN, and `orphan`     reclaim_orphan()
 *   owed, filler, FILL       control.init "INIT_OWED", "INIT_DONE"; the lock in join(), run_init(), wait_for_init()
 *   LEAVE .. DROP            shms__region_leave(), clean_up(), shms__region_drop()
 *   PART                     shms__region_part_from_children() "No fork while we look"
 *   UNLINK                   unlink_once()
 *   forker                   fork(): shms__process_lock(), the copy, after_fork_in_parent()
 *   ON_CHILD                 on_child(), shms__file_reopen() "dup3"
 *   REJOIN                   shms__region_rejoin(), shms__region_rejoined()
 *   DIE                      the system: closes all openings of the process, and so frees their locks
 *
 * Inodes that nothing refers to any more are used again, so that a number proves nothing. With STICKY the
 * processes are of two users who cannot remove each other's names. With ORPHANS the model begins with a data
 * file that has no control. With TIMEOUTS any wait for the life-cycle lock may be given up.
 *
 * Shown: a living region loses its name by unlink only; who opens gets the files that the names mean then,
 * and with them either bytes that are zero and a region that is new, or a region that was alive, or kept and
 * ready, when it was looked at; READY only with a complete data file that has its name; who comes last and
 * leaves leaves nothing behind; with INIT, which may fail, nobody uses a region before one has succeeded, one
 * at a time and once, and a region that none has filled is not kept; without kills and time-outs nobody does, but beside a fork; openers do not go
 * round for ever (live). A region is alive here also while somebody who found it so holds the life-cycle lock
 * to join it.
 *
 * Beside a fork: a child that was forked while a thread was opening holds that token until ON_CHILD. If the
 * thread leaves meanwhile, it takes the child for a member, and nobody removes the names: a dead region.
 *
 * Not shown: resize (journal.pml has it), descriptors closed behind our back, system calls that fail.
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

#define USERS (P + 1) /* and the child */
#define OPENINGS (P + 2)
#define INODES (P + 1)

#define SETUP 0
#define READY 1

byte ctl_name, data_name;

/* control files, by inode from 1 on */
byte life[INODES + 1]; /* the opening that has the life-cycle lock */
bit state[INODES + 1], keep[INODES + 1];
bit owed[INODES + 1];    /* its creator named an init, and none has succeeded */
byte filler[INODES + 1]; /* process + 1 that has the lock to fill it; a dead one's is found to be free */
byte data_inode[INODES + 1];
bit ctl_uid[INODES + 1];

/* data files */
bit whole[INODES + 1];    /* complete: all its bytes have memory */
bit written[INODES + 1]; /* not zero any more */
bit data_uid[INODES + 1];

/* openings of control, from 1 on */
byte file[OPENINGS + 1], refs[OPENINGS + 1]; /* the file; the processes that have a descriptor or a mapping */
bit tok[OPENINGS + 1], nur[OPENINGS + 1];

/* processes */
byte opening[USERS], data[USERS];
bit in_transit[USERS];
bit forks, seen_forks; /* of process 0 */
byte process_lock;     /* of process 0: 2 is the forker's */
bit born_in_transit;

/* What only the model knows. */
byte member[USERS];    /* the region that it may use */
byte joining[USERS];   /* the region that it found alive, before the token */
bit dead[INODES + 1];  /* it has been without anybody */
bit unlinked[INODES + 1]; /* by unlink */
byte kills, done, due;
bit finished;

#ifdef STICKY
#define UID(p) ((p) & 1)
#else
#define UID(p) 0
#endif
#define MINE (1 << me)

/* A step of a process that may be killed before it. */
#define STEP atomic { if :: kills < KILLS && !is_last -> goto DIE :: skip fi;
/* The same where the process lock is needed. */
#define LOCKED_STEP \
    atomic { me != 0 || process_lock == 0; if :: kills < KILLS && !is_last -> goto DIE :: skip fi;

/* ---- who is there */

#define HAS(o, i, but) (file[o] == (i) && (o) != (but) && (tok[o] || nur[o]))
#if P == 2
#define ALIVE(i, but) (HAS(1, i, but) || HAS(2, i, but) || HAS(3, i, but) || HAS(4, i, but))
#define ANY(a, i) (a[0] == (i) || a[1] == (i) || a[2] == (i))
#define OPENED(i) (file[1] == (i) || file[2] == (i) || file[3] == (i) || file[4] == (i))
#else
#define ALIVE(i, but) (HAS(1, i, but) || HAS(2, i, but) || HAS(3, i, but) || HAS(4, i, but) || HAS(5, i, but))
#define ANY(a, i) (a[0] == (i) || a[1] == (i) || a[2] == (i) || a[3] == (i))
#define OPENED(i) (file[1] == (i) || file[2] == (i) || file[3] == (i) || file[4] == (i) || file[5] == (i))
#endif

/* ---- the system: files and openings */

/* An inode without names and openings is as good as new. */
inline forget_control(i) {
    if
    :: (i) != 0 && ctl_name != (i) && !OPENED(i) ->
        state[i] = 0; keep[i] = 0; owed[i] = 0; filler[i] = 0; data_inode[i] = 0; dead[i] = 0; unlinked[i] = 0; ctl_uid[i] = 0
    :: else
    fi
}

inline forget_data(i) {
    if
    :: (i) != 0 && data_name != (i) && !ANY(data, i) -> whole[i] = 0; written[i] = 0; data_uid[i] = 0
    :: else
    fi
}

inline open_control(i) {
    x = 1;
    do
    :: refs[x] != 0 -> x++
    :: else -> break
    od;
    file[x] = i;
    refs[x] = MINE
}

/* One descriptor less; with the last one the opening and its locks go. */
inline close_opening(o) {
    refs[o] = refs[o] & ~MINE;
    if
    :: (o) != 0 && refs[o] == 0 ->
        tok[o] = 0;
        nur[o] = 0;
        y = file[o];
        file[o] = 0;
        if
        :: life[y] == (o) -> life[y] = 0
        :: else
        fi;
        note_death(y);
        forget_control(y);
        y = 0
    :: else
    fi
}

#ifdef BUG_KEPT_OWED /* a region that nobody has filled is kept all the same */
#define KEPT(i) (keep[i] && state[i] == READY)
#else
#define KEPT(i) (keep[i] && state[i] == READY && !owed[i])
#endif

inline note_death(i) {
    if
    :: !ALIVE(i, 0) && !ANY(member, i) && !ANY(joining, i) && !(keep[i] && state[i] == READY && !owed[i]) ->
        dead[i] = 1
    :: else
    fi
}

inline close_data() {
    x = data[me];
    data[me] = 0;
    forget_data(x);
    x = 0
}

/* The control file of my opening */
#define R file[opening[me]]

inline drop() {
    if
    :: filler[R] == me + 1 -> filler[R] = 0
    :: else
    fi;
    member[me] = 0;
    joining[me] = 0;
    in_transit[me] = 0;
    close_opening(opening[me]);
    opening[me] = 0;
    close_data()
}

/* rc: 1 is "not permitted" */
inline unlink_data(rc) {
    rc = (data_name != 0 && data_uid[data_name] != UID(me));
    if
    :: !rc -> x = data_name; data_name = 0; forget_data(x); x = 0
    :: else
    fi
}

/* Nobody may live in a region that loses its name, unless it was unlinked. */
inline unlink_control(rc) {
    rc = (ctl_name != 0 && ctl_uid[ctl_name] != UID(me));
    if
    :: !rc && ctl_name != 0 ->
        x = member[me];
        member[me] = 0;
        assert(unlinked[ctl_name] || !ANY(member, ctl_name));
        member[me] = x;
        x = ctl_name;
        ctl_name = 0;
        forget_control(x);
        x = 0
    :: else
    fi
}

inline new_data() {
    x = 1;
    do
    :: data_name == x || ANY(data, x) -> x++
    :: else -> break
    od;
    data[me] = x;
    data_uid[x] = UID(me);
    x = 0
}

/* ---- who takes part */

proctype user(byte me; bit is_last; bit is_child)
{
    byte lives, x, y, i, again;
    bit creates, keeps, alive, existed, is_new, orphan, rc;

    if
    :: is_child -> goto ON_CHILD
    :: else
    fi;

BEGIN:
    atomic {
        lives++;
        if
        :: is_last && lives == 2 -> goto UNLINK
        :: !is_last || lives == 1 -> creates = 1
        :: !is_last -> creates = 0
#ifdef KEEPS
        :: !is_last -> creates = 1; keeps = 1
#endif
#ifdef UNLINKS
        :: !is_last -> goto UNLINK
#endif
        fi
    }

OPEN:
    LOCKED_STEP
        orphan = 0;
        existed = 0;
        is_new = 0;
        if
        :: ctl_name == 0 -> goto ABSENT
        :: else
        fi;
        open_control(ctl_name);
        opening[me] = x;
        x = 0;
        in_transit[me] = 1;
        if
        :: me == 0 -> seen_forks = forks
        :: else
        fi
    }
    if
#ifdef BUG_NO_LIFE_LOCK /* of an opener */
    :: skip
#else
    :: STEP life[R] == 0; life[R] = opening[me] }
#endif
#ifdef TIMEOUTS
    :: atomic { !is_last && life[R] != 0 -> goto FAIL }
#endif
    fi;
    STEP /* LOOK */
#ifndef BUG_NO_NAME_CHECK /* the file may have lost its name while we waited */
        if
        :: ctl_name != R -> goto RETRY
        :: else
        fi
#endif
    }
    STEP
#ifdef BUG_NO_ALIVE /* the dead are not told from the living */
        alive = state[R] == READY;
#else
        alive = ALIVE(R, opening[me]);
#endif
        if
        :: alive || KEPT(R) -> joining[me] = R
        :: else -> goto BURY
        fi;
        assert(state[R] == READY)
    }
    STEP /* ATTACH */
        data[me] = data_name;
        if
        :: data_name == 0 && alive -> goto FINISH
        :: data_name != data_inode[R] || !whole[data_name] ->
            assert(!alive || data_name == 0);
            alive = 0;
            joining[me] = 0;
            note_death(R);
            close_data();
            goto BURY
        :: else
        fi
    }
    if
    :: atomic { !keeps -> skip }
    :: atomic { keeps -> skip }
        STEP keep[R] = 1 }
    fi;
    atomic {
        existed = 1;
        assert(!dead[R]);
        goto JOIN
    }

FINISH:
    STEP
        assert(unlinked[R]);
        unlink_control(rc);
        rc = 0
    }
    goto RETRY;

BURY:
    STEP
        unlink_data(rc) }
    if
    :: atomic { rc -> goto DENIED }
    :: atomic { !rc -> skip }
    fi;
    STEP unlink_control(rc) }
    if
    :: atomic { rc -> skip }
    :: atomic { !rc -> skip }
        LOCKED_STEP drop(); goto ABSENT }
    fi;
DENIED:
    atomic {
        rc = 0;
        if
        :: creates -> skip
        :: else -> goto FAIL
        fi
    }

    /* RESTART: */
    STEP state[R] = SETUP }
    STEP
        data[me] = data_name;
        if
        :: data_name != 0 -> whole[data_name] = 0; written[data_name] = 0 /* shms__file_empty */
        :: else -> new_data()
        fi
    }
    STEP data_name = data[me] }
    STEP whole[data[me]] = 1 }
    STEP
        keep[R] = keeps;
        data_inode[R] = data[me];
#ifdef INIT
        owed[R] = 1;
#endif
        goto JOIN
    }

    atomic {
        skip;
ABSENT: if
        :: creates -> goto MAKE
        :: else
        fi
    }
    STEP
        if
        :: data_name == 0 -> goto NEXT
        :: else -> orphan = 1
        fi
    }

MAKE:
    LOCKED_STEP
        i = 1;
        do
        :: ctl_name == i || OPENED(i) -> i++
        :: else -> break
        od;
        open_control(i);
        opening[me] = x;
        x = 0;
        new_data();
        in_transit[me] = 1;
        if
        :: me == 0 -> seen_forks = forks
        :: else
        fi;
        data_inode[i] = data[me];
        whole[data[me]] = 1;
        keep[i] = keeps;
#ifdef INIT
        owed[i] = 1;
#endif
        ctl_uid[i] = UID(me);
#ifndef BUG_LINK_UNLOCKED /* the life-cycle lock is taken after the file has got its name */
        life[i] = opening[me];
#endif
        i = 0;
        is_new = 1;
        if
        :: orphan -> goto PUBLISH
        :: else
        fi
    }

JOIN:
#ifndef BUG_TOKEN_LATE
    STEP tok[opening[me]] = 1; member[me] = R; joining[me] = 0 }
#endif
#if defined(INIT) && !defined(BUG_FILLER_LATE)
    if
    :: atomic { existed -> skip }
    :: atomic { !existed -> skip }
        STEP assert(filler[R] == 0); filler[R] = me + 1 }
    fi;
#endif

PUBLISH:
    if
    :: atomic { !is_new -> goto SAY_READY }
    :: atomic { is_new -> skip }
    fi;
#ifdef BUG_DATA_FIRST /* the names are given in the other order: the data is not yet guarded by a control */
    STEP unlink_data(rc); rc = 0 }
    STEP
        if
        :: data_name != 0 -> goto FAIL
        :: else -> data_name = data[me]
        fi
    }
#endif
    STEP
        if
        :: ctl_name != 0 -> goto RETRY
        :: else -> ctl_name = R
        fi
    }
#ifdef BUG_LINK_UNLOCKED
    STEP life[R] == 0; life[R] = opening[me] }
#endif
#ifdef BUG_READY_EARLY /* before the data has its name */
    STEP state[R] = READY; assert(data_name == data[me]) }
#endif
#ifndef BUG_DATA_FIRST
    STEP unlink_data(rc) }
    STEP
        rc = 0;
        if
        :: data_name != 0 -> goto SQUATTED
        :: else -> data_name = data[me]
        fi
    }
#endif
    if
    :: atomic { orphan -> orphan = 0; goto ORPHAN }
    :: atomic { !orphan -> skip }
    fi;
SAY_READY:
    STEP
        assert(whole[data[me]] && data_name == data[me] && ctl_name == R && data_inode[R] == data[me]);
        if
        :: !existed -> assert(!written[data[me]]); state[R] = READY; dead[R] = 0
        :: else
        fi
    }
    STEP life[R] = 0 }
#ifdef BUG_TOKEN_LATE /* the token after the life-cycle lock has been given up */
    STEP tok[opening[me]] = 1; member[me] = R; joining[me] = 0 }
#endif
    STEP in_transit[me] = 0 }
#ifdef INIT
    if
#ifdef BUG_FILLER_LATE /* the creator takes the lock after others may have come, and does not look again */
    :: atomic { !existed -> skip }
        STEP filler[R] == 0; filler[R] = me + 1 }
#else
    :: atomic { !existed -> skip }
#endif
    :: atomic { existed -> skip }
#ifdef BUG_NO_WAIT /* openers do not wait */
        goto USE;
#endif
        STEP
            !owed[R] || filler[R] == 0;
            if
            :: !owed[R] -> goto USE
            :: else -> filler[R] = me + 1
            fi
        }
    fi;
    /* FILL: */
    if
    :: skip
    :: atomic { !is_last -> goto LEAVE } /* it fails */
    fi;
    STEP assert(owed[R] && filler[R] == me + 1); owed[R] = 0 }
    STEP filler[R] = 0 }
#endif
    goto USE;

SQUATTED:
    STEP
        unlink_control(rc);
        rc = 0
    }
    goto FAIL;

ORPHAN:
    STEP
        unlink_data(rc) }
    if
    :: atomic { rc -> rc = 0; goto FAIL }
    :: atomic { !rc -> skip }
    fi;
    STEP unlink_control(rc); rc = 0; goto FAIL }

USE:
    STEP assert(!owed[R]); written[data[me]] = 1 }

LEAVE:
#ifdef BUG_FORKS /* a fork may be under way, of which the child exists and is not counted yet */
    STEP in_transit[me] = 1 }
    STEP
#else
    LOCKED_STEP
        in_transit[me] = 1;
#endif
        /* PART: */
        if
        :: me == 0 && seen_forks != forks ->
            open_control(R);
            nur[x] = 1;
            i = x;
            x = 0;
            close_opening(opening[me]);
            opening[me] = i;
            i = 0
        :: else
        fi
    }
    if
#ifdef BUG_LEAVE_UNLOCKED /* without the life-cycle lock */
    :: skip
#else
    :: STEP life[R] == 0; life[R] = opening[me] }
#endif
#ifdef TIMEOUTS
    :: atomic { !is_last && life[R] != 0 -> goto FAIL }
#endif
    fi;
    STEP
        if
        :: (keep[R] && !owed[R]) || ALIVE(R, opening[me]) -> goto FAIL
        :: else
        fi
    }
    STEP
#ifndef BUG_ANY_NAME /* the name may mean a successor, after an unlink */
        if
        :: ctl_name != R -> goto FAIL
        :: else
        fi
#endif
    }
#ifdef BUG_CONTROL_FIRST /* a successor's data may be removed */
    STEP unlink_control(rc) }
    STEP unlink_data(rc) }
#else
    STEP unlink_data(rc) }
    if
    :: atomic { rc -> goto EMPTY }
    :: atomic { !rc -> skip }
    fi;
    STEP unlink_control(rc) }
#endif
    if
    :: atomic { rc -> skip }
    :: atomic { !rc -> goto FAIL }
    fi;
EMPTY:
    STEP
        rc = 0;
        whole[data[me]] = 0;
        written[data[me]] = 0;
        x = member[me];
        member[me] = 0;
        assert(!ANY(member, R));
        member[me] = x;
        x = 0
    }
    goto FAIL;

UNLINK:
    STEP
        if
        :: ctl_name == 0 -> goto NEXT
        :: else
        fi;
        open_control(ctl_name);
        again = x;
        x = 0
    }
    STEP life[file[again]] == 0; life[file[again]] = again }
    STEP
        if
        :: ctl_name != file[again] -> close_opening(again); again = 0; goto UNLINK
        :: else -> unlinked[ctl_name] = (ctl_uid[ctl_name] == UID(me))
        fi
    }
    STEP unlink_data(rc) }
    if
    :: atomic { rc -> unlinked[ctl_name] = 0 }
    :: atomic { !rc -> skip }
        STEP unlink_control(rc) }
    fi;
    STEP rc = 0; close_opening(again); again = 0; goto NEXT }

FAIL:
    LOCKED_STEP
        /* DROP: or it was left, or removed, as it should be */
        drop();
        goto NEXT
    }

RETRY:
    LOCKED_STEP
        drop();
        goto OPEN
    }

    /* ---- the child of a fork; it has the parent's opening already */
ON_CHILD:
    STEP
        if
        :: in_transit[me] -> goto FAIL
        :: else
        fi;
        open_control(R);
        again = x;
        x = 0
    }
#ifdef BUG_NURSERY /* after the inherited opening is closed */
    STEP i = opening[me]; opening[me] = again; again = 0; close_opening(i); i = 0 }
    STEP nur[opening[me]] = 1 }
#else
    STEP nur[again] = 1 }
    STEP i = opening[me]; opening[me] = again; again = 0; close_opening(i); i = 0 }
#endif
    if
    :: goto LEAVE
    :: skip
    fi;
    /* REJOIN: */
    STEP life[R] == 0; life[R] = opening[me] }
    STEP tok[opening[me]] = 1 }
    STEP nur[opening[me]] = 0 }
    STEP life[R] = 0; goto USE }

    atomic {
        skip;
DIE:    kills++;
        if
        :: me == 0 -> process_lock = 0 /* its other thread dies, too */
        :: else
        fi;
        drop();
        i = 1;
        do
        :: i <= OPENINGS ->
            if
            :: refs[i] & MINE -> close_opening(i)
            :: else
            fi;
            i++
        :: else -> break
        od;
NEXT:   i = 0;
        x = 0;
        again = 0;
        creates = 0;
        keeps = 0;
        alive = 0;
        existed = 0;
        is_new = 0;
        orphan = 0;
        rc = 0;
        if
        :: lives < (is_last -> 2 : LIVES) && !is_child -> goto BEGIN
        :: else -> done++
        fi
    }
}

#ifdef FORK
/* The second thread of process 0. fork holds the process lock until it has been counted. */
proctype forker()
{
    if
    :: atomic { process_lock == 0 && opening[0] != 0 -> process_lock = 2 }
    :: atomic { done == P -> goto END }
    fi;
    atomic {
        if
        :: process_lock == 2 && opening[0] != 0 ->
            opening[P] = opening[0];
            data[P] = data[0];
            refs[opening[0]] = refs[opening[0]] | (1 << P);
            in_transit[P] = in_transit[0];
            if
            :: !in_transit[0] -> member[P] = member[0]
            :: else
            fi;
            due++;
            run user(P, 0, 1)
        :: else -> process_lock = 0; goto END
        fi
    }
    atomic {
        if
        :: process_lock == 2 -> forks = 1; process_lock = 0
        :: else
        fi
    }
END:
    due--
}
#endif

init {
    byte i;
    atomic {
#ifdef ORPHANS
        data_name = 1;
        whole[1] = 1;
        written[1] = 1;
#endif
        do
        :: i < P -> run user(i, 0, 0); i++; due++
        :: else -> break
        od;
        i = 0;
#ifdef FORK
        due++;
        run forker()
#endif
    }
    done == due;
#if KILLS == 0 && \
    !(defined(TIMEOUTS) || defined(KEEPS) || defined(STICKY) || defined(ORPHANS) || defined(FORK))
    assert(ctl_name == 0 && data_name == 0);
#endif
    run user(0, 1, 0);
    done == due + 1;
#ifdef STICKY
    assert(data_name == 0 || !whole[data_name]);
#else
    assert(ctl_name == 0 && data_name == 0);
#endif
    finished = 1
}

#ifdef LIVE
ltl live { <> finished }
#endif
