#compdef shms-cookie
# SPDX-License-Identifier: MIT
# Completion of shms-cookie(1) in zsh. Commands, options and operands are asked of --help, so they are those of the
# shms-cookie at hand.

# "name:what it does" of each command.
_shms_cookie_commands() {
    local line
    shms-cookie --help | while IFS= read -r line; do
        [[ $line =~ '^  ([a-z]+)  +(.*)' ]] && print -r -- "$match[1]:$match[2]"
    done
    print -rl -- '--help:Show the help' '--version:Show the version' '-h:Show the help'
}

# Names of dicts, which jars are.
_shms_cookie_jars() {
    local -a names
    names=(${(f)"$(shms ls --json 2>/dev/null | sed -nE '/"kind": "dict"/s/^ \{"name": "(.*)", "state": .*/\1/p' |
        sed -E 's/\\(["\\])/\1/g')"})
    compadd -a names
}

# --jar with its value, if it is in the line.
_shms_cookie_jar() {
    integer at=${words[(i)--jar]}
    ((at < $#words)) && reply=(--jar "${(Q)words[at + 1]}") || reply=()
}

_shms_cookie_hosts() {
    local -a names reply
    _shms_cookie_jar
    names=(${(f)"$(shms-cookie ls $reply 2>/dev/null | sed -E 's/^\.?([^ ]*) .*/\1/' | sort -u)"})
    compadd -a names
}

# Names of cookies of the host before that have no blank in them.
_shms_cookie_names() {
    local -a names reply
    _shms_cookie_jar
    names=(${(f)"$(shms-cookie ls $reply "${(Q)words[CURRENT - 1]}" 2>/dev/null | sed -nE 's/^[^ ]* ([^ ]+) \/.*/\1/p' |
        sort -u)"})
    compadd -a names
}

# What completes a kind, the word in capitals that --help has for it. The value of --jar is of the kind JAR.
_shms_cookie_kind() {
    case $1 in
    *'|'*) print -r -- "(${1//|/ })" ;;
    DIR) print -r -- '_files -/' ;;
    FILE) print -r -- _files ;;
    FROM) print -r -- '(same lax lax-unsafe cross)' ;;
    HOST) print -r -- _shms_cookie_hosts ;;
    JAR) print -r -- _shms_cookie_jars ;;
    NAME) print -r -- _shms_cookie_names ;;
    SITE | TIME | URL) print -r -- ' ' ;;
    esac
}

# For _arguments, a line for each option and operand of the command $1.
_shms_cookie_arguments() {
    local line long kind text
    integer n=0
    shms-cookie $1 --help 2>/dev/null | while IFS= read -r line; do
        if [[ $line == usage:* ]]; then
            for kind in ${${(s: :)${${line#*\[OPTION\]...}%% --*}//[\[\]]/}}; do
                print -r -- "$((++n)):${kind//|/ or }:$(_shms_cookie_kind $kind)"
            done
        elif [[ $line =~ '^  (--[a-z-]+) ?([A-Z]*) +(.*)' ]]; then
            long=$match[1] kind=$match[2] text=${match[3]//(#m)[\[\]:\\]/\\$MATCH}
            [[ $long != --jar ]] || kind=JAR
            print -r -- "${long}[${text}]${kind:+:$kind:$(_shms_cookie_kind $kind)}"
        fi
    done
}

_shms_cookie() {
    setopt localoptions extendedglob
    local command=$words[2]
    local -a commands arguments
    integer dashes=${words[(i)--]}
    if ((CURRENT == 2)); then
        commands=(${(f)"$(_shms_cookie_commands)"})
        _describe command commands
        return
    fi
    if ((dashes < CURRENT)); then
        [[ $command == (lock|curl) ]] || return
        shift $dashes words
        ((CURRENT -= dashes))
        if [[ $command == curl ]]; then
            words=(curl "$words[@]")
            ((CURRENT++))
        fi
        _normal
        return
    fi
    arguments=(${(f)"$(_shms_cookie_arguments $command)"})
    shift words
    ((CURRENT--))
    _arguments $arguments
}

_shms_cookie "$@"
