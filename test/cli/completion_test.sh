#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The completions of bash, fish and zsh offer commands, their options, and names of regions.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript
shms() {
    "$SHMS" "$@"
}
completed=shms
scripts=$SRC/tool/shms
mkdir "$work/bin"
ln -s "$(realpath "$SHMS")" "$work/bin/shms"
# shellcheck source=test/cli/completion.sh
. "$here/completion.sh"
. "$scripts.bash-completion"
complete -p shms

try create --size 1 "Global\\$id"
try create --size 1 "$id a"
try create --size 1 "$id-b"
offer shms ''
offer shms --
offer shms re
offer shms read --
offer shms copy "$id-b" --t
offer shms lock "$id-b" --timeout ''
offer shms watch --owner r
offer shms read "$id"
offer shms read "$id\\ "
offer shms read "'Global\\$id"
offer shms read "Global\\\\$id"
offer shms create "$id"
touch "$work/file"
offer shms copy "$id-b" --to "$work/fi"
offer shms lock "$id-b" -- offe
offer shms lock "$id-b" -- cat "$work/fi"
offer shms dict ''
offer shms dict create --evict l
offer shms top --sort m
offer shms top "$id-"
offer shms nonsense --
offer shms help re

# ---- options and commands of all three against --help
listed=$(_shms_commands | grep -vE '^(-.*|help)$')
for command in $listed; do
    helped "$command"
    sed -i '/^-.$/d' "$work/helped" # only long ones are offered here
    _shms_options "$command" >"$work/offered"
    same bash "options of $command"
done
printf '%s\n' "$listed" help --help --version -h -V >"$work/commands"
cp "$work/commands" "$work/helped"
_shms_commands >"$work/offered"
same bash commands

if has fish; then
    fish_matches
    printf '%s\n' 'shms dict create --evict ' 'shms top --sort ' "shms read $id" "shms copy $id --to $work/fil" "shms lock $id -- cat $work/fil" \
        'shms help resi' 'shms read --timeout ' 'shms create ' | fish_offers | sort >"$work/offered"
    printf '%s\n' '== shms dict create --evict ' none lru '== shms top --sort ' rate users waiters memory age name "== shms read $id" "$id a" "$id-b" "== shms copy $id --to $work/fil" \
        "$work/file" "== shms lock $id -- cat $work/fil" "$work/file" '== shms help resi' resize '== shms read --timeout ' \
        '== shms create ' | sort >"$work/helped"
    same fish 'what may follow'
fi

if has zsh; then
    zsh_matches 's/^(\([^)]*\))?(-[a-z-]+)\[.*/\2/p' 's/^([a-zV-]+):.*/\1/p'
    # An option has a value here if it has one in --help, and some value can be completed.
    for command in $listed; do
        "$SHMS" "$command" --help | sed -nE "s/^  (-., |    )--([a-z-]+) ([A-Z]+) .*/$command \2 \3/p"
    done >"$work/helped"
    awk '/^== / { command = $3 } match($0, /--[a-z-]+\[/) && match($0, /\]:[A-Z]+:/) {
        value = substr($0, RSTART + 2, RLENGTH - 3); sub(/\[.*/, ""); sub(/.*--/, ""); print command, $0, value }' \
        "$work/zsh" >"$work/offered"
    same zsh 'options with a value'
    grep -q -- '--evict\[.*:(none lru)$' "$work/zsh" || fail "zsh: the policies"
    grep -q -- '--sort\[.*:(rate users waiters memory age name)$' "$work/zsh" || fail "zsh: the orders"
    grep -q -- '--to\[.*:_files$' "$work/zsh" || fail "zsh: a file"
    [ "$(echo "shms lock $id -- cat" | zsh_offers | tail -n 1)" = "2: cat " ] || fail "zsh: the command behind --"
fi
finish
