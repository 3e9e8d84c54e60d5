#!/usr/bin/env python3
"""Checks that every test that docs/security.md names exists: the title of a C++ test, `module.Class.test` of a system test, or
`fuzz.target`. Prints each that does not and leaves with 1."""
import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASE = re.compile(r"\b(?:TEMPLATE_)?TEST_CASE(?:_METHOD)?\s*\(|\bREGISTRY_LOG_TEST\s*\(")
TEXT = re.compile(r'\s*"((?:[^"\\]|\\.)*)"')


def titles():
    for path in (ROOT / "tests").rglob("*.cpp"):
        source = path.read_text(encoding="utf-8")
        for found in CASE.finditer(source):
            at = source.find('"', found.end())
            title = ""
            while piece := TEXT.match(source, at):  # literals one behind the other are one
                title += piece[1].replace('\\"', '"').replace("\\\\", "\\")
                at = piece.end()
            yield title


def system_tests():
    for path in (ROOT / "tests" / "system").glob("test_*.py"):
        for each in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(each, ast.ClassDef):
                for one in each.body:
                    if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"):
                        yield f"{path.stem}.{each.name}.{one.name}"


def main():
    known = {*titles(), *system_tests(), *(f"fuzz.{p.stem}" for p in (ROOT / "tests" / "fuzz").glob("*_fuzz.cpp"))}
    missing = []
    for number, line in enumerate((ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines(), 1):
        cells = line.split(" | ")
        if not line.startswith("| ") or len(cells) < 3 or line.startswith("| | "):
            continue
        named = re.findall(r"`([^`]+)`", cells[-1])
        if not named:
            missing.append(f"docs/security.md:{number}: no test is named")
        missing += [f"docs/security.md:{number}: there is no test {name!r}" for name in named if name not in known]
    print("\n".join(missing), end="\n" if missing else "")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
