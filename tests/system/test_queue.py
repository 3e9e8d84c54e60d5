"""Nodes that keep no totals: records out of their queue, each once, and what was lost told exactly."""
import collections
import time
import unittest

from queue_node import SETTINGS, WAYS, QueueTest, fates, of_ledger, of_oracle
from service import Place, wait_until
from test_flow import usage_ids


class Queue(QueueTest):
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


if __name__ == "__main__":
    unittest.main()
