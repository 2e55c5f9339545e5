#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The completions of shms-cookie in bash, fish and zsh offer commands, their options, jars, hosts and cookies.
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cookie=$(dirname "$SHMS")/cookie/shms-cookie
[ -x "$cookie" ] || cookie=$(dirname "$SHMS")/shms-cookie # installed
[ -x "$cookie" ] || fail "no program $cookie"
transcript
shms() { "$SHMS" "$@"; }
shms-cookie() { "$cookie" "$@"; }
completed=shms-cookie
scripts=$SRC/tool/cookie/shms-cookie
mkdir "$work/bin" "$work/folder"
touch "$work/file"
ln -s "$(realpath "$SHMS")" "$work/bin/shms"
ln -s "$(realpath "$cookie")" "$work/bin/shms-cookie"
# shellcheck source=test/cli/completion.sh
. "$here/completion.sh"
. "$scripts.bash-completion"
complete -p shms-cookie

try create --size 1 "$id-no-jar"
printf '%s\n' sid=1 'lang=en; Domain=example.com' 'a b=1' | shms-cookie set --jar "$id jar" https://www.example.com/
echo x=1 | shms-cookie set --jar "Global\\$id" https://example.org/
offer shms-cookie ''
offer shms-cookie w
offer shms-cookie get --
offer shms-cookie get --jar "$id"
offer shms-cookie get --jar "'$id j"
offer shms-cookie get --jar "Global\\\\$id"
offer shms-cookie set --site l
offer shms-cookie set --site same --partition ''
offer shms-cookie get ''
offer shms-cookie ls --jar "$id jar" ''
offer shms-cookie ls --json --jar "$id jar" w
offer shms-cookie ls --jar "$id none" ''
offer shms-cookie rm --jar "$id jar" www.example.com ''
offer shms-cookie rm --jar "$id jar" www.example.com sid ''
offer shms-cookie lock --timeout 1 --jar "$id jar" ex
offer shms-cookie lock example.com -- offe
offer shms-cookie lock example.com -- cat "$work/fi"
offer shms-cookie curl -- -o "$work/fi"
offer shms-cookie host -- chrome
offer shms-cookie import "$work/fi"
offer shms-cookie export --jar x "$work/fo"
offer shms-cookie browser ''
offer shms-cookie browser --user install ''
offer shms-cookie browser install --user-data-dir "$work/f"
offer shms-cookie watch ''
offer shms-cookie nonsense --

# ---- what --help has
listed=$(_shms_cookie_commands | grep -v '^-')
printf '%s\n' "$listed" --help --version -h >"$work/commands"
for word in --help --version -h; do
    shms-cookie $word >"$work/.out" || fail "no $word"
done
for command in $listed; do
    helped "$command"
    _shms_cookie_options "$command" >"$work/offered"
    same bash "options of $command"
done
# Each kind of value or operand is known to all three, also those for which nothing is offered.
for command in $listed; do
    shms-cookie "$command" --help | sed -nE 's/^  --([a-z-]+) ([A-Z]+) .*/\1 \2/p' | sed 's/^jar NAME/jar JAR/; s/.* //'
    shms-cookie "$command" --help | sed -nE '1{s/.* \[OPTION\]\.\.\.//;s/ --.*//;p}' | grep -oE '[A-Z]+'
done >"$work/helped"
for file in "$scripts".*; do
    sed -n '/^\(function \)\?_*shms_cookie_kind\b/,/^\(}\|end\)$/p' "$file" | grep -E '^ *(case )?[A-Z]+( ?[|] ?[A-Z]+| [A-Z]+)*($| #|\))' |
        sed 's/[#)].*//' | grep -oE '[A-Z]+' >"$work/offered"
    same "$(basename "$file")" 'kinds of values and operands'
done
# The values of --site are the program's.
for site in $(_shms_cookie_kind FROM ''); do
    echo | shms-cookie set --jar "$id jar" --site "$site" https://example.com/ || fail "--site $site"
    grep -qE "same.* $site( |\$)|n' $site " "$scripts.fish" || fail "fish: --site $site"
    grep -qE "[( ]${site}[ )]" "$scripts.zsh" || fail "zsh: --site $site"
done

# ---- the other shells
if has fish; then
    fish_matches
    # A line, then the words that are offered for it.
    cat >"$work/lines" <<END
get --jar $id	$id jar
get --jar Global\\\\$id	Global\\$id
set --site l	lax	lax-unsafe
set --partition 
get 
ls --jar $id\\ jar 	example.com	www.example.com
rm --jar $id\\ jar www.example.com 	sid
rm --jar $id\\ jar www.example.com sid 
lock --timeout 1 --jar $id\\ jar ex	example.com
lock x -- cat $work/fil	$work/file
curl -- -o $work/fil	$work/file
import $work/fil	$work/file
browser 	install	uninstall
browser --user install 	all	chromium	firefox
browser install --user-data-dir $work/fo	$work/folder/
watch 
END
    cut -f 1 "$work/lines" | sed 's/^/shms-cookie /' | fish_offers >"$work/offered"
    sed 's/^/== shms-cookie /' "$work/lines" | tr '\t' '\n' >"$work/helped"
    diff "$work/helped" "$work/offered" >&2 || fail 'fish: what may follow'
fi

if has zsh; then
    zsh_matches 's/^(--[a-z-]+)\[.*/\1/p' 's/^([a-z-]+):.*/\1/p'
    printf 'shms-cookie %s\n' rm browser 'lock x -- cat' 'curl -- --head' 'host -- x' | zsh_offers | sed 's/\[.*\]/[]/' >"$work/offered"
    cat >"$work/helped" <<'END'
== shms-cookie rm
1:HOST:_shms_cookie_hosts
2:NAME:_shms_cookie_names
--jar[]:JAR:_shms_cookie_jars
--partition[]:SITE: 
--all[]
--help[]
== shms-cookie browser
1:install or uninstall:(install uninstall)
2:chromium or firefox or all:(chromium firefox all)
--jar[]:JAR:_shms_cookie_jars
--user[]
--system[]
--user-data-dir[]:DIR:_files -/
--help[]
== shms-cookie lock x -- cat
2: cat 
== shms-cookie curl -- --head
3: curl --head 
== shms-cookie host -- x
END
    diff "$work/helped" "$work/offered" >&2 || fail 'zsh: what may follow'
    # What it calls for a kind, when words are there.
    cat >"$work/kinds.zsh" <<'END'
_arguments() { : }
compadd() { local -a offered; offered=(${(P)2}); print -rl -- "$kind "${^offered} }
words=(shms-cookie ls '') CURRENT=3
source $1
words=(rm --jar ${(q)2} www.example.com '') CURRENT=5
for kind in jars hosts names; do
    _shms_cookie_$kind
done
END
    PATH=$work/bin:$PATH zsh -f "$work/kinds.zsh" "$scripts.zsh" "$id jar" | grep -E "^[hn]|$id" >"$work/offered"
    printf '%s\n' "jars Global\\$id" "jars $id jar" 'hosts example.com' 'hosts www.example.com' 'names sid' >"$work/helped"
    same zsh 'jars, hosts and names'
fi
"$SHMS" rm "$id jar" "Global\\$id" "$id-no-jar"
finish
