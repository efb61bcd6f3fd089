#!/usr/bin/env python3
"""Prints the query parameters that moby's handlers read: `query-parameters.py MOBY_GIT_DIR [COMMIT]`.

One line a route: method, path, those of which the first value is read, those of which every value is. The output is
kept in host/docker/tests/data/query-parameters.tsv; a test compares host/docker/data/operations.tsv with it.
"""

import collections
import re
import subprocess
import sys

NAME = r'"([^"]+)"'
FIRST = [
    r"\br\.Form\.(?:Get|Has)\(" + NAME,
    r"\br\.URL\.Query\(\)\.Get\(" + NAME,
    r"\b\w*FormValue\(" + NAME,
    r"\bhttputils\.\w+\(r, " + NAME,
]
EVERY = [r"\br\.Form\[" + NAME + r"\]", r"\br\.URL\.Query\(\)\[" + NAME + r"\]"]
ROUTE = re.compile(r'New(Get|Post|Put|Delete|Head|Options)Route\("([^"]+)",\s*([\w.]+)')


def functions(source):
    """The text of every function, by its name."""
    starts = re.finditer(r"^func (?:\([^)]*\) )?(\w+)\(", source, re.M)
    return {found[1]: source[found.start() : source.find("\n}\n", found.start())] for found in starts}


def reads(bodies, name, seen):
    """What a function reads, and the functions of its package that it hands the request to."""
    if name in seen or name not in bodies:
        return set(), set()
    seen.add(name)
    body = bodies[name]
    first = {name for pattern in FIRST for name in re.findall(pattern, body)}
    every = {name for pattern in EVERY for name in re.findall(pattern, body)}
    if "ArchiveFormValues" in body:
        first.add("path")
    for called, arguments in re.findall(r"\b(\w+)\(([^()]*)\)", body):
        if re.search(r"\br\b", arguments):
            more = reads(bodies, called, seen)
            first, every = first | more[0], every | more[1]
    return first, every


def main(git_dir, commit="HEAD"):
    def git(*arguments):
        return subprocess.run(["git", "-C", git_dir, *arguments], capture_output=True, text=True, check=True).stdout

    packages = collections.defaultdict(str)
    for file in git("ls-tree", "-r", "--name-only", commit, "daemon/server/router").split():
        if file.endswith(".go") and not file.endswith("_test.go"):
            packages[file.rsplit("/", 1)[0]] += git("show", f"{commit}:{file}") + "\n"
    print(f"# moby/moby@{git('rev-parse', '--short=12', commit).strip()}, by scripts/query-parameters.py: method, path, first, every")
    for source in packages.values():
        bodies = functions(source)
        for method, path, handler in ROUTE.findall(source):
            first, every = reads(bodies, handler.split(".")[-1], set())
            lists = [",".join(sorted(names)) or "-" for names in (first - every, every)]
            print(method.upper(), path, *lists, sep="\t")


main(*sys.argv[1:])
