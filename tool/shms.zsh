#compdef shms
# SPDX-License-Identifier: MIT
# Completion of shms(1) in zsh. Commands and options are asked of --help, so they are those of the shms at hand.

# "name:what it does" of each command.
_shms_commands() {
    local line
    shms --help | while IFS= read -r line; do
        [[ $line =~ '^  (--help|--version|[a-z]+) +(.*)' ]] && print -r -- "$match[1]:$match[2]"
    done
    print -rl -- 'help:Show the help of a command' '-h:Show the help' '-V:Show the version'
}

_shms_regions() {
    local -a names
    names=(${(f)"$(shms ls -q 2>/dev/null)"})
    compadd -a names
}

# What completes the value of an option: $1 its name, $2 the word in capitals that --help has behind it.
_shms_action() {
    case $1,$2 in
    *,FILE) print -r -- _files ;;
    *,USER) print -r -- '(self root any)' ;;
    --evict,*) print -r -- '(none lru)' ;;
    --sort,*) print -r -- '(rate users waiters memory age name)' ;;
    --slow,*) print -r -- '(block drop expel)' ;;
    *,PID) print -r -- _pids ;;
    *) print -r -- ' ' ;;
    esac
}

# For _arguments, a line for each way to write each option of the command $1.
_shms_options() {
    local line short long value text
    shms $1 --help 2>/dev/null | while IFS= read -r line; do
        [[ $line =~ '^  (-.|  )[, ] (--[a-z-]+) ?([A-Z]*) +(.*)' ]] || continue
        short=$match[1] long=$match[2] value=$match[3] text=${match[4]//(#m)[\[\]:\\]/\\$MATCH}
        [[ -z $value ]] || value=":$value:$(_shms_action $long $value)"
        [[ $short != -* ]] || print -r -- "($short $long)${short}[${text}]$value"
        [[ $short != -* ]] && short= || short="($short $long)"
        print -r -- "${short}${long}[${text}]$value"
    done
}

_shms() {
    setopt localoptions extendedglob
    local command=$words[2]
    local -a commands options
    integer dashes=${words[(i)--]}
    if ((CURRENT == 2)) || [[ $command == help ]]; then
        commands=(${(f)"$(_shms_commands)"})
        [[ $command == help ]] && commands=(${commands:#-*})
        _describe command commands
        return
    fi
    if [[ $command == (lock|run) ]] && ((dashes < CURRENT)); then
        shift $dashes words
        ((CURRENT -= dashes))
        _normal
        return
    fi
    options=(${(f)"$(_shms_options $command)"})
    shift words
    ((CURRENT--))
    case $command in
    dict) options+=('1:what:(create)') ;;
    create | sweep | bench) ;;
    *) options+=('*:region:_shms_regions') ;;
    esac
    _arguments $options
}

_shms "$@"
