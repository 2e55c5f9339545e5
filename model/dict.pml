/* SPDX-License-Identifier: MIT */
/*
 * Model of the dict's redo record and feed: src/dict/redo.c, the change of src/dict/change.c, the readers of
 * src/dict/table.c and src/dict/feed.c. The lock is taken in one step here, also from the dead; lock.pml
 * has its inside. Order is sequential consistency.
 *
 *   here                    in the code
 *   own                     control.cell
 *   slot, cver, ca, cb      a slot for each of two keys; a cell's version, and its bytes, in two parts
 *   q0, q1                  the queue of free cells
 *   ring, ver               the ring of R words, header.version
 *   w0 .. w5, count         the redo record
 *   writer                  shms__change_begin() with shms__redo_recover(), shms__change_put(),
 *   shms__redo_commit() reader                  shms__table_look()
 *   feed                    look_change() and tell_changes()
 *
 * A writer may die at each step, and so may the one that recovers it.
 *
 * Shown: what a reader gets is one change's, was decided, and is never older than what it, or anybody, got
 * before; a change that the feed leaves out is followed by a later one of its key, or is told to be missed;
 * at the end, whatever died, the next holder finds a whole dict.
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef OPS
#define OPS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef FEEDS
#define FEEDS 0
#endif
#define R 2
#define MOST (2 + WRITERS * OPS + 2)

byte own;               /* 0: free */
bool dead[WRITERS + 2];
byte kills = KILLS;
byte slot[2];
byte cver[5], ca[5], cb[5];
byte q0 = 3, q1 = 4;
byte ring[R];
byte ver = 2;
byte count;
byte w0, w1, w2, w3, w4, w5; /* cell and version, key, the queue, the version again */
byte running = WRITERS;

/* What only the model knows. */
byte decided = 2;    /* the last change that was committed */
byte key_of[MOST];
byte seen[2];        /* the newest that anybody got of a key */

#define DIE                                                                                                 \
    if                                                                                                      \
    :: kills > 0 -> atomic { kills--; dead[me] = true; goto gone }                                          \
    :: skip                                                                                                 \
    fi
#define TAKE atomic { (own == 0 || dead[own]) -> own = me }

/* Store the words. w0: the cell, w1: its key, w2: its version, w3 and w4: the queue */
inline apply()
{
    cver[w0] = w2; DIE;
#ifdef BUG_RING_LAST
    slot[w1] = w0; DIE;
    q0 = w3; DIE;
    q1 = w4; DIE;
    ver = w5; DIE;
    ring[w2 % R] = w0; DIE;
#else
    slot[w1] = w0; DIE;
    ring[w2 % R] = w0; DIE;
    q0 = w3; DIE;
    q1 = w4; DIE;
    ver = w5; DIE;
#endif
}

inline recover()
{
#ifndef BUG_NO_RECOVERY
    if
    :: count != 0 -> apply(); count = 0; DIE
    :: else
    fi
#else
    count = 0
#endif
}

proctype writer(byte me)
{
    byte n, key, cell, v, old;
    for (n : 1 .. OPS) {
        TAKE;
        DIE;
        recover();
        if
        :: key = 0
        :: key = 1
        fi;
        cell = q0;
        v = ver + 1;
        old = slot[key];
#ifndef BUG_NO_ZERO
        cver[cell] = 0; DIE;
#endif
        ca[cell] = v; DIE;
        cb[cell] = v; DIE;
#ifdef BUG_SLOT_FIRST
        cver[cell] = v; slot[key] = cell; DIE;
#endif
#ifdef BUG_COUNT_FIRST
        atomic { count = 1; decided = v; key_of[v] = key }; DIE;
#endif
        w0 = cell; DIE;
        w1 = key; DIE;
        w2 = v; DIE;
        w3 = q1; DIE;
        w4 = old; DIE;
        w5 = v; DIE;
#ifndef BUG_COUNT_FIRST
#ifdef BUG_NO_RECORD
        atomic { decided = v; key_of[v] = key }; DIE;
#else
        atomic { count = 1; decided = v; key_of[v] = key }; DIE;
#endif
#endif
        apply();
        count = 0; DIE;
        own = 0
    }
gone:
    running--
}

proctype reader()
{
    byte s, v, x, y, key, n;
    for (n : 1 .. 2) {
        if
        :: key = 0
        :: key = 1
        fi;
        s = slot[key];
        v = cver[s];
        x = ca[s];
        y = cb[s];
        if
#ifdef BUG_VERSION_UNCHECKED
        :: v != 0 && slot[key] == s ->
#else
        :: v != 0 && cver[s] == v ->
#endif
            if
#ifdef BUG_SLOT_UNCHECKED
            :: true ->
#else
            :: slot[key] == s ->
#endif
                atomic {
                    assert(x == y && x == v);
                    assert(v <= decided);
                    assert(key_of[v] == key);
                    if
                    :: v > seen[key] -> seen[key] = v
                    :: else
                    fi
                }
            :: else
            fi
        :: else
        fi
    }
}

proctype feed()
{
    byte since = 2, v, c, x, w, u, n;
    for (n : 1 .. 2) {
        u = ver;
        do
        :: since < u ->
            v = since + 1;
            c = ring[v % R];
            w = cver[c];
            x = ca[c];
            if
            :: w == v && cver[c] == v && ring[v % R] == c ->
                assert(x == v && v <= decided);
                since = v
            :: else ->
                w = ver;
#ifdef BUG_MARGIN
                if
                :: w - v >= R -> since = w; break
#else
                if
                :: w - v >= R - 1 -> since = w; break
#endif
                :: else -> atomic {
                    w = v + 1;
                    do
                    :: w <= decided && key_of[w] != key_of[v] -> w++
                    :: else -> break
                    od;
                    assert(w <= decided);
                    since = v
                    }
                fi
            fi
        :: else -> break
        od
    }
}

/* The next holder, when all have ended. */
proctype last(byte me)
{
    byte c, n;
    running == 0;
    TAKE;
    recover();
    atomic {
        assert(ver == decided && count == 0);
        assert(cver[slot[0]] != 0 && cver[slot[1]] != 0);
        assert(ca[slot[0]] == cver[slot[0]] && cb[slot[0]] == cver[slot[0]]);
        assert(ca[slot[1]] == cver[slot[1]] && cb[slot[1]] == cver[slot[1]]);
        assert(cver[slot[0]] >= seen[0] && cver[slot[1]] >= seen[1]);
        assert(cver[slot[key_of[ver]]] == ver && ring[ver % R] == slot[key_of[ver]]);
        /* every cell in one place */
        assert(slot[0] != slot[1] && q0 != q1 && q0 != slot[0] && q0 != slot[1] && q1 != slot[0] && q1 != slot[1])
    }
gone:
    skip
}

init {
    byte n;
    atomic {
        slot[0] = 1; slot[1] = 2;
        cver[1] = 1; ca[1] = 1; cb[1] = 1;
        cver[2] = 2; ca[2] = 2; cb[2] = 2;
        ring[1] = 1; ring[0] = 2;
        key_of[1] = 0; key_of[2] = 1;
        for (n : 1 .. WRITERS) { run writer(n) }
        n = 0;
        do
        :: n < READERS -> run reader(); n++
        :: else -> break
        od
        n = 0;
        do
        :: n < FEEDS -> run feed(); n++
        :: else -> break
        od
        run last(WRITERS + 1)
    }
}
