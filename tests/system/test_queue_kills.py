"""Nodes with a queue, and whatever is killed whenever: nothing that was received is lost, nothing is counted twice, and
what is missing is exactly what the events say. KEYPORTAL_KILLS says how often (10 in each way), KEYPORTAL_SEED repeats a
run, KEYPORTAL_RATE is the traffic (300 records a second)."""
import collections
import json
import os
import signal
import time
import unittest

from queue_node import WAYS, QueueTest, fates, of_ledger, of_oracle
from service import Place, wait_until
from wire import Nats

KILLS = int(os.environ.get("KEYPORTAL_KILLS", "10"))
RATE = int(os.environ.get("KEYPORTAL_RATE", "300"))
#: Where a process may end itself (actors/telemetry/fail_point.hpp), in the order of a record's way.
POINTS = ("received", "kept", "decoded", "committed", "published")


def records_in_stream(portal):
    """What the stream holds: record ids by what tells records apart."""
    with Nats(portal.nats_port()) as nats:
        found = {}
        for _, headers, body in nats.read_stream("KEYPORTAL_USAGE"):
            data = json.loads(body)
            found.setdefault((data["timestamp"], data["model"], data["auth_index"]), set()).add(headers["ce-id"])
        return found


class QueueKills(QueueTest):
    def end_at(self, portal, point, passing):
        """The next life of the service ends at this point."""
        portal.environment["KEYPORTAL_END_AT"] = f"{point}:{passing}"
        portal.start(wait=False)
        del portal.environment["KEYPORTAL_END_AT"]

    def wait_collecting_or_end(self, portal, version):
        """An event more than expected brings the end forward; the record then waits in the queue."""
        address = os.path.join(portal.data, "gateway.url")
        def found():
            try:
                with open(address, encoding="ascii") as file:
                    portal.url = file.read().strip()
                return portal.node()["condition"]["collecting"] == WAYS[version]
            except OSError:
                return not portal.alive()
        wait_until(found, lambda: f"{WAYS[version]} or the end\n{portal.log()[-2000:]}", 30)

    def ended(self, portal):
        self.assertEqual(portal.wait_end(30), -signal.SIGKILL, portal.log()[-2000:])

    def kills_of_the_service(self, version):
        """Half of the kills at random moments, half at the named points."""
        with Place() as place:
            sim, portal = self.start(place, version, rate=RATE)
            for kill in range(KILLS):
                if kill % 2 == 0:
                    time.sleep(self.random.random() * 0.8)  # the time at which the kill comes is the test
                    portal.kill()
                else:
                    portal.kill()
                    self.end_at(portal, POINTS[kill // 2 % len(POINTS)], self.random.randrange(1, 9))
                    self.ended(portal)
                time.sleep(self.random.random() * 0.3)
                portal.start(wait=self.random.random() < 0.5)
            portal.kill()
            portal.start()
            recorded, lost = self.check(portal, sim)
            print(f"{version}: {KILLS} kills of the service: {recorded} recorded, {lost} lost and told", flush=True)

    def test_kills_of_the_service_while_it_is_pushed_to(self):
        self.kills_of_the_service("7.2.140")

    def test_kills_of_the_service_while_it_pops_over_resp(self):
        self.kills_of_the_service("6.10.8")

    def test_kills_of_the_service_while_it_pops_over_http(self):
        self.kills_of_the_service("7.1.17")

    def test_what_is_in_the_inbox_is_not_lost_at_any_point(self):
        """One record on its way when the service ends: only before the inbox it is lost, and that is told."""
        for version in ("7.2.140", "6.10.8", "7.1.17"):
            with self.subTest(version=version), Place() as place:
                sim, portal = self.start(place, version)
                # The first that is pushed is no record, and the first event is that the node is there.
                first = {"published"} | ({"received", "kept", "decoded"} if version == "7.2.140" else set())
                for at, point in enumerate(POINTS):
                    portal.kill()
                    self.end_at(portal, point, 2 if point in first else 1)
                    self.wait_collecting_or_end(portal, version)
                    sim.record(1)
                    self.ended(portal)
                    portal.start()
                    # The first one is gone with the memory it was in, as the node's counters show.
                    wait_until(lambda n=at: portal.requests() == n and (n > 0 or self.missing(portal) == 1),
                               lambda p=point, n=at: f"{p}: {n} records and 1 lost, not {portal.requests()} and "
                                                     f"{self.incompletes(portal)}")
                self.assertEqual(self.check(portal, sim), (len(POINTS), 1))

    def test_kills_of_the_node(self):
        with Place() as place:
            sim, portal = self.start(place, "7.2.140", rate=RATE)
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

    def test_two_collectors_have_everything_between_them_and_call_it_the_same(self):
        with Place() as place:
            sim = self.stand_in(place, "7.2.140")
            lives, dies = (self.portal(place, sim, "7.2.140", name) for name in ("lives", "dies"))
            sim.set_rate(RATE)
            for _ in range(min(KILLS, 10)):
                time.sleep(self.random.random())
                dies.kill()
                time.sleep(self.random.random() * 0.5)
                dies.start()
                self.wait_collecting(dies, "7.2.140")
            self.check(lives, sim)
            recorded, lost = self.check(dies, sim)
            everything = collections.Counter(map(of_oracle, fates.read(sim.oracle_path)))
            self.assertEqual(of_ledger(lives) | of_ledger(dies), everything)
            # What a queue gives away it gives to one only; what it pushes it pushes to all that are there.
            ids = [records_in_stream(each) for each in (lives, dies)]
            both = ids[0].keys() & ids[1].keys()
            self.assertGreater(len(both), 0)
            self.assertEqual({k: ids[0][k] for k in both}, {k: ids[1][k] for k in both})
            print(f"{recorded} recorded, {lost} not seen by the one that was killed, {len(both)} by both", flush=True)


if __name__ == "__main__":
    unittest.main()
