"""Whatever is killed whenever: the ledger has all but what nobody saw, the node has what the ledger has, and the stream
has each record once. KEYPORTAL_KILLS says how many of each program (10), KEYPORTAL_SEED repeats a run."""
import collections
import datetime
import os
import random
import signal
import time
import unittest

from service import Place, wait_until
from test_flow import usage_ids
from wire import Nats

KILLS = int(os.environ.get("KEYPORTAL_KILLS", "10"))


def milliseconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


class Kills(unittest.TestCase):
    def setUp(self):
        seed = int(os.environ.get("KEYPORTAL_SEED", random.randrange(1 << 31)))
        print(f"KEYPORTAL_SEED={seed}", flush=True)
        self.random = random.Random(seed)

    def settle(self, portal, sim):
        """Ends the traffic and waits until ledger and node are one, and the outbox is empty."""
        sim.set_rate(0)
        def equal():
            try:
                if portal.node()["condition"]["state"] != "up":
                    return False
                return portal.ledger() == sim.export() and (not portal.restarts() or
                                                            portal.restarts()[0]["restore"]["state"] == "complete")
            except OSError:
                return False
        def story():
            ledger, held = portal.ledger(), sim.export()
            return (f"ledger = node: ledger {sum(ledger.values())}, node {sum(held.values())}, only in ledger "
                    f"{sum((ledger - held).values())}, only in node {sum((held - ledger).values())}; "
                    f"{portal.restarts()[:1]}; {portal.node()['condition']}")
        wait_until(equal, story, 60)

    def check(self, portal, sim, ends=None):
        """`ends`: when the node was killed, while the service lived on and looked at it every 200 ms."""
        self.settle(portal, sim)
        ledger = portal.ledger()
        oracle = sim.oracle()
        recorded = collections.Counter(each for each, _ in oracle)
        self.assertEqual(sum((ledger - recorded).values()), 0, "the ledger holds what was never recorded, or twice")
        # What is missing was recorded between the last look at a process and its end.
        spans = [(milliseconds(g["from"]), milliseconds(g["to"]))
                 for g in portal.get("/api/v1/nodes/default/gaps?limit=1000")["items"]]
        missing = [(each, at) for each, at in oracle if each not in ledger]
        for each, at in missing:
            # A look lasts a moment, and its time is noted at its end: what came after the answer was made but before it
            # was read is unseen too.
            self.assertTrue(any(begin - 500 <= at <= end for begin, end in spans),
                            f"lost outside every gap: {each} at {at}; gaps {[g for g in spans if abs(g[0] - at) < 10_000]}")
            if ends is not None:
                self.assertTrue(any(end - 2000 <= at <= end + 50 for end in ends),
                                f"lost long before a kill: {each} at {at}; kills {ends}")
        state = sim.state()
        self.assertEqual(state["details"], sum(ledger.values()))
        # Each once in the stream, and nothing is missing.
        def shipped():
            try:
                with Nats(portal.nats_port()) as nats:
                    return nats.stream_state("KEYPORTAL_USAGE")["messages"] >= sum(ledger.values())
            except OSError:
                return False
        wait_until(shipped, "every record is in the stream", 60)
        ids = usage_ids(portal)
        self.assertEqual(len(ids), sum(ledger.values()))
        self.assertEqual({i: n for i, n in ids.items() if n != 1}, {}, "doubled in the stream")
        with Nats(portal.nats_port()) as nats:
            events = collections.Counter(h["ce-id"] for _, h, _ in nats.read_stream("KEYPORTAL_EVENTS"))
            self.assertEqual({i: n for i, n in events.items() if n != 1}, {}, "events doubled in the stream")
        # Roll-ups, which late records amend, are what the records come to.
        self.assertIn("no difference", portal.command("ledger", "verify")[1])
        return len(oracle), len(missing)

    def pause(self, most=1.0):
        time.sleep(self.random.random() * most)  # the time at which the kill comes is the test

    def test_kills_of_the_node(self):
        with Place() as place:
            sim = place.stand_in(preload=2000, rate=200, seed=self.random.randrange(1000))
            portal = place.portal(sim)
            ends = []
            for _ in range(KILLS):
                self.pause()
                sim.kill()
                ends.append(time.time() * 1000)
                self.pause(0.3)
                sim.start()
            recorded, lost = self.check(portal, sim, ends)
            print(f"{KILLS} kills of the node: {recorded} recorded, {lost} never seen by anybody, "
                  f"{len(portal.restarts())} restarts", flush=True)

    def test_kills_of_the_service(self):
        with Place() as place:
            sim = place.stand_in(preload=2000, rate=200, seed=self.random.randrange(1000))
            portal = place.portal(sim)
            for _ in range(KILLS):
                self.pause()
                portal.kill()
                self.pause(0.3)
                portal.start(wait=self.random.random() < 0.5)
                if not portal.url or self.random.random() < 0.5:
                    self.pause(0.5)
            portal.kill()
            portal.start()
            recorded, lost = self.check(portal, sim)
            self.assertEqual(lost, 0, "the node lived on, so nothing may be lost")
            self.assertEqual(portal.restarts(), [], "the node never restarted")
            print(f"{KILLS} kills of the service: {recorded} recorded, {lost} lost", flush=True)

    def test_kills_of_nats_server(self):
        with Place() as place:
            sim = place.stand_in(preload=2000, rate=500, seed=self.random.randrange(1000))
            portal = place.portal(sim)
            for _ in range(min(KILLS, 25)):  # the pauses between its restarts grow
                before = wait_until(portal.nats_pid, "nats-server runs")
                self.pause()
                os.kill(before, signal.SIGKILL)
                wait_until(lambda b=before: portal.nats_pid() not in (0, b), "nats-server is back", 30)
            recorded, lost = self.check(portal, sim)
            self.assertEqual(lost, 0)

    def test_kills_of_anything_at_once(self):
        with Place() as place:
            sim = place.stand_in(preload=1000, rate=200, seed=self.random.randrange(1000))
            portal = place.portal(sim)
            for _ in range(KILLS):
                self.pause()
                which = self.random.choice(["sim", "portal", "nats", "both", "during"])
                if which in ("sim", "both", "during"):
                    sim.kill()
                if which == "during":  # the service dies while it restores
                    sim.start()
                    self.pause(0.5)
                if which in ("portal", "both", "during"):
                    portal.kill()
                if which == "nats" and portal.nats_pid():
                    try:
                        os.kill(portal.nats_pid(), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                if not sim.alive():
                    sim.start()
                if not portal.alive():
                    portal.start()
            recorded, lost = self.check(portal, sim)
            print(f"{KILLS} kills of anything: {recorded} recorded, {lost} never seen by anybody", flush=True)


if __name__ == "__main__":
    unittest.main()
