#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# model/run.sh [short|full] [MODEL...]: check the SPIN models, all states of each run, and print their number.
# A run that must hold has no error and leaves no state out; a control is a mistake that must be found.
# short takes under a minute, full half an hour and at most 6 GiB. MODEL: lock
# version life shared journal dict channel broadcast.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
command -v spin >/dev/null || { echo "SKIP: no spin"; exit 77; }
size=${1:-short}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- lock version life shared journal dict channel broadcast

# What, how big (short: in both sizes), model, then the definitions. live: the model's liveness claim, too;
# with LIVE among the definitions it is that which must fail.
runs='
holds  short  lock     wakeups           P=3 KILLS=0
holds  short  lock     crash             SLICES P=2 KILLS=1
holds  full   lock     reuse-1           SLICES TIMEOUTS NUDGES=1 P=2 KILLS=1 LIVES=2
live   short  lock     progress          SLICES P=2 KILLS=1
holds  full   lock     wakeups-2         P=3 KILLS=0 OPS=2
holds  full   lock     crash-3           SLICES P=3 KILLS=1
holds  full   lock     reuse             SLICES TIMEOUTS SIGNALS NUDGES=1 P=2 KILLS=2 LIVES=2
live   full   lock     reuse-progress    SLICES P=2 KILLS=1 LIVES=2
live   full   lock     progress-2        SLICES P=2 KILLS=1 LIVES=2 OPS=2
holds  full   lock     crash-2           SLICES P=3 KILLS=2
holds  full   lock     reuse-3           SLICES TIMEOUTS SIGNALS NUDGES=1 P=2 KILLS=3 LIVES=3
fails  short  lock     no-slices         P=2 KILLS=1
fails  full   lock     plain-store       SLICES P=3 KILLS=1 BUG_SEIZE
fails  full   lock     not-told          SLICES P=2 KILLS=1 BUG_NOT_TOLD
fails  short  lock     not-counted       SLICES P=2 KILLS=1 LIVES=2 BUG_GENERATION
fails  full   lock     generations-wrap  SLICES P=2 KILLS=2 LIVES=3 GENERATIONS=2
fails  full   lock     flag-unseen       P=2 KILLS=0 OPS=2 BUG_LATE
fails  full   lock     others-forgotten  P=3 KILLS=0 BUG_NO_W
fails  full   lock     store-on-unlock   P=3 KILLS=0 OPS=2 BUG_STORE
fails  full   lock     no-reservation    P=3 KILLS=0 OPS=2 BUG_NO_R
fails  full   lock     newcomers-barge   P=3 KILLS=0 OPS=2 BUG_BARGE
holds  short  version  wakeups           OPS=1
holds  short  version  crash             NOTIFIERS=0 KILLS=1 SLICES=4
holds  short  version  no-change         WRITERS=0 LOOKERS=1 UNDOERS=1 NOTIFIERS=0 WAITERS=1
holds  short  version  wait-locked       WRITERS=0 LOOKERS=0 NOTIFIERS=0 WAITERS=0 LOCKED=1
holds  full   version  crash-notice      KILLS=1 SLICES=4
holds  full   version  crash-given-up    LOOKERS=0 UNDOERS=1 KILLS=1 SLICES=4
holds  full   version  wakeups-2         WRITERS=2 LOOKERS=0 NOTIFIERS=0 WAITERS=2
holds  short  version  snapshot          LOOKERS=0 WAITERS=0 NOTIFIERS=0 READERS=1 WRITERS=2 KILLS=1
holds  full   version  snapshot-given-up LOOKERS=0 UNDOERS=1 WAITERS=0 NOTIFIERS=0 READERS=1 KILLS=1
fails  short  version  flags-after       WRITERS=2 LOOKERS=0 NOTIFIERS=0 BUG_FLAGS
fails  full   version  flag-after-sleep  BUG_LATE
fails  full   version  no-ring           BUG_NO_RING
fails  short  version  even-is-done      NOTIFIERS=0 KILLS=1 SLICES=4 BUG_EVEN_IS_DONE
fails  short  version  quiet-moves       WRITERS=0 NOTIFIERS=0 BUG_MOVES_ALWAYS
fails  full   version  rollback-moves    WRITERS=0 LOOKERS=0 UNDOERS=1 NOTIFIERS=0 BUG_ROLLBACK_MOVES
fails  short  version  notice-is-own     WRITERS=0 LOOKERS=0 NOTIFIERS=0 WAITERS=0 LOCKED=1 BUG_OWN_IS_OTHERS
fails  full   version  one-look          READERS=1 LOOKERS=0 NOTIFIERS=0 BUG_ONE_LOOK
fails  full   version  died-not-asked    LOOKERS=1 WAITERS=0 NOTIFIERS=0 READERS=1 KILLS=1 BUG_DIED
holds  short  life     crash             KILLS=1 KEEPS UNLINKS
holds  short  life     fork              KILLS=0 FORK
live   short  life     progress          KILLS=1 UNLINKS
holds  short  life     init              KILLS=1 INIT KEEPS
holds  full   life     init-unlink       KILLS=1 INIT KEEPS UNLINKS LIVES=2
holds  full   life     init-three        P=3 KILLS=1 INIT
fails  short  life     owed-is-kept      KILLS=1 INIT KEEPS BUG_KEPT_OWED
fails  full   life     open-before-init  KILLS=0 INIT BUG_NO_WAIT
fails  full   life     init-lock-late    KILLS=0 INIT BUG_FILLER_LATE
holds  full   life     fork-crash        KILLS=1 FORK
holds  full   life     time-outs         KILLS=1 KEEPS UNLINKS TIMEOUTS LIVES=2
holds  full   life     three             P=3 KILLS=1 UNLINKS
holds  full   life     two-users         KILLS=2 STICKY ORPHANS LIVES=2
holds  full   life     fork-unlink       KILLS=1 FORK UNLINKS
fails  short  life     name-unchecked    KILLS=1 UNLINKS LIVES=2 BUG_NO_NAME_CHECK
fails  full   life     all-are-alive     KILLS=1 UNLINKS LIVES=2 BUG_NO_ALIVE
fails  full   life     open-unlocked     KILLS=1 UNLINKS LIVES=2 BUG_NO_LIFE_LOCK
fails  full   life     link-unlocked     KILLS=1 UNLINKS LIVES=2 BUG_LINK_UNLOCKED
fails  full   life     token-late        KILLS=1 UNLINKS LIVES=2 BUG_TOKEN_LATE
fails  full   life     data-first        KILLS=1 UNLINKS LIVES=2 BUG_DATA_FIRST
fails  full   life     ready-early       KILLS=1 UNLINKS LIVES=2 BUG_READY_EARLY
fails  full   life     leave-unlocked    KILLS=1 UNLINKS LIVES=2 BUG_LEAVE_UNLOCKED
fails  full   life     any-name          KILLS=1 UNLINKS LIVES=2 BUG_ANY_NAME
fails  full   life     control-first     KILLS=1 UNLINKS LIVES=2 BUG_CONTROL_FIRST
fails  short  life     fork-uncounted    KILLS=1 FORK BUG_FORKS
fails  full   life     nursery-late      KILLS=1 FORK BUG_NURSERY
holds  short  shared   wakeups           KILLS=0
holds  short  shared   threads           P=2 KILLS=0 THREADS
holds  full   shared   threads-crash     P=2 KILLS=1 THREADS SLICES OPS=2
fails  full   shared   one-entry         P=2 KILLS=0 THREADS BUG_NO_FIRST
holds  short  shared   reuse             P=2 KILLS=2 LIVES=2 OPS=2 SLICES
live   short  shared   progress          KILLS=0
holds  full   shared   crash             KILLS=1 SLICES TIMEOUTS
holds  full   shared   wakeups-2         KILLS=0 OPS=2
holds  full   shared   reorder           KILLS=0 SLICES REORDER
holds  full   shared   reuse-3           KILLS=1 LIVES=2 SLICES
fails  short  shared   look-first        KILLS=0 BUG_LOOK_FIRST
fails  full   shared   drain-first       KILLS=0 BUG_DRAIN_FIRST
fails  short  shared   shared-too-early  KILLS=1 SLICES BUG_CLEAR_FIRST
fails  short  shared   one-mark          KILLS=1 LIVES=2 OPS=2 SLICES BUG_ONE_MARK
fails  full   shared   slots-too-early   KILLS=0 LIVES=2 BUG_HIGH_EARLY
fails  full   shared   reorder-slices    KILLS=0 REORDER
fails  full   shared   dead-readers      KILLS=1 SLICES BUG_TRUST_DEAD LIVE
holds  short  journal  crash             KILLS=1 FAILS GIVE_UP
holds  short  journal  plain             KILLS=1 FAILS PLAIN
holds  short  journal  threads           KILLS=1 STRAYS=1
holds  full   journal  threads-give-up   KILLS=1 STRAYS=2 GIVE_UP FAILS
holds  full   journal  fork              KILLS=1 FORK
holds  full   journal  snapshot          KILLS=1 FAILS GIVE_UP SNAPSHOTS=1
holds  full   journal  recoverer         P=3 KILLS=3
holds  full   journal  recoverer-plain   P=3 KILLS=2 PLAIN
fails  short  journal  used-first        KILLS=1 BUG_USED_FIRST
fails  full   journal  write-first       KILLS=1 BUG_WRITE_FIRST
fails  full   journal  commit-late       KILLS=1 BUG_COMMIT_LATE
fails  full   journal  undo-first        P=3 KILLS=2 BUG_UNDO_FIRST
fails  full   journal  not-told          KILLS=1 PLAIN BUG_NOT_TOLD
fails  full   journal  memory-too-early  KILLS=1 BUG_CUT_EARLY
fails  full   journal  readers-in        P=3 KILLS=1 FAILS BUG_READERS_IN
fails  full   journal  sequence-even     KILLS=1 FAILS BUG_EVEN
fails  full   journal  commit-of-others  KILLS=1 FAILS BUG_COMMIT_OWED
fails  short  journal  mark-ignored      KILLS=1 STRAYS=1 BUG_MARK_IGNORED
fails  short  journal  shut-late         KILLS=1 STRAYS=1 BUG_SHUT_LATE
fails  short  journal  no-guard          KILLS=1 STRAYS=1 BUG_NO_GUARD
fails  full   journal  child-notes       KILLS=1 FORK BUG_CHILD_NOTES
holds  short  dict     redo              OPS=1 KILLS=1
holds  short  dict     feed              WRITERS=1 OPS=3 KILLS=0 READERS=0 FEEDS=1
holds  full   dict     redo-2            OPS=2 KILLS=1
holds  full   dict     redo-crash        OPS=1 KILLS=2
holds  full   dict     feed-crash        OPS=2 KILLS=1 READERS=0 FEEDS=1
fails  short  dict     no-record         OPS=1 KILLS=1 BUG_NO_RECORD
fails  short  dict     count-first       OPS=1 KILLS=1 BUG_COUNT_FIRST
fails  short  dict     slot-first        OPS=1 KILLS=1 BUG_SLOT_FIRST
fails  short  dict     no-recovery       OPS=1 KILLS=1 BUG_NO_RECOVERY
fails  full   dict     not-zeroed        WRITERS=1 OPS=4 KILLS=0 BUG_NO_ZERO
fails  full   dict     slot-unchecked    WRITERS=1 OPS=4 KILLS=0 BUG_SLOT_UNCHECKED
fails  full   dict     version-unchecked WRITERS=1 OPS=4 KILLS=0 BUG_VERSION_UNCHECKED
fails  short  dict     no-margin         WRITERS=1 OPS=3 KILLS=0 READERS=0 FEEDS=1 BUG_MARGIN
holds  short  channel  wakeups           MSGS=2
holds  short  channel  leaves            MSGS=2 LEAVES
holds  short  channel  crash             NS=2 MSGS=1 NR=1 KILLS=1 SLICES=2
holds  short  channel  crash-peeked      MSGS=1 KILLS=1 SLICES=2
holds  full   channel  lazy              MSGS=3 LAZY
holds  full   channel  leaves-3          MSGS=3 LEAVES
holds  full   channel  senders           NS=2 MSGS=2 NR=1
holds  full   channel  crash-2           MSGS=2 KILLS=1 SLICES=2
holds  full   channel  crash-four        NS=2 MSGS=1 KILLS=1 SLICES=2
fails  short  channel  no-second-look    MSGS=3 LEAVES BUG_NO_SECOND_LOOK
fails  short  channel  head-unseen       MSGS=2 LEAVES BUG_NO_LOOK_AT_HEAD
fails  short  channel  flag-late         MSGS=2 BUG_FLAG_LATE
fails  short  channel  impatient         NS=2 MSGS=2 NR=1 BUG_IMPATIENT
fails  short  channel  no-baton          MSGS=3 LAZY BUG_NO_BATON
fails  short  channel  owner-late        NS=2 MSGS=1 NR=1 KILLS=1 SLICES=2 BUG_OWNER_LATE
fails  short  channel  no-orphans        MSGS=1 KILLS=1 SLICES=2 BUG_NO_ORPHANS
holds  short  broadcast block            SLOW=BLOCK LEAVES
holds  short  broadcast drop             SLOW=DROP HISTORY
holds  short  broadcast expel            SLOW=EXPEL HISTORY
holds  short  broadcast crash            SLOW=BLOCK KILLS=1 SLICES=1 LIVES=2
holds  full   broadcast crash-drop       SLOW=DROP KILLS=1 SLICES=1 LIVES=2 HISTORY
holds  full   broadcast crash-expel      SLOW=EXPEL KILLS=1 SLICES=1 LIVES=2
holds  full   broadcast readers          SLOW=BLOCK NR=2
holds  full   broadcast readers-drop     SLOW=DROP NR=2
holds  full   broadcast senders          SLOW=BLOCK NS=2 MSGS=2
holds  full   broadcast senders-drop     SLOW=DROP NS=2 MSGS=2
fails  short  broadcast one-look         SLOW=BLOCK BUG_ONE_LOOK
fails  short  broadcast floor-unseen     SLOW=BLOCK BUG_NO_SECOND_LOOK
fails  short  broadcast join-silent      SLOW=BLOCK BUG_JOIN_SILENT
fails  short  broadcast not-checked      SLOW=DROP BUG_NOT_CHECKED
fails  full   broadcast not-checked-2    SLOW=EXPEL BUG_NOT_CHECKED
fails  short  broadcast limit-late       SLOW=DROP BUG_LIMIT_LATE
fails  short  broadcast commit-silent    SLOW=DROP NS=2 MSGS=2 BUG_COMMIT_SILENT
fails  full   broadcast past-reserved    SLOW=DROP NS=2 MSGS=2 BUG_PAST_RESERVED
fails  full   broadcast clear-blind      SLOW=BLOCK MSGS=4 KILLS=1 SLICES=1 LIVES=2 BUG_CLEAR_BLIND
'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
optimise=-O0 memory_mib=1900 table=20
[ "$size" = full ] && optimise=-O2 memory_mib=6000 table=26
total=0 held=0 found=0 bad=0

# check WHAT MODEL NAME DEFINITION...: one run, one line.
check() {
    local what=$1 model=$2 name=$3 options=(-m2000000 "-w$table") flags=(-DSAFETY) defines=("${@:4}") start=$SECONDS
    [ "$what" = live ] && defines+=(LIVE)
    case " ${defines[*]} " in *" LIVE "*) options+=(-a -f -w22) flags=(-DNFAIR=4) ;; esac
    flags+=("$([ "$what" = fails ] && echo -O0 || echo "$optimise")")
    mkdir "$work/$model.$name"
    cd "$work/$model.$name"
    { spin -a "${defines[@]/#/-D}" "$here/$model.pml" >spin.log 2>&1 &&
        ${CC:-gcc} -w -DCOLLAPSE -DMEMLIM="$memory_mib" "${flags[@]}" -o pan pan.c &&
        ./pan "${options[@]}" >pan.log 2>&1; } || :
    local errors states answer memory
    errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' pan.log)
    states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.log)
    memory=$(sed -n 's/^ *\([0-9]*\)\..*total actual memory usage$/\1/p' pan.log)
    answer=$what
    if [ "$what" = fails ]; then
        [ "${errors:-0}" -gt 0 ] && found=$((found + 1)) || answer=MISSED
    elif [ "${errors:-1}" != 0 ] || grep -qE 'too small|out of memory|reached -DMEMLIM|aborting' pan.log; then
        answer=BROKEN
    else
        held=$((held + 1))
    fi
    total=$((total + ${states:-0}))
    printf '%-6s %-9s %-17s %10s states %5s MiB %4s s  %s\n' "$answer" "$model" "$name" "${states:--}" \
        "${memory:--}" "$((SECONDS - start))" "$(sed -n 's/^pan:1: //p' pan.log)"
    cd "$here"
    case $answer in
    BROKEN | MISSED)
        bad=$((bad + 1))
        tail -n 20 "$work/$model.$name"/*.log
        echo "to see the trail: spin -p -g -t ${defines[*]/#/-D} $model.pml"
        ;;
    esac
    rm -rf "${work:?}/$model.$name"
}

while read -r what when model name defines; do
    [ -n "$what" ] || continue
    case " $* " in *" $model "*) ;; *) continue ;; esac
    [ "$when" = short ] || [ "$size" = full ] || continue
    read -ra list <<<"$defines"
    check "$what" "$model" "$name" "${list[@]}"
done <<<"$runs"
echo "$held runs hold, $found controls are found, $bad are not as they must be; $total states"
[ $bad = 0 ]
