"""What the tests of nodes with a queue share: a node and a service that have met, and the comparison of what the service
holds with the stand-in's own account."""
import collections
import json
import os
import random
import sys
import unittest

from service import ROOT, SECRET, call, wait_until
from wire import Nats

sys.path.insert(0, os.path.join(ROOT, "tests", "cpa_sim"))
import fates  # noqa: E402  the stand-in's own account of every record

SETTINGS = {"collect.audit_interval": '"1s"', "collect.pop_interval": '"100ms"', "collect.resp_pop_interval": '"20ms"'}
#: How each version's queue is read, when nothing is set.
WAYS = {"7.2.140": "subscribe", "7.1.17": "http_pop", "6.10.8": "resp_pop", "6.10.0": "resp_pop"}


def of_oracle(record):
    return (record["api"], record["model"], record["timestamp"], record["auth_index"], bool(record["failed"]))


def of_ledger(portal, name="default"):
    """Everything the ledger holds of a node: how often each."""
    found = collections.Counter()
    status, _, text = call(f"{portal.url}/api/v1/nodes/{name}/snapshots/now/export", timeout=60,
                           headers={"Authorization": "Bearer " + portal.token()})
    assert status == 200, (status, text[:300])
    for api, held in json.loads(text)["usage"]["apis"].items():
        for model, of in held["models"].items():
            for d in of["details"]:
                found[(api, model, d["timestamp"], d.get("auth_index", ""), bool(d.get("failed", False)))] += 1
    return found


class QueueTest(unittest.TestCase):
    def setUp(self):
        seed = int(os.environ.get("KEYPORTAL_SEED", random.randrange(1 << 31)))
        print(f"KEYPORTAL_SEED={seed}", flush=True)
        self.random = random.Random(seed)

    def stand_in(self, place, version, **more):
        return place.stand_in(seed=self.random.randrange(1000),
                              more=["--version", version, "--statistics", "1", "--oracle-brief"], **more)

    def portal(self, place, sim, version, name="portal"):
        """A service that knows what the node had counted when they met: two looks."""
        portal = place.portal(sim, settings=SETTINGS, name=name, nodes=[
            {"name": "default", "url": sim.url, "management_key": SECRET}])
        self.wait_collecting(portal, version)
        seen = {portal.node()["condition"]["last_poll"]}
        def settled():
            seen.add(portal.node()["condition"]["last_poll"])
            return len(seen) > 3
        wait_until(settled, "three looks")
        return portal

    def wait_collecting(self, portal, version):
        wait_until(lambda: portal.node()["condition"]["collecting"] == WAYS[version],
                   lambda: f"{WAYS[version]}, not {portal.node()['condition']}", 30)

    def start(self, place, version, rate=0, **more):
        sim = self.stand_in(place, version, **more)
        portal = self.portal(place, sim, version)
        sim.set_rate(rate)
        return sim, portal

    def incompletes(self, portal):
        return portal.get("/api/v1/nodes/default/incompletes?limit=1000")["items"]

    def missing(self, portal):
        return sum(i["missing"] for i in self.incompletes(portal) if not i["closed_at"])

    def wait_settled(self, portal, sim):
        """Nothing is recorded any more, nothing waits at the node, and the ledger grows no more."""
        sim.set_rate(0)
        def never_popped():
            return sum(1 for r in fates.read(sim.oracle_path) if r["last"] == "queued")
        wait_until(lambda: never_popped() == 0, lambda: f"{never_popped()} still wait in the queue", 30)
        steady = [None, 0]
        def settled():
            count = portal.requests()
            steady[:] = [count, steady[1] + 1 if steady[0] == count else 0]
            return steady[1] > 50
        wait_until(settled, "the ledger grows no more", 60)

    def check_streams(self, portal, records):
        """The stream holds as many records as the ledger, each once, and no event twice."""
        def shipped():
            try:
                with Nats(portal.nats_port()) as nats:
                    return nats.stream_state("KEYPORTAL_USAGE")["messages"] >= records
            except OSError:
                return False
        wait_until(shipped, "every record is in the stream", 60)
        for stream, expected in (("KEYPORTAL_USAGE", records), ("KEYPORTAL_EVENTS", None)):
            with Nats(portal.nats_port()) as nats:
                ids = collections.Counter(headers["ce-id"] for _, headers, _ in nats.read_stream(stream))
            self.assertEqual({i: n for i, n in ids.items() if n != 1}, {}, f"doubled in {stream}")
            if expected is not None:
                self.assertEqual(len(ids), expected)

    def check(self, portal, sim, node_lived=True):
        """Ledger = what anybody could have received; what nobody could is what the events say.
        Gives back the numbers of what was recorded and of what is not in the ledger."""
        self.wait_settled(portal, sim)
        ledger, records = of_ledger(portal), fates.read(sim.oracle_path)
        recorded = collections.Counter(map(of_oracle, records))
        self.assertEqual(sum((ledger - recorded).values()), 0, "the ledger holds what was never recorded, or twice")
        self.assertEqual(sum(ledger.values()), portal.requests(), "the totals are those of the records")
        lost = recorded - ledger
        if node_lived:
            # By account. A key of the configuration is told together with others while its index is not known.
            lacking = collections.Counter(auth_index for _, _, _, auth_index, _ in lost.elements())
            def told():
                found = collections.Counter()
                for i in self.incompletes(portal):
                    if not i["closed_at"]:
                        found[i["credential"]] += i["missing"]
                return found
            def exact():
                now = told()
                others = now.pop("others", 0)
                return not now - lacking and sum((lacking - now).values()) == others
            wait_until(exact, lambda: f"lost {lacking}, told {told()}, "
                                      f"{collections.Counter(r['last'] for r in records)}", 30)
            self.assertEqual(portal.restarts(), [], "the node never restarted")
            self.assertEqual(portal.get("/api/v1/nodes/default/gaps?limit=1000")["items"], [])
        self.check_streams(portal, sum(ledger.values()))
        self.assertIn("no difference", portal.command("ledger", "verify")[1])
        return len(records), sum(lost.values())
