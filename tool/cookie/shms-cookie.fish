# SPDX-License-Identifier: MIT
# Completion of shms-cookie(1) in fish. Commands, options and operands are asked of --help, so they are those of the
# shms-cookie at hand.

function __shms_cookie_commands
    shms-cookie --help | string replace -rf -- '^  ([a-z]+)  +(.*)' '$1'\t'$2'
    printf '%s\t%s\n' --help 'Show the help' --version 'Show the version' -h 'Show the help'
end

# Each option, a tab, and what it does.
function __shms_cookie_options
    shms-cookie $argv[1] --help 2>/dev/null | string replace -rf -- '^  (--[a-z-]+)(?: [A-Z]+)? +(.*)' '$1'\t'$2'
end

# The kind of value that an option takes: the word in capitals behind it in --help, or nothing.
function __shms_cookie_value
    shms-cookie $argv[1] --help 2>/dev/null | string replace -rf -- "^  $argv[2] ([A-Z]+) .*" '$1'
end

# The kind of operand number $argv[2] of a command, by its usage: HOST, FILE, install|uninstall; or nothing.
function __shms_cookie_operand
    set -l usage (shms-cookie $argv[1] --help 2>/dev/null)[1]
    set -l kinds (string replace -r -- '.* \[OPTION\]\.\.\. ?' '' "$usage" | string replace -r -- ' ?--.*' '' |
        string replace -ra -- '[][]' '' | string split -n ' ')
    test $argv[2] -le (count $kinds); and echo $kinds[$argv[2]]
end

# Names of dicts, which jars are.
function __shms_cookie_jars
    shms ls --json 2>/dev/null | string match -e -- '"kind": "dict"' |
        string replace -rf -- '^ \{"name": "(.*)", "state": .*' '$1' | string replace -ra -- '\\\\(["\\\\])' '$1'
end

# What there is of a kind: $argv[1] the kind, $argv[2] the operand before, then --jar if it was given.
function __shms_cookie_kind
    switch "$argv[1]"
        case '*|*'
            string split '|' $argv[1]
        case DIR
            __fish_complete_directories (commandline -ct) ''
        case FILE
            __fish_complete_path (commandline -ct)
        case FROM
            printf '%s\n' same lax lax-unsafe cross
        case HOST
            shms-cookie ls $argv[3..] 2>/dev/null | string replace -r -- '^\.?([^ ]*) .*' '$1' | sort -u
        case JAR
            __shms_cookie_jars
        case NAME # those that have no blank in them
            shms-cookie ls $argv[3..] $argv[2] 2>/dev/null | string replace -rf -- '^[^ ]* ([^ ]+) /.*' '$1' | sort -u
        case SITE TIME URL
    end
end

# What may follow behind --: $argv[1] the command, $argv[2] how many words are there already, $argv[3] the word.
function __shms_cookie_program
    switch "$argv[1],$argv[2]"
        case lock,0
            __fish_complete_command
        case 'lock,*'
            __fish_complete_path $argv[3]
        case 'curl,*'
            complete -C "curl $argv[3]"
    end
end

function __shms_cookie
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l before ''
    set -l operands 1
    set -l jar
    if test (count $words) = 1
        __shms_cookie_commands
        return
    end
    set -l i 3
    while test $i -le (count $words)
        set -l value
        if test "$words[$i]" = --
            __shms_cookie_program $words[2] (math (count $words) - $i) "$word"
            return
        end
        string match -q -- '--*' $words[$i]; and set value (__shms_cookie_value $words[2] $words[$i])
        if test -n "$value" -a $i = (count $words)
            test $words[$i] = --jar; and set value JAR
            __shms_cookie_kind $value
            return
        else if test -n "$value"
            test $words[$i] = --jar; and set jar --jar $words[(math $i + 1)]
            set i (math $i + 1)
        else if not string match -q -- '-*' $words[$i]
            set before $words[$i]
            set operands (math $operands + 1)
        end
        set i (math $i + 1)
    end
    if string match -q -- '-*' "$word"
        __shms_cookie_options $words[2]
    else
        __shms_cookie_kind "$(__shms_cookie_operand $words[2] $operands)" "$before" $jar
    end
end

complete -c shms-cookie -f -a '(__shms_cookie)'
