#!/usr/bin/env python3
"""Figures of the pages in Debian's Chromium, against the shipped programs. One JSON line a figure.

Usage: web_bench.py [RECORDS] [LEDGER]: with so many records behind it (10,000,000), made into LEDGER/ledger unless they
are there already. KEYPORTAL_BUILD names the build folder.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from browser import PASSWORD, first_admin  # noqa: E402
from service import ROOT, Place, find_program, wait_until  # noqa: E402

WEB = os.path.join(ROOT, "gateway", "web")


def run(**environment):
    subprocess.run(["node", "e2e/figures.mjs"], cwd=WEB, check=True, env={**os.environ, **environment})


def scrolling():
    with tempfile.TemporaryDirectory(prefix="keyportal-scroll-") as folder:
        subprocess.run(["npx", "--no-install", "vite", "build", "--config", "e2e/scroll/vite.config.ts", "--logLevel", "error"],
                       cwd=WEB, check=True, env={**os.environ, "KEYPORTAL_WEB_OUT": folder})
        run(KEYPORTAL_SCROLL=folder)


def pages(records, ledger):
    with Place() as place:
        # The records are of another time than now, and are to stay.
        portal = place.portal(place.stand_in(more=["--version", "7.2.140", "--statistics", "1"]),
                              settings={"retention.records": '"0s"', "sign_in.requests_per_minute": "0"}, start=False)
        os.makedirs(portal.data, mode=0o700)
        if os.path.isdir(os.path.join(ledger, "ledger")):
            shutil.copytree(os.path.join(ledger, "ledger"), os.path.join(portal.data, "ledger"))
        else:
            subprocess.run([find_program("usage_bench"), str(records), portal.data, "20000"], check=True,
                           stdout=subprocess.DEVNULL, env={**os.environ, "USAGE_BENCH_FILL_ONLY": "1"})
        portal.start()
        first_admin(portal)
        wait_until(lambda: portal.node()["condition"]["collecting"] == "subscribe", "records are pushed", 30)
        run(KEYPORTAL_URL=portal.url, KEYPORTAL_RECORDS=str(records),
            KEYPORTAL_PEOPLE=json.dumps({"admin": {"email": "root@example.com", "password": PASSWORD}}),
            KEYPORTAL_NODE=json.dumps({"url": place.programs[0].url,
                                       "control": f"http://127.0.0.1:{place.programs[0].control_port}"}))
        portal.stop()


if __name__ == "__main__":
    scrolling()
    pages(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000, sys.argv[2] if len(sys.argv) > 2 else "")
