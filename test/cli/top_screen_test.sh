#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shms top on a terminal, which is one of tmux: what appears, keys, sizes, signals, and that it is left as it was.
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
command -v tmux >/dev/null || { echo "SKIP: no tmux (ci/setup test)"; exit 77; }
export LC_ALL=C.UTF-8

# ---- a terminal with a shell in it, which puts nothing right behind a command
cat >"$work/top" <<'END'
trap : INT
stty -g >"$work/before"
bash -c 'echo $$ >"$work/pid"; exec "$SHMS" top "$@"' top "$@"
echo "ended: $?"
stty -g >"$work/after"
mv "$work/after" "$work/left"
END
cat >"$work/rc" <<'END'
PS1='$ '
unset HISTFILE
top() { bash "$work/top" "$@"; }
END
terminal=(tmux -L "$id" -f /dev/null -u)
close_terminal() {
    "${terminal[@]}" kill-server 2>/dev/null
    until_true gone
    "$SHMS" rm "$id*" 2>/dev/null
    cleanup
}
gone() { ! "${terminal[@]}" has-session 2>/dev/null; }
trap close_terminal EXIT
"${terminal[@]}" new-session -d -x 140 -y 20 "exec bash --noprofile --rcfile '$work/rc'" || fail "no tmux session"
picture() { "${terminal[@]}" capture-pane -p; }
shown() { picture | grep -qE -- "$1"; }
not_shown() { ! shown "$1"; }
# see PATTERN: wait until it is there, or tell what is there instead
see() {
    (until_true shown "$1") 2>/dev/null && return
    picture >&2
    fail "not shown: $1"
}
press() { "${terminal[@]}" send-keys "$@"; }
enter() { # a line, for the shell
    rm -f "$work/left" "$work/before" "$work/pid"
    press -l "$1"
    press Enter
}
first_is() { picture | sed -n 3p | grep -q " $1\$"; }
is_stopped() { grep -q '^State:.*stopped' "/proc/$pid/status"; }
as_before() {
    until_true test -s "$work/left"
    cmp "$work/before" "$work/left" || fail "the terminal is not as it was: $1"
}
see '^\$'
enter 'top nothing-'; see '^q quit|without ncursesw'
if shown 'without ncursesw'; then
    as_before 'not built'
    echo "SKIP: shms was built without ncursesw (ci/setup top)"
    exit 77
fi
press q; as_before 'nothing'
enter 'top --once nothing-'; see '^0 regions'; as_before once
shown '^ *RATE/S USERS ' || fail "no lines, with --once"

# ---- what appears
"$SHMS" create --size 4K "$id-busy"
"$SHMS" create --size 2M "$id-kept"
"$SHMS" create --size 4K "$id-held"
"$SHMS" create --size 4K "$id-died"
"$SHMS" create --size 1 "$id-"$'x\033[31mred\u202e\n'
"$SHMS" create --size 1 "$id-日本"
"$SHMS" lock "$id-held" -- cat "$work/never" & ends_with_test $!
until_true field_is "$id-held" lock held
holder=$(field "$id-held" holder_pid)
"$SHMS" read --timeout forever "$id-held" >/dev/null & ends_with_test $!
until_true field_is "$id-held" waiters 1
# shellcheck disable=SC2016 # the shell is to expand it
"$SHMS" lock "$id-died" -- sh -c 'kill -KILL $PPID'
touch "$work/go"
(while [ -e "$work/go" ]; do echo x | "$SHMS" write "$id-busy" 2>/dev/null; done) & ends_with_test $!
enter "top --interval 200ms '$id*'"
see '^6 regions, .* left by a crash; [0-9.]+ changes/s'
see "^ +[1-9][0-9.]* .*█.* $id-busy\$"
see "^ +0 .* $holder +1 .*live +stream +$id-held\$"
see "dead .* $id-died\$"
see "kept +stream +$id-x\?\[31mred\?\?\$"
see " $id-日本\$"
see '^q quit .*order: rate '
tty=$("${terminal[@]}" display-message -p '#{pane_tty}')
[ "$(stty -g <"$tty")" != "$(cat "$work/before")" ] || fail "the terminal is as ever, so this is blind"

# ---- keys
press s; see 'order: users '
press s s; see 'order: memory '
until_true first_is "$id-kept"
press r; see 'order: memory, reversed'
press r p; see '^PAUSED '
"$SHMS" rm "$id-kept"
press j k; see " $id-kept\$"
press p; until_true not_shown " $id-kept\$"
press Home; until_true not_shown PAUSED
# All about the one that is chosen.
press s s; see 'order: name '
press Enter; see "^name +$id-busy\$"; see '^kind +stream'
press q; see '^q quit'
press j j Enter; see "^lock +held by process $holder"
press Escape; see '^q quit'
press Home Enter; see "^name +$id-busy\$"
rm "$work/go"
until_true "$SHMS" rm "$id-busy"
see '^it is gone'
press q; see '^4 regions'

# ---- sizes
for size in '20 5' '60 10' '7 3' '1 1' '300 60' '140 20'; do
    "${terminal[@]}" resize-window -x "${size% *}" -y "${size#* }"
    case $size in
    '20 5') see '^ *RATE/S NAME$'; see '^4 regions, 1 live, 1$'; see '^q quit' ;;
    '60 10') see '^ *RATE/S USERS ' ;;
    '7 3') see '^4 regio$' ;;
    '1 1') until_true test "$(picture | wc -l)" = 1 ;;
    *) see 'enter all about one$' ;;
    esac
done

# ---- ends, and each time the terminal is as it was
press q; see '^ended: 0'; as_before q
see "^\\$ top --interval 200ms" # what stood there before stands there again
for signal in TERM INT HUP; do
    enter "top --interval 100ms '$id*'"; see '^q quit'
    kill -$signal "$(cat "$work/pid")"
    see "^ended: $((128 + $(kill -l $signal)))"; as_before $signal
    enter clear; until_true not_shown ended
done
enter "top '$id*'"; see '^q quit'
press C-c; see '^ended: 130'; as_before Ctrl-C
enter clear; until_true not_shown ended
enter "top '$id*'"; see '^q quit'
pid=$(cat "$work/pid")
kill -TSTP "$pid"; see "^\\$ top '" # without its shell, which is still in front
until_true is_stopped
[ "$(stty -g <"$tty")" = "$(cat "$work/before")" ] || fail "the terminal is not as it was: stopped"
kill -CONT "$pid"; see '^q quit'
press q; see '^ended: 0'; as_before TSTP
enter "$SHMS top '$id*'"; see '^q quit' # with its shell
press C-z; see Stopped
enter fg; see '^q quit'; see " $id-held\$"
press q; until_true not_shown '^q quit'

# ---- many
enter clear
for i in $(seq 100 399); do "$SHMS" create --size 1 "$id-m$i"; done
enter "top --sort name '$id-m*'"; see "^300 regions"; see " $id-m100\$"
press End; see " $id-m399\$"; not_shown " $id-m100\$" || fail "the first and the last of 300"
press PageUp PageUp; see " $id-m367\$"
"$SHMS" rm "$id-m*"; see '^0 regions'
press Enter j G; see '^q quit'
press q; see '^ended: 0'

# ---- terminals of other kinds
for term in dumb none-such ''; do
    enter clear; until_true not_shown ended
    enter "TERM=$term top --interval 100ms $id-held"; see '^1 region,'
    shown '^q quit' && fail "TERM=$term, and live"
    press C-c; see 'ended: 130'; as_before "TERM=$term"
done
enter clear; until_true not_shown ended
enter "LC_ALL=C top '$id*'"; see " $id-\?+\$"
press q; see '^ended: 0'
