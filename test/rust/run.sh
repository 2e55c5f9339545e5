#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh STEP: the binding to Rust, off-line. BUILD and SRC are set by CTest. Everything is done in a copy of binding/rust.
#   tests      cargo test: unit and process tests, the documentation, codes and structs beside the header
#   clippy     no warnings
#   bench      a report: what calls cost beside C and std; SECONDS_EACH for one of them
#   package    cargo package; a new project uses what was packed: it is the programs of the README, which run
# Where libshmstream-jar was built, with the feature jar.
set -euo pipefail

work=$BUILD/test/rust
copy=$work/source
command -v cargo >/dev/null || { echo "SKIP: no cargo (ci/setup rust)"; exit 77; }
export SHMSTREAM_LIB_DIR=$BUILD SHMS_INCLUDE=$SRC/include CARGO_TARGET_DIR=$work/target
tmp=$(mktemp -d)
beside=
trap '[ -z "$beside" ] || kill "$beside" 2>/dev/null || true; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }
jar=()
[ ! -e "$BUILD/src/jar/libshmstream-jar.a" ] || jar=(--features jar)

mkdir -p "$work"
rm -rf "$copy"
cp -r "$SRC/binding/rust" "$copy"
cd "$copy"

tests() { cargo test --offline --quiet "${jar[@]}"; }

clippy() {
    command -v cargo-clippy >/dev/null || { echo "SKIP: no cargo-clippy (ci/setup rust)"; exit 77; }
    cargo clippy --offline --all-targets --quiet -- -D warnings
    [ ${#jar[@]} -eq 0 ] || cargo clippy --offline --all-targets --quiet "${jar[@]}" -- -D warnings
}

bench() {
    mkdir -p shmstream/examples
    cp "$SRC/test/rust/bench.rs" shmstream/examples
    cargo build --offline --quiet --release -p shmstream --example bench
    "$CARGO_TARGET_DIR/release/examples/bench" "${SECONDS_EACH:-0.02}"
}

# pack: both packages, unpacked into $tmp/shmstream-sys and $tmp/shmstream
pack() {
    local options=(--offline --no-verify --allow-dirty --quiet) name
    rm -rf "$CARGO_TARGET_DIR/package"
    # An older cargo packs one at a time, a newer one wants both at once.
    cargo package --workspace "${options[@]}" 2>"$tmp/said" || {
        cargo package -p shmstream-sys "${options[@]}"
        cargo package -p shmstream "${options[@]}"
    }
    for name in shmstream-sys shmstream; do
        mkdir "$tmp/$name"
        tar -xzf "$CARGO_TARGET_DIR/package/$name-0.2.0.crate" -C "$tmp/$name" --strip-components=1
    done
}

# program N NAME: the Nth program of the README, with names of its own
program() {
    awk -v n="$1" '/^```rust$/ { i++; on = i == n; next } /^```$/ { on = 0 } on' "$copy/README.md" |
        sed -E "s/\"(visits|jobs|config|nightly|cookies)\"/\"test-rust-\\1-$$\"/" >"$tmp/app/src/bin/$2.rs"
    [ -s "$tmp/app/src/bin/$2.rs" ] || fail "no program $1 in the README"
}

package() {
    local run=$CARGO_TARGET_DIR/debug visit
    pack
    mkdir -p "$tmp/app/src/bin"
    cat >"$tmp/app/Cargo.toml" <<END
[package]
name = "app"
version = "0.0.0"
edition = "2021"
[dependencies]
shmstream = "0.2"
[features]
jar = ["shmstream/jar"]
[patch.crates-io]
shmstream = { path = "$tmp/shmstream" }
shmstream-sys = { path = "$tmp/shmstream-sys" }
END
    program 1 visits
    program 2 receive
    program 3 send
    program 4 config
    program 5 nightly
    echo "fn main() { shmstream::unlink(\"test-rust-visits-$$\").unwrap() }" >"$tmp/app/src/bin/forget.rs"
    (cd "$tmp/app" && cargo build --offline --quiet)
    for visit in 1 2 3; do
        [ "$("$run/visits")" = "visit $visit" ] || fail "the counter does not say: visit $visit"
    done
    "$run/forget"
    # The channel is there before the sender begins: with its last handle it would be gone.
    "$run/receive" >"$tmp/jobs" &
    beside=$!
    until "$BUILD/tool/shms" ls 2>/dev/null | grep -q "test-rust-jobs-$$"; do :; done
    "$run/send"
    wait $beside || fail "the receiver"
    beside=
    [ "$(paste -sd, "$tmp/jobs")" = 'job 1,job 2,job 3' ] || fail "the receiver says: $(cat "$tmp/jobs")"
    [ "$("$run/config")" = 'blue, 2 records' ] || fail "the dict"
    [ "$("$run/nightly")" = 'report: locked' ] || fail "the lock of a key"
    if ldd "$run/visits" | grep -q libpsl; then fail "libpsl without the feature jar"; fi
    if [ ${#jar[@]} -gt 0 ]; then
        program 6 cookies
        echo "fn main() { shmstream::unlink(\"test-rust-cookies-$$\").unwrap() }" >"$tmp/app/src/bin/forget.rs"
        (cd "$tmp/app" && cargo build --offline --quiet "${jar[@]}" --bin cookies --bin forget)
        [ "$("$run/cookies")" = 'Cookie: sid=31d4' ] || fail "the jar"
        "$run/forget"
    fi
    echo "shmstream-0.2.0.crate runs"
}

case $1 in
tests | clippy | bench | package) "$1" ;;
*) fail "no step $1" ;;
esac
