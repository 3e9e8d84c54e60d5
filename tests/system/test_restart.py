"""A restarted CLIProxyAPI is noticed, told and filled again; nothing else is taken for a restart."""
import json
import signal
import time
import unittest

from service import Place, wait_until
from wire import Nats


def restored(portal, count, name="default"):
    """The restarts, newest first, once there are `count` and the newest is restored."""
    def look():
        items = portal.restarts(name)
        return items if len(items) >= count and items[0]["restore"]["state"] == "complete" else None
    return wait_until(look, lambda: f"{count} restarts, restored: {portal.restarts(name)[:2]}", 30)


def same_as(portal, sim, name="default"):
    return wait_until(lambda: portal.ledger(name) == sim.export(), "the ledger equals the node")


class Restart(unittest.TestCase):
    def test_a_killed_node_is_noticed_and_gets_everything_back(self):
        with Place() as place:
            sim = place.stand_in(preload=800)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 800, "800 records")
            before = portal.ledger()
            sim.kill()
            wait_until(lambda: portal.node()["condition"]["state"] == "down", "the node is seen down")
            sim.start()
            items = restored(portal, 1)
            self.assertEqual(items[0]["before"]["requests"], 800)
            self.assertEqual(items[0]["restore"]["imported"], 800)
            self.assertEqual(items[0]["restore"]["still_lacking"], 0)
            self.assertEqual(sim.export(), before)
            self.assertEqual(portal.ledger(), before)
            with Nats(portal.nats_port()) as nats:
                def kinds():
                    return [s.rpartition(".")[2] for s, _, _ in nats.read_stream("KEYPORTAL_EVENTS")]
                wait_until(lambda: "restored" in kinds(), lambda: f"a restored event: {kinds()}")
                self.assertEqual(kinds().count("restarted"), 1)
                self.assertEqual(kinds().count("restored"), 1)
                event = next(json.loads(b) for s, _, b in nats.read_stream("KEYPORTAL_EVENTS") if s.endswith(".restored"))
                self.assertEqual(event["before"]["requests"], 800)
                self.assertEqual(event["restore"]["counters"]["requests"], 800)

    def test_more_traffic_than_before_hides_no_restart(self):
        with Place() as place:
            sim = place.stand_in(preload=100)
            # Slow to look: all of the new traffic is there before the first look at the new process.
            portal = place.portal(sim, settings={"poll.interval": '"5s"', "poll.probe_interval": '"5s"'})
            wait_until(lambda: portal.requests() == 100, "100 records")
            sim.control("/restart?down_ms=0&wait=1")
            sim.record(5000)
            items = restored(portal, 1)
            self.assertEqual(items[0]["before"]["requests"], 100)
            self.assertEqual(items[0]["after"]["requests"], 5000)
            self.assertEqual(sum(sim.export().values()), 5100)
            same_as(portal, sim)

    def test_what_happened_while_we_were_away_is_noticed_when_we_are_back(self):
        with Place() as place:
            sim = place.stand_in(preload=300)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 300, "300 records")
            self.assertEqual(portal.stop(), 0)
            sim.kill()
            sim.start()
            sim.record(400)
            portal.start()
            restored(portal, 1)
            self.assertEqual(sum(sim.export().values()), 700)
            same_as(portal, sim)

    def test_a_node_restarted_again_and_again_is_filled_each_time(self):
        with Place() as place:
            sim = place.stand_in(preload=200)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 200, "200 records")
            for number in range(1, 5):
                sim.control("/restart?down_ms=50&wait=1")
                items = restored(portal, number)
                self.assertEqual(items[0]["number"], number)
                sim.record(10)
                wait_until(lambda n=number: portal.requests() == 200 + 10 * n, "the new records")
            same_as(portal, sim)

    def test_nothing_else_is_taken_for_a_restart(self):
        with Place() as place:
            sim = place.stand_in(preload=200, rate=50)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() >= 200, "200 records")
            sim.fault("slow", "300", 5)                     # slow answers
            sim.fault("http_status", "500", 3, "/v0")       # errors
            sim.fault("hang", "", 1, "/v0")                 # no answer
            portal.command("snapshot", "make")
            portal.command("snapshot", "export", place.folder + "/e.json")
            portal.command("snapshot", "import", place.folder + "/e.json", "--yes")   # an import of our own file
            sim.signal(signal.SIGSTOP)                       # frozen for a while
            time.sleep(1.5)                                  # the time it is frozen, not a wait
            sim.signal(signal.SIGCONT)
            sim.clear()
            count = portal.requests()
            wait_until(lambda: portal.requests() > count + 50, "traffic goes on")
            self.assertEqual(portal.stop(), 0)
            portal.start()                                   # a restart of our own
            count = portal.requests()
            wait_until(lambda: portal.requests() > count + 20, "traffic goes on")
            self.assertEqual(portal.restarts(), [])


if __name__ == "__main__":
    unittest.main()
