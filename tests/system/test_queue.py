"""Nodes that keep no totals: records out of their queue, each once, and what was lost told exactly."""
import collections
import json
import os
import random
import sys
import time
import unittest

from service import ROOT, Place, call, wait_until
from test_flow import usage_ids
from wire import Nats

sys.path.insert(0, os.path.join(ROOT, "tests", "cpa_sim"))
import fates  # noqa: E402  the stand-in's own account of every record

KILLS = int(os.environ.get("KEYPORTAL_KILLS", "10"))
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


class Queue(unittest.TestCase):
    def setUp(self):
        seed = int(os.environ.get("KEYPORTAL_SEED", random.randrange(1 << 31)))
        print(f"KEYPORTAL_SEED={seed}", flush=True)
        self.random = random.Random(seed)

    def start(self, place, version, rate=0, **more):
        sim = place.stand_in(seed=self.random.randrange(1000), more=["--version", version, "--statistics", "1"], **more)
        portal = place.portal(sim, settings=SETTINGS)
        wait_until(lambda: portal.node()["condition"]["collecting"] == WAYS[version],
                   lambda: f"{WAYS[version]}, not {portal.node()['condition']}", 30)
        # Of a node never seen before it must be known first what it had counted: two looks.
        first = portal.node()["condition"]["last_poll"]
        seen = {first}
        def settled():
            seen.add(portal.node()["condition"]["last_poll"])
            return len(seen) > 3
        wait_until(settled, "three looks")
        sim.set_rate(rate)
        return sim, portal

    def incompletes(self, portal):
        return portal.get("/api/v1/nodes/default/incompletes?limit=1000")["items"]

    def missing(self, portal):
        return sum(i["missing"] for i in self.incompletes(portal) if not i["closed_at"])

    def test_every_way_brings_every_record_once(self):
        for version in WAYS:
            with self.subTest(version=version), Place() as place:
                sim, portal = self.start(place, version, preload=50)
                for _ in range(5):
                    sim.record(40)
                    time.sleep(self.random.random() * 0.2)
                wait_until(lambda: portal.requests() == 250, lambda: f"250 records, not {portal.requests()}")
                self.assertEqual(of_ledger(portal), collections.Counter(map(of_oracle, fates.read(sim.oracle_path))))
                wait_until(lambda: len(usage_ids(portal)) == 250, "250 events")
                self.assertEqual(set(usage_ids(portal).values()), {1})
                self.assertEqual(self.incompletes(portal), [])
                self.assertEqual(portal.restarts(), [])

    def test_a_node_with_usage_and_a_queue_counts_each_record_once(self):
        with Place() as place:
            sim = place.stand_in(preload=100, more=["--version", "6.9.49", "--statistics", "1"])
            portal = place.portal(sim, settings=SETTINGS)
            for _ in range(20):
                sim.record(20)
                time.sleep(0.05)
            wait_until(lambda: portal.requests() == 500, lambda: f"500 records, not {portal.requests()}")
            time.sleep(1)  # both ways have had time to bring all again
            self.assertEqual(portal.requests(), 500)
            self.assertEqual(portal.ledger(), sim.export())
            self.assertEqual(portal.restarts(), [])

    def test_settings_that_keep_a_node_silent_are_named_with_the_line_to_write(self):
        with Place() as place:
            sim = place.stand_in(more=["--version", "7.2.140", "--statistics", "0"])
            portal = place.portal(sim, settings=SETTINGS)
            wait_until(lambda: "usage-statistics-enabled: true" in portal.node()["condition"]["problem"],
                       lambda: portal.node()["condition"])
        with Place() as place:
            sim = place.stand_in(more=["--version", "7.2.140", "--statistics", "0"])
            portal = place.portal(sim, settings={**SETTINGS, "collect.manage_cpa_settings": "true"})
            wait_until(lambda: portal.node()["condition"]["collecting"] == "subscribe"
                       and not portal.node()["condition"]["problem"], lambda: portal.node()["condition"])
            sim.record(5)
            wait_until(lambda: portal.requests() == 5, lambda: f"5 records, not {portal.requests()}")

    def test_what_a_rival_takes_is_counted_and_named(self):
        with Place() as place:
            sim, portal = self.start(place, "7.1.17")
            sim.control("/rival?mode=pop&every_ms=150&count=3")
            sim.set_rate(40)
            wait_until(lambda: "another collector" in portal.node()["condition"]["problem"],
                       lambda: portal.node()["condition"], 60)
            sim.set_rate(0)
            sim.control("/rival?mode=off")
            def stolen():
                return sum(1 for r in fates.read(sim.oracle_path) if r["last"] == "popped" and r["by"] == "rival")
            wait_until(lambda: self.missing(portal) == stolen() > 0,
                       lambda: f"{stolen()} missing, not {self.incompletes(portal)}", 30)

    def test_an_answer_that_is_lost_is_counted(self):
        with Place() as place:
            sim, portal = self.start(place, "7.1.17")
            time.sleep(2.5)
            sim.fault("response_lost", count=1, path="/v0/management/usage-queue")
            sim.record(17)
            wait_until(lambda: self.missing(portal) == 17 or portal.requests() == 17,
                       lambda: f"17 missing, not {self.incompletes(portal)}", 30)
            self.assertEqual(portal.requests() + self.missing(portal), 17)

    def test_a_restart_is_seen_within_three_seconds_and_told_with_what_was_lost(self):
        with Place() as place:
            sim, portal = self.start(place, "7.2.140", preload=30)
            wait_until(lambda: portal.requests() == 30, lambda: f"30 records, not {portal.requests()}")
            time.sleep(2.5)  # looked at twice
            sim.kill()
            sim.preload = 0
            sim.start()
            back = time.monotonic()
            sim.record(5)
            wait_until(lambda: len(portal.restarts()) == 1, lambda: portal.node()["condition"], 10)
            self.assertLess(time.monotonic() - back, 3.0)
            self.assertEqual(portal.restarts()[0]["restore"]["state"], "impossible")
            wait_until(lambda: portal.requests() == 35, lambda: f"35 records, not {portal.requests()}")

    def check(self, portal, sim, node_lived):
        """Ledger = what anybody could have received; what nobody could is what the events say."""
        sim.set_rate(0)
        # What lay in a socket when one side died nobody has had in hand; all else arrives.
        def never_popped():
            return sum(1 for r in fates.read(sim.oracle_path) if r["last"] == "queued")
        wait_until(lambda: never_popped() == 0, lambda: f"{never_popped()} still wait in the queue", 30)
        steady = [None, 0]
        def settled():
            count = portal.requests()
            steady[:] = [count, steady[1] + 1 if steady[0] == count else 0]
            return steady[1] > 50
        wait_until(settled, "the ledger grows no more", 60)
        ledger, records = of_ledger(portal), fates.read(sim.oracle_path)
        if any(r["last"] in ("popped", "unanswered") for r in records) and node_lived:
            popped = collections.Counter(of_oracle(r) for r in records if r["last"] == "popped")
            print(f"popped {sum(popped.values())}, of those not in the ledger {sum((popped - ledger).values())}", flush=True)
        recorded = collections.Counter(map(of_oracle, records))
        self.assertEqual(sum((ledger - recorded).values()), 0, "the ledger holds what was never recorded, or twice")
        lost = sum((recorded - ledger).values())
        if node_lived:
            wait_until(lambda: self.missing(portal) == lost,
                       lambda: f"{lost} lost, told {self.incompletes(portal)}, "
                               f"{collections.Counter(r['last'] for r in records)}", 30)
        wait_until(lambda: len(usage_ids(portal)) >= sum(ledger.values()), "every record is in the stream", 60)
        self.assertEqual({i: n for i, n in usage_ids(portal).items() if n != 1}, {}, "doubled in the stream")
        return len(records), lost

    def kills_of_the_service(self, version, kills):
        with Place() as place:
            sim, portal = self.start(place, version, rate=300)
            for _ in range(kills):
                time.sleep(self.random.random() * 0.8)
                portal.kill()
                time.sleep(self.random.random() * 0.3)
                portal.start(wait=self.random.random() < 0.5)
            portal.kill()
            portal.start()
            recorded, lost = self.check(portal, sim, True)
            print(f"{version}: {kills} kills of the service: {recorded} recorded, {lost} lost and told", flush=True)

    def test_kills_of_the_service_while_it_is_pushed_to(self):
        self.kills_of_the_service("7.2.140", KILLS)

    def test_kills_of_the_service_while_it_pops_over_resp(self):
        self.kills_of_the_service("6.10.8", KILLS)

    def test_kills_of_the_service_while_it_pops_over_http(self):
        self.kills_of_the_service("7.1.17", KILLS)

    def test_kills_of_the_node(self):
        with Place() as place:
            sim, portal = self.start(place, "7.2.140", rate=300)
            for _ in range(KILLS):
                time.sleep(self.random.random())
                sim.kill()
                time.sleep(self.random.random() * 0.3)
                sim.start()
            recorded, lost = self.check(portal, sim, False)
            spans = portal.get("/api/v1/nodes/default/gaps?limit=1000")["items"]
            self.assertLessEqual(lost, sum(g["expected_records"] for g in spans))
            print(f"{KILLS} kills of the node: {recorded} recorded, {lost} lost, {len(portal.restarts())} restarts, "
                  f"at most {sum(g['expected_records'] for g in spans)} said to be lost", flush=True)


if __name__ == "__main__":
    unittest.main()
