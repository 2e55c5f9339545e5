# SPDX-License-Identifier: MIT
"""coverage.py BUILD_DIR SOURCE_DIR: adds up what gcov counted, and compares it with doc/coverage.md.

A branch has no name, so it gets one from what is around it: the file, the function, the condition's text (with a
number where a function has the same text more than once), and the outcome. gcc makes two branches of each operand of
a condition; where a line does not divide so, as a switch does not, the branches are just counted.
"""
import collections
import glob
import json
import os
import re
import subprocess
import sys

build, source = (os.path.realpath(path) for path in sys.argv[1:3])
document = os.path.join(source, "doc", "coverage.md")


def counters():
    """What gcov says of each object of the library: {file: {(function, line): [count, [branch counts]]}}."""
    files = collections.defaultdict(dict)
    for data in sorted(glob.glob(build + "/CMakeFiles/shmstream_objects.dir/**/*.gcda", recursive=True)):
        told = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", data],
                              check=True, capture_output=True, cwd=os.path.dirname(data)).stdout
        for file in json.loads(told)["files"]:
            path = os.path.relpath(os.path.realpath(os.path.join(source, file["file"])), source)
            if not path.startswith("src" + os.sep):
                continue
            for line in file["lines"]:
                at = files[path].setdefault((line.get("function_name", ""), line["line_number"]), [0, []])
                at[0] += line["count"]
                counts = [branch["count"] for branch in line["branches"]]
                if len(at[1]) < len(counts):
                    at[1] += [0] * (len(counts) - len(at[1]))
                for i, count in enumerate(counts):
                    at[1][i] += count
    return files


def conditions(text):
    """The operands of the conditions in a line of code, and for each whether || comes behind it."""
    text = re.sub(r"/\*.*?(\*/|$)", "", text)
    parts = re.split(r"(&&|\|\||\?)", text)
    ors = [after == "||" for after in parts[1::2]] + [False]
    return ors[:-1] if "?" in parts else ors


def outcomes(text, counts):
    """The names of the branches of a line, in gcov's order: of an operand before || the false one comes first."""
    ors = conditions(text)
    if len(counts) == 2:
        return ["false", "true"] if ors and ors[0] else ["true", "false"]
    if len(counts) == 2 * len(ors):
        return [f"{i + 1} {way}" for i, swapped in enumerate(ors)
                for way in (("false", "true") if swapped else ("true", "false"))]
    return [f"#{i + 1}" for i in range(len(counts))]


def branches_of(path, lines):
    """Each branch of a file: (function, text, outcome), and its count."""
    text_of = open(os.path.join(source, path), encoding="utf-8").read().split("\n")
    seen = collections.Counter()
    for (function, number), (_, counts) in sorted(lines.items(), key=lambda item: item[0][1]):
        if not counts:
            continue
        text = re.sub(r"\s*/\*.*?(\*/|$)", "", text_of[number - 1]).strip()
        seen[function, text] += 1
        if seen[function, text] > 1:
            text += f" ({seen[function, text]})"
        for outcome, count in zip(outcomes(text_of[number - 1], counts), counts):
            yield (function, text, outcome), count


def reasons():
    """The rows of the document: {(file, function, text, outcome)}; one row may name several outcomes."""
    named = {}
    for row in open(document, encoding="utf-8") if os.path.exists(document) else []:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        if len(cells) == 5 and cells[0].startswith("`"):
            path, function, text = (cell.strip("`").replace("\\|", "|") for cell in cells[:3])
            for outcome in cells[3].split(","):
                named["src/" + path, function, text, outcome.strip()] = cells[4]
    return named


def main():
    named, known, open_ends, gone = reasons(), set(), [], []
    total = collections.Counter()
    print(f"{'file':28} {'lines':>13} {'branches':>13}  not taken")
    for path, lines in sorted(counters().items()):
        of_line = collections.Counter()
        for (_, number), (count, _) in lines.items():
            of_line[number] += count
        ran = sum(count > 0 for count in of_line.values())
        branches = list(branches_of(path, lines))
        taken = sum(count > 0 for _, count in branches)
        for key, count in branches:
            known.add((path,) + key)
            if count == 0 and (path,) + key not in named:
                open_ends.append((path,) + key)
        total.update(lines=len(of_line), ran=ran, branches=len(branches), taken=taken)
        print(f"{path:28} {ran:5}/{len(of_line):<4} {100 * ran // len(of_line):2}% "
              f"{taken:5}/{len(branches):<4} {100 * taken // len(branches) if branches else 100:2}%  "
              f"{len(branches) - taken}")
    print(f"{'all':28} {total['ran']:5}/{total['lines']:<4} {100 * total['ran'] / total['lines']:.1f}% "
          f"{total['taken']:5}/{total['branches']:<4} {100 * total['taken'] / total['branches']:.1f}%  "
          f"{total['branches'] - total['taken']}, {len(named)} named in doc/coverage.md")
    gone = [key for key in named if key not in known]
    for title, keys in (("Branches that no test takes and doc/coverage.md does not name:", open_ends),
                        ("Rows of doc/coverage.md whose branch is no more:", gone)):
        if keys:
            print(title)
        for path, function, text, outcome in keys:
            print(f"| `{path[4:]}` | `{function}` | `{text.replace('|', chr(92) + '|')}` | {outcome} | |")
    return 1 if open_ends or gone else 0


sys.exit(main())
