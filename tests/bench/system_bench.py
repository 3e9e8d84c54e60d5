#!/usr/bin/env python3
"""Figures of the shipped programs as a whole: restore, push, idle, collect, assign, websocket. One JSON line a figure.

Usage: system_bench.py [restore|push|idle|collect|assign|websocket ...]; KEYPORTAL_BUILD names the build folder.
"""
import datetime
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from service import Place, call, find_program, wait_until  # noqa: E402
from wire import Nats, WebSocket  # noqa: E402

# The real server spends 70 ms of bcrypt on every management call.
LIKE_THE_REAL_ONE = ["--bcrypt-ms", "70"]


def figure(name, value, unit, n, **more):
    print(json.dumps({"bench": name, "value": round(value, 4), "unit": unit, "n": n, **more}), flush=True)


def unix(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def percentile(samples, share):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def restore(records, rounds):
    """From the start of an empty CPA process to all records being back and read back."""
    with Place() as place:
        sim = place.stand_in(preload=records, more=LIKE_THE_REAL_ONE)
        portal = place.portal(sim, settings={"poll.interval": '"3s"', "poll.probe_interval": '"500ms"'}.items())
        wait_until(lambda: portal.requests() >= records, "the ledger has all", 120)
        sim.preload = 0
        took = []
        for round_ in range(1, rounds + 1):
            sim.kill()
            time.sleep(1.5)  # as long as a restart of the real one takes
            launched = time.time()
            sim.start()
            restart = wait_until(lambda: [r for r in portal.restarts() if r["number"] == round_ and r["restore"]["at"]],
                                 "restored", 60)[0]
            assert restart["restore"]["still_lacking"] == 0, restart
            assert sim.state()["requests"] == records, sim.state()
            took.append(unix(restart["restore"]["at"]) - launched)
            wait_until(lambda: portal.node()["condition"]["counters"]["requests"] == records, "seen again", 30)
        figure(f"restore.{records}", max(took), "s", rounds, median=round(percentile(took, 0.5), 4))


def push(rounds):
    """From the beginning of the poll that brought a record to a subscriber having it."""
    with Place() as place:
        sim = place.stand_in(preload=1000)
        portal = place.portal(sim)
        wait_until(lambda: portal.requests() >= 1000, "the ledger has all")
        arrived = {"nats": [], "websocket": []}
        deadline = time.monotonic() + 300

        def from_websocket():
            while (frame := socket.frame()) is not None:
                if frame["type"] == "usage_update":
                    arrived["websocket"].append((time.time(), frame["totals"]["requests"]))

        def from_nats():
            while True:
                nats.message()
                arrived["nats"].append((time.time(), None))

        with WebSocket(portal.url, timeout=600) as socket, Nats(portal.nats_port(), timeout=600) as nats:
            nats.send(b"SUB keyportal.v1.usage.> 9\r\nPING\r\n")
            nats.line()
            for follow in (from_websocket, from_nats):
                threading.Thread(target=lambda f=follow: suppressed(f), daemon=True).start()
            delays = {"nats": [], "websocket": []}
            total = portal.requests()
            for _ in range(rounds):
                count = 5
                before = len(arrived["nats"])
                sim.record(count)
                total += count
                wait_until(lambda: len(arrived["nats"]) >= before + count, "all came by NATS")
                wait_until(lambda: any(n == total for _, n in arrived["websocket"][-3:]), "all came by WebSocket")
                condition = portal.node()["condition"]
                began = unix(condition["last_poll"]) - condition["poll_ms"] / 1000
                assert condition["counters"]["requests"] == total and time.monotonic() < deadline
                delays["nats"] += [1000 * (at - began) for at, _ in arrived["nats"][before:]]
                delays["websocket"].append(1000 * ([at for at, n in arrived["websocket"] if n == total][0] - began))
            for reader in (socket, nats):
                reader.socket.shutdown(2)  # lets the threads go
        for way, samples in delays.items():
            figure(f"push.{way}.p99", percentile(samples, 0.99), "ms", len(samples),
                   median=round(percentile(samples, 0.5), 2))


def suppressed(follow):
    try:
        follow()
    except (OSError, ValueError):
        pass  # the end of the measurement


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def idle(seconds):
    """Memory and processor time with three nodes that hold 1,000 records each and do nothing."""
    with Place() as place:
        nodes = [place.stand_in(name, preload=1000, seed=i) for i, name in enumerate(("a", "b", "c"), 1)]
        portal = place.portal(*nodes, settings={"poll.interval": '"3s"', "poll.probe_interval": '"500ms"'}.items())
        wait_until(lambda: all(portal.requests(n.name) >= 1000 for n in nodes), "the ledger has all")
        time.sleep(5)
        begin, before = time.monotonic(), cpu_seconds(portal.pid)
        time.sleep(seconds)
        share = 100 * (cpu_seconds(portal.pid) - before) / (time.monotonic() - begin)
        figure("idle.rss", rss_mb(portal.pid), "MB", 3, nats_server=round(rss_mb(portal.nats_pid()), 1))
        figure("idle.cpu", share, "%", 3)


QUEUE = ["--version", "7.2.140", "--statistics", "1", "--retention", "3600", "--oracle-brief"]


def in_stream(portal):
    with Nats(portal.nats_port()) as nats:
        return nats.stream_state("KEYPORTAL_USAGE")["messages"]


def subscribed(place, **more):
    sim = place.stand_in(more=QUEUE, **more)
    portal = place.portal(sim, settings={"poll.interval": '"3s"', "nats.max_store_bytes": '"8GiB"'}.items())
    wait_until(lambda: portal.node()["condition"]["collecting"] == "subscribe", "subscribed", 30)
    return sim, portal


def collect_rate(records):
    """A stand-in that pushes as fast as it is read: until every record is acknowledged by JetStream."""
    with Place() as place:
        sim, portal = subscribed(place)
        began = time.monotonic()
        sim.control(f"/records?count={records}&patience_ms=60000")
        wait_until(lambda: portal.requests() >= records, lambda: f"{portal.requests()} of {records}", 300)
        in_ledger = time.monotonic() - began
        wait_until(lambda: in_stream(portal) >= records, lambda: f"{in_stream(portal)} of {records}", 300)
        took = time.monotonic() - began
        assert portal.requests() == records and in_stream(portal) == records
        figure("collect.subscribe", records / took, "records/s", records, to_ledger=round(records / in_ledger))


def collect_latency(rate, seconds):
    """From the stand-in's making a record to a NATS subscriber having it."""
    with Place() as place:
        sim, portal = subscribed(place)
        delays = []

        def follow():
            while True:
                message = nats.message()
                now = time.time()
                data = json.loads(message[-1])
                delays.append(1000 * (now - unix(data["timestamp"]) - data["latency_ms"] / 1000))

        with Nats(portal.nats_port(), timeout=600) as nats:
            nats.send(b"SUB keyportal.v1.usage.> 9\r\nPING\r\n")
            nats.line()
            threading.Thread(target=lambda: suppressed(follow), daemon=True).start()
            sim.set_rate(rate)
            time.sleep(2)
            del delays[:]
            time.sleep(seconds)
            sim.set_rate(0)
            samples = list(delays)
            nats.socket.shutdown(2)
        figure("collect.latency.p99", percentile(samples, 0.99), "ms", len(samples),
               median=round(percentile(samples, 0.5), 2), most=round(max(samples), 1))


def collect_burst(records):
    """All at once, without waiting for the subscriber: what is lost?"""
    with Place() as place:
        sim, portal = subscribed(place)
        sim.record(records)
        wait_until(lambda: portal.requests() >= records, lambda: f"{portal.requests()} of {records}", 120)
        figure("collect.burst.lost", records - portal.requests(), "records", records)


def collect_backlog(records):
    """What waited in the queue when we came: until all of it is in the ledger."""
    with Place() as place:
        sim = place.stand_in(more=QUEUE, preload=records)
        began = time.monotonic()
        portal = place.portal(sim, settings={"poll.interval": '"3s"', "nats.max_store_bytes": '"8GiB"'}.items())
        wait_until(lambda: portal.requests() >= records, lambda: f"{portal.requests()} of {records}", 300)
        figure(f"collect.backlog.{records // 1_000_000}M", time.monotonic() - began, "s", records)


def assign(keys):
    """From a request for a key to its answer, on disk by then; the node learns of it meanwhile. One after the other."""
    with Place() as place:
        sim = place.stand_in(more=["--version", "7.2.140"])
        portal = place.portal(sim, settings={"keys.pool_size": str(keys + 100),
                                             "keys.pool_low_water": str(keys + 50)}.items())
        head = {"Authorization": "Bearer " + portal.token(), "Content-Type": "application/json"}
        pooled = lambda: json.loads(call(portal.url + "/api/v1/pool", headers=head)[2])["keys"]["pooled"]
        wait_until(lambda: pooled() >= keys, "the pool is full", 60)
        parts = urllib.parse.urlsplit(portal.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port)
        samples = []

        def post(path, body):
            connection.request("POST", path, json.dumps(body), head)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status in (200, 201), (answer.status, text[:300])
            return json.loads(text)

        people = [post("/api/v1/users", {"email": f"p{i}@example.com"})["users"][0]["id"] for i in range(keys // 3 + 1)]
        for i in range(keys):
            began = time.perf_counter()
            post("/api/v1/keys", {"owner": people[i // 3]})
            samples.append((time.perf_counter() - began) * 1000)
        figure("assign.p99", percentile(samples, 0.99), "ms", keys, median=round(percentile(samples, 0.5), 2),
               most=round(max(samples), 1))


def websocket(clients, rounds, idle):
    """Very many WebSockets: one update to all of them, what each costs, and whether anything grows while they are idle."""
    with Place() as place:
        sim = place.stand_in()
        portal = place.portal(sim, settings={"gateway.max_connections": str(clients + 100)}.items())
        with subprocess.Popen([find_program("websocket_bench"), "--port", portal.url.rsplit(":", 1)[1],
                               "--token-file", portal.data + "/control.token", "--pid", str(portal.pid),
                               "--clients", str(clients), "--rounds", str(rounds), "--idle", str(idle)],
                              stderr=subprocess.PIPE, text=True) as bench:
            left = rounds
            for line in bench.stderr:
                if line.startswith(("ready", "round")) and left > 0:
                    left -= 1
                    sim.record(1)
                elif line.startswith("websocket_bench"):
                    print(line, file=sys.stderr)
        assert bench.returncode == 0, bench.returncode


def main():
    wanted = sys.argv[1:] or ["restore", "push", "idle", "collect", "assign", "websocket"]
    if "websocket" in wanted:
        websocket(10_000, 10, int(os.environ.get("KEYPORTAL_IDLE", "60")))
    if "assign" in wanted:
        assign(1000)
    if "collect" in wanted:
        collect_latency(1000, 20)
        collect_rate(500_000)
        collect_burst(100_000)
        collect_backlog(1_000_000)
    if "restore" in wanted:
        restore(5360, 5)
        restore(100_000, 3)
    if "push" in wanted:
        push(200)
    if "idle" in wanted:
        idle(30)


if __name__ == "__main__":
    main()
