# SPDX-License-Identifier: MIT
# Completion of shms(1) in fish. Commands and options are asked of --help, so they are those of the shms at hand.

function __shms_commands
    shms --help | string replace -rf -- '^  (--help|--version|[a-z]+) +(.*)' '$1'\t'$2'
    printf '%s\t%s\n' help 'Show the help of a command' -h 'Show the help' -V 'Show the version'
end

# Each option as it is written, a tab, and what it does.
function __shms_options
    shms $argv[1] --help 2>/dev/null | string replace -rf -- '^  (?:-., |    )(--[a-z-]+)(?: [A-Z]+)? +(.*)' '$1'\t'$2'
    shms $argv[1] --help 2>/dev/null | string replace -rf -- '^  (-.), --[a-z-]+(?: [A-Z]+)? +(.*)' '$1'\t'$2'
end

# The kind of value that an option takes: the word in capitals behind it in --help, or nothing.
function __shms_value
    for line in (shms $argv[1] --help 2>/dev/null)
        set -l parts (string match -r -- '^  (-.|  )[, ] (--[a-z-]+) ([A-Z]+) ' $line)
        or continue
        contains -- $argv[2] $parts[2] $parts[3]; and echo $parts[4]
    end
end

# What may follow in a line of one command: $argv[1] the command, $argv[2] the word before, $argv[3] the word.
function __shms_operands
    set -l value
    string match -q -- '-*' $argv[2]; and set value (__shms_value $argv[1] $argv[2])
    switch "$argv[2],$value"
        case '*,FILE'
            __fish_complete_path $argv[3]
        case '*,USER'
            printf '%s\n' self root any
        case '--evict,*'
            printf '%s\n' none lru
        case '--sort,*'
            printf '%s\n' rate users waiters memory age name
        case '--slow,*'
            printf '%s\n' block drop expel
        case '*,PID'
            __fish_complete_pids
        case '*,'
            switch "$argv[1],$argv[3]"
                case '*,-*'
                    __shms_options $argv[1]
                case 'help,*'
                    __shms_commands | string match -r -- '^[a-z].*'
                case 'dict,*'
                    echo create
                case 'create,*' 'sweep,*' 'bench,*'
                case '*'
                    shms ls -q 2>/dev/null
            end
    end
end

function __shms
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    if test (count $words) = 1
        __shms_commands
        return
    end
    set -l dashes (contains -i -- -- $words)
    if test -n "$dashes"; and contains -- $words[2] lock run
        if test $dashes = (count $words)
            __fish_complete_command
        else
            __fish_complete_path $word
        end
        return
    end
    __shms_operands $words[2] $words[-1] "$word"
end

complete -c shms -f -a '(__shms)'
