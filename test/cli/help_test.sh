#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Help and version; the manual page names every command and option that there is, and no other.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript

commands=$("$SHMS" --help | sed -nE 's/^  ([a-z]+)  .*/\1/p')
try
try --help
try --version
try -V
try help lock extra
try help nonsense
try nonsense
for command in $commands; do
    try "$command" --help
    [ "$("$SHMS" help "$command")" = "$("$SHMS" "$command" --help)" ] || fail "shms help $command differs"
done
[ "$("$SHMS" help)" = "$("$SHMS" --help)" ] || fail "shms help is not shms --help"

# Options of a command by its help, and by its section of the page with the section on common options.
helped() {
    "$SHMS" "$1" --help | sed -nE 's/^  (-., |    )--([a-z-]+) .*/\2/p' | grep -v '^help$' | sort -u
}
section() {
    sed -n "/^\.Ss $1\$/,/^\.S[sh]/p" "$page" | sed -nE 's/^\.It Fl (. , )?-([a-z-]+).*/\2/p' | sort -u
}
page=$SRC/doc/shms.1
section 'Options of several commands' >"$work/common"
for command in $commands; do
    grep -q "^\.Ss $command\$" "$page" || fail "shms.1 has no section $command"
    helped "$command" >"$work/helped"
    section "$command" >"$work/own"
    missing=$(sort -u "$work/own" "$work/common" | comm -13 - "$work/helped")
    excess=$(comm -23 "$work/own" "$work/helped")
    [ -z "$missing$excess" ] || fail "shms.1, $command: missing: $missing, not in the program: $excess"
done
extra=$(sed -n '/^\.Sh COMMANDS/,/^\.Sh VALUES/p' "$page" | sed -nE 's/^\.Ss ([a-z]+)$/\1/p' | grep -vxF "$commands")
[ -z "$extra" ] || fail "shms.1 has commands that the program has not: $extra"

# A macro counts at the beginning of a line only; elsewhere its name is printed.
for name in shms.1 shms-cookie.1; do
    stray=$(grep -nE '^.+ \.[A-Z][a-z]( |$)' "$SRC/doc/$name")
    [ -z "$stray" ] || fail "$name shows a macro: $stray"
done

if command -v mandoc >/dev/null; then
    mandoc -Tlint -W warning "$page" >&2 || fail "mandoc complains about shms.1"
else
    echo "not checked, no mandoc: the form of shms.1" >&2
fi
finish
