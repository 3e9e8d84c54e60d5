"""Three processes, three NATS servers and two nodes while they are killed, paused and cut off at random. KEYPORTAL_CHAOS_SECONDS says for
how long, KEYPORTAL_SEED repeats a run. What is true afterwards is looked at from outside: by what the nodes recorded, and by what was
answered to each command."""
import os
import random
import signal
import threading
import time
import unittest

from cluster_place import ClusterPlace, ask
from service import wait_until

SECONDS = float(os.environ.get("KEYPORTAL_CHAOS_SECONDS", "180"))
SEED = int(os.environ.get("KEYPORTAL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)


class Commander(threading.Thread):
    """Adds people and gives them keys, through any process; notes what was answered."""

    def __init__(self, portals, seed):
        super().__init__(daemon=True)
        self.portals, self.random = portals, random.Random(seed)
        self.ended = threading.Event()
        self.done, self.unknown, self.refused, self.took = {}, set(), 0, []

    def run(self):
        number = 0
        while not self.ended.wait(0.05):
            number += 1
            email = f"person-{number}@example.org"
            for attempt in range(6):  # the same command: it is done once at most
                began = time.monotonic()
                try:
                    status, told = ask(self.random.choice(self.portals), "/api/v1/users", "POST", {"email": email, "name": "P"},
                                       timeout=8, idempotency=f"add-{number}")
                except OSError:
                    status, told = 0, {}
                if status in (200, 201):
                    if attempt == 0:
                        self.took.append(time.monotonic() - began)
                    self.done[email] = told["users"][0]["id"]
                    self.unknown.discard(email)
                    break
                self.unknown.add(email)
                self.refused += 1
                if self.ended.wait(0.3):
                    return


class ClusterChaos(unittest.TestCase):
    def test_nothing_is_lost_doubled_or_different_whatever_dies(self):
        print(f"KEYPORTAL_SEED={SEED}", flush=True)
        chance = random.Random(SEED)
        with ClusterPlace(3) as place:
            nodes = [place.stand_in("alpha", seed=1, preload=50), place.stand_in("beta", seed=2, preload=50)]
            portals = [place.member(name, *nodes) for name in ("one", "two", "three")]
            wait_until(lambda: all(one.requests("alpha") == 50 for one in portals), "all have begun", 60)
            commander = Commander(portals, SEED)
            commander.start()
            counts, began = {}, time.monotonic()

            def do(what, deed):
                counts[what] = counts.get(what, 0) + 1
                deed()

            def killed(program):
                program.kill()
                time.sleep(chance.uniform(0.2, 4))
                if program in portals:
                    program.start(wait=False)
                    program.wait_ready(0)
                else:
                    program.start()

            def paused(program):
                program.signal(signal.SIGSTOP)
                time.sleep(chance.uniform(0.5, 6))
                program.signal(signal.SIGCONT)

            while time.monotonic() - began < SECONDS:
                for node in nodes:
                    node.record(chance.randrange(0, 40))
                what = chance.choice(["kill portal", "pause portal", "kill nats", "pause nats", "two nats away", "nothing"])
                if what == "kill portal":
                    do(what, lambda: killed(chance.choice(portals)))
                elif what == "pause portal":
                    do(what, lambda: paused(chance.choice(portals)))
                elif what == "kill nats":
                    do(what, lambda: killed(chance.choice(place.servers)))
                elif what == "pause nats":
                    do(what, lambda: paused(chance.choice(place.servers)))
                elif what == "two nats away":
                    def away():
                        first, second = chance.sample(place.servers, 2)
                        first.signal(signal.SIGSTOP)
                        second.signal(signal.SIGSTOP)
                        time.sleep(chance.uniform(1, 5))
                        first.signal(signal.SIGCONT)
                        second.signal(signal.SIGCONT)
                    do(what, away)
                time.sleep(chance.uniform(0.2, 2))
            commander.ended.set()
            commander.join(60)

            for node in nodes:
                expected = len(node.oracle())
                wait_until(lambda n=node, e=expected: all(one.requests(n.name) == e for one in portals),
                           lambda n=node, e=expected: f"{e} records of {n.name}, not {[one.requests(n.name) for one in portals]}", 90)
            wait_until(lambda: ask(portals[0], "/api/v1/cluster/diff", timeout=60)[1] | {"members": 3} ==
                       {"members": 3, "silent": [], "differences": []},
                       lambda: f"equal ledgers: {ask(portals[0], '/api/v1/cluster/diff')}", 60)
            people = {}
            for one in portals:
                found, after = {}, ""
                while True:
                    _, page = ask(one, f"/api/v1/users?limit=1000&after={after}")
                    for person in page["items"]:
                        self.assertNotIn(person["email"], found)
                        found[person["email"]] = person["id"]
                    if not page.get("more"):
                        break
                    after = page["items"][-1]["id"]
                people[one.name] = found
            for name, found in people.items():
                self.assertEqual(found, people["one"], name)
                for email, known in commander.done.items():
                    self.assertEqual(found.get(email), known, f"{email} at {name}")
                self.assertLessEqual(set(found) - set(commander.done), commander.unknown)
            took = sorted(commander.took)
            print(f"{SECONDS:.0f} s, {counts}, {len(commander.done)} commands, {commander.refused} refused, "
                  f"p50 {took[len(took) // 2] * 1000:.0f} ms, "
                  f"{sum(len(n.oracle()) for n in nodes)} records", flush=True)


if __name__ == "__main__":
    unittest.main()
