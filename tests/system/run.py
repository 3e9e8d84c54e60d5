#!/usr/bin/env python3
"""Runs the system tests: the shipped programs against each other, from outside. `run.py [NAME…]` runs those whose names
match one of these regular expressions. KEYPORTAL_BUILD names the build folder, KEYPORTAL_KILLS the number of kills,
KEYPORTAL_SEED a former run's seed, KEYPORTAL_KEEP=1 keeps the folders. All that is said over HTTP and /ws has to be as
gateway/openapi.yaml says, and no secret may be in what a test leaves behind; a whole run has to ask every operation. The last line is "N passed, N failed"."""
import importlib.util
import os
import re
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
DEBIANS = "/usr/bin/python3"
if not all(map(importlib.util.find_spec, ("jsonschema", "yaml"))):
    # Another Python comes first on the path; deploy/setup installs these for Debian's.
    if os.path.realpath(sys.executable) == os.path.realpath(DEBIANS) or not os.path.exists(DEBIANS):
        sys.exit("python3-jsonschema and python3-yaml are missing; run: deploy/setup test")
    os.execv(DEBIANS, [DEBIANS, *sys.argv])

import contract  # noqa: E402, needs the above
import leaks  # noqa: E402
import watch  # noqa: E402

CONTRACT = watch.contract = contract.Contract()

#: Operations that no test asks, and why.
NEVER_ASKED = {}


def flat(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from flat(each)
        else:
            yield each


class Lines(unittest.TestResult):
    """One line a test, at once, with its time."""

    def __init__(self):
        super().__init__()
        self.passed = self.failed = 0
        self.began = 0.0

    def startTest(self, test):
        super().startTest(test)
        CONTRACT.take()  # what threads of the one before said too late
        leaks.LEAKS.begin()
        self.began = time.monotonic()

    def line(self, word, test):
        print(f"{word:<6} {time.monotonic() - self.began:6.1f} s  {test.id()}", flush=True)

    def addSuccess(self, test):
        problems = CONTRACT.take() + leaks.LEAKS.take()
        if problems:
            self.failed += 1
            self.line("FAILED", test)
            print("\n".join(problems), flush=True)
            return
        self.passed += 1
        self.line("ok", test)

    def addFailure(self, test, error):
        self.failed += 1
        self.line("FAILED", test)
        print(self._exc_info_to_string(error, test), *CONTRACT.take(), sep="\n", flush=True)

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(subtest, error)

    def addSkip(self, test, reason):
        self.line("skip", test)


def main():
    tests = list(flat(unittest.defaultTestLoader.discover(HERE)))
    wanted = [re.compile(each) for each in sys.argv[1:]]
    chosen = [t for t in tests if not wanted or any(w.search(t.id()) for w in wanted)]
    result = Lines()
    unittest.TestSuite(chosen).run(result)
    print("\n".join(CONTRACT.table()))
    if not wanted:  # of all tests together
        missing = [f"{m.upper()} {p}" for m, p in CONTRACT.never_asked() if (m, p) not in NEVER_ASKED]
        print("FAILED" if missing else "ok", "every operation of openapi.yaml is asked by some test:", *missing)
        result.failed += bool(missing)
        result.passed += not missing
    print(f"{result.passed} passed, {result.failed} failed")
    return 0 if result.failed == 0 and result.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
