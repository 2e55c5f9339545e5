# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests of completions share. Set before: completed, the program; scripts, the path of its completions without
# what their names end with; and $work/bin, where the program is to be found.
: "${completed:?the program}" "${scripts:?the path of its completions}" "${work:?}"

# What bash offers for the last of the words.
offer() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    "_${completed//-/_}"
    echo "\$ $*"
    [ ${#COMPREPLY[@]} = 0 ] || printf '    %s\n' "${COMPREPLY[@]}"
}

# same SHELL WHAT: what stands in two files is the same set
same() {
    diff <(sort -u "$work/helped") <(sort -u "$work/offered") >&2 || fail "$1: $2"
}

# Each option of a command as it is written, short and long.
helped() {
    "$completed" "$1" --help | sed -nE 's/^  (-.), (--[a-z-]+) .*/\1\n\2/p; s/^ +(--[a-z-]+) .*/\1/p' >"$work/helped"
    [ -s "$work/helped" ] || fail "$1 has no option, so this is blind"
}

# What fish offers for each line of the file, without what it says of it; a line "== LINE" before.
fish_offers() {
    # shellcheck disable=SC2016 # fish is to expand it
    HOME=$work PATH=$work/bin:$PATH fish --no-config -c 'source $argv[1]
        while read -l line; echo "== $line"; complete -C "$line" | string replace -r "\t.*" ""; end' "$scripts.fish"
}

# What the completion of zsh hands to the functions of zsh that complete, for each line of the file.
zsh_offers() {
    cat >"$work/offers.zsh" <<'END'
_arguments() { print -rl -- $@ }
_describe() { print -rl -- ${(P)2} }
compadd() { print -rl -- ${(P)2} }
_normal() { print -r -- "$CURRENT: $words" }
script=$1
while IFS= read -r line; do
    words=(${(s: :)line} "")
    CURRENT=$#words
    print -r -- "== $line"
    source $script
done
END
    PATH=$work/bin:$PATH zsh -f "$work/offers.zsh" "$scripts.zsh"
}

# fish_matches, zsh_matches PATTERN COMMANDS: the commands, those of $work/commands, and the options of each of $listed.
# For zsh, what sed takes out of a line that is an option or a command. listed: the commands to look at.
# shellcheck disable=SC2154
fish_matches() {
    local command
    for command in $listed; do printf '%s %s -\n' "$completed" "$command"; done | fish_offers >"$work/fish"
    for command in $listed; do
        helped "$command"
        sed -n "/^== $completed $command -\$/,/^== /p" "$work/fish" | grep -v '^==' >"$work/offered"
        same fish "options of $command"
    done
    cp "$work/commands" "$work/helped"
    printf "$completed %s\n" '' - | fish_offers | grep -v '^==' >"$work/offered"
    same fish commands
}
# shellcheck disable=SC2154
zsh_matches() {
    local command
    for command in $listed; do printf '%s %s\n' "$completed" "$command"; done | zsh_offers >"$work/zsh"
    for command in $listed; do
        helped "$command"
        sed -n "/^== $completed $command\$/,/^== /p" "$work/zsh" | sed -nE "$1" >"$work/offered"
        same zsh "options of $command"
    done
    cp "$work/commands" "$work/helped"
    echo "$completed" | zsh_offers | sed -nE "$2" >"$work/offered"
    same zsh commands
}

# has SHELL: whether it is there to be tested
has() {
    command -v "$1" >/dev/null && return
    echo "not checked, no $1: $scripts.$1" >&2
    return 1
}
