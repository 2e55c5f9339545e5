#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The completion of bash offers commands, their options, and names of regions.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript
shms() {
    "$SHMS" "$@"
}
. "$SRC/tool/shms.bash-completion"
complete -p shms

# What is offered for the last of the words.
offer() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _shms
    echo "\$ $*"
    [ ${#COMPREPLY[@]} = 0 ] || printf '    %s\n' "${COMPREPLY[@]}"
}

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
offer shms nonsense --
for command in $(_shms_commands | grep -v '^-'); do
    "$SHMS" "$command" --help | grep '^  ' | grep -oE -- ' --[a-z-]+ ' | tr -d ' ' >"$work/options"
    diff "$work/options" <(_shms_options "$command") || fail "options of $command"
done
finish
