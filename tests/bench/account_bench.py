#!/usr/bin/env python3
"""500 accounts on five nodes whose quota is asked all the time: how fast, how evenly, at what cost, and that no account is ever asked
twice within a second. The stand-ins count. Prints one JSON line a figure."""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
from browser import first_admin  # noqa: E402
from service import Place, wait_until  # noqa: E402
from system_bench import cpu_seconds, figure  # noqa: E402

NODES, ACCOUNTS = 5, int(os.environ.get("KEYPORTAL_BENCH_ACCOUNTS", "100"))
SECONDS = int(os.environ.get("KEYPORTAL_BENCH_SECONDS", "60"))
INTERVAL = 15


def main():
    with Place() as place:
        sims = []
        for n in range(NODES):
            words = ["--version", "7.2.140"]
            for i in range(ACCOUNTS):
                words += ["--account", f"{('claude', 'codex')[i % 2]}=person{n}-{i}@example.com=m"]
            sims.append(place.stand_in(f"sim{n}", more=words))
        portal = place.portal(*sims, settings={"accounts.quota_interval": f'"{INTERVAL}s"', "accounts.refresh_interval": '"15s"'})
        admin = first_admin(portal)
        began = time.monotonic()
        wait_until(lambda: admin.get("/api/v1/accounts?limit=1")["total"] == NODES * ACCOUNTS, "all are seen", 60)
        wait_until(lambda: all(len({c["auth_index"] for c in s.control("/accounts", "GET")["calls"]}) == ACCOUNTS for s in sims),
                   "each was asked once", 120)
        figure("accounts.first_round", round(time.monotonic() - began, 1), "s", NODES * ACCOUNTS)
        before = sum(len(s.control("/accounts", "GET")["calls"]) for s in sims)
        used = cpu_seconds(portal.pid)
        time.sleep(SECONDS)
        used = cpu_seconds(portal.pid) - used
        records = [s.control("/accounts", "GET") for s in sims]
        calls = sum(len(r["calls"]) for r in records) - before
        figure("accounts.quota_calls", round(calls / SECONDS, 1), "calls/s", NODES * ACCOUNTS)
        figure("accounts.cpu", round(100 * used / SECONDS, 1), "%", NODES * ACCOUNTS)
        least, worst = 1e9, 0
        for record in records:
            last = {}
            seconds = {}
            for one in record["calls"]:
                at, who = one["at_ms"], one["auth_index"]
                if who in last:
                    least = min(least, at - last[who])
                last[who] = at
                seconds[at // 1000] = seconds.get(at // 1000, 0) + 1
            worst = max([worst, *seconds.values()])
        figure("accounts.least_between", least, "ms", NODES * ACCOUNTS)
        figure("accounts.most_in_a_second", worst, "calls/node", NODES * ACCOUNTS)
        times = []
        for _ in range(50):
            start = time.perf_counter()
            admin.get("/api/v1/accounts?limit=1000")
            times.append((time.perf_counter() - start) * 1000)
        figure("accounts.list.p99", round(sorted(times)[-1], 1), "ms", NODES * ACCOUNTS)
        portal.stop()
        assert least >= 1000, f"an account was asked twice within {least} ms"


if __name__ == "__main__":
    main()
