"""Several processes are one Key Portal."""
import signal
import time
import unittest

from cluster_place import ClusterPlace, ask, equal
from service import wait_until


def members(portal):
    return ask(portal, "/api/v1/cluster")[1]


def holder(portal, duty):
    return next(one["address"] for one in members(portal)["leases"] if one["duty"] == duty)


def ledger(portal, node):
    """What it holds, of whoever sees to the node; that may be nobody for a moment."""
    path = f"/api/v1/nodes/{node}/snapshots/now/export"
    wait_until(lambda: ask(portal, path)[0] == 200, "somebody sees to the node")
    return portal.ledger(node)


def compared(portal):
    """What the ledgers differ in; they are compared until what was on its way has come."""
    status, told = ask(portal, "/api/v1/cluster/diff")
    assert status == 200 and not told["silent"], told
    return told["differences"]


class Cluster(unittest.TestCase):
    def test_records_people_and_keys_are_everybodys(self):
        with ClusterPlace() as place:
            alpha, beta = place.stand_in("alpha", seed=1, preload=300), place.stand_in("beta", seed=2)
            first, second = place.member("one", alpha, beta), place.member("two", alpha, beta)
            equal([first, second], "alpha", 300)
            beta.record(70)
            equal([first, second], "beta", 70)
            for portal in (first, second):
                for node, sim in (("alpha", alpha), ("beta", beta)):
                    self.assertEqual(portal.ledger(node), sim.export())

            status, told = ask(first, "/api/v1/users", "POST", {"email": "ada@example.org", "name": "Ada"})
            self.assertEqual(status, 201, told)
            wait_until(lambda: ask(second, "/api/v1/users/ada@example.org")[0] == 200, "the other one knows Ada")
            wait_until(lambda: ask(second, "/api/v1/keys?state=pooled")[1]["items"], "keys in the pool")
            status, told = ask(second, "/api/v1/keys", "POST", {"owner": "ada@example.org", "label": "laptop"})
            self.assertEqual(status, 201, told)
            key = told["keys"][0]["id"]
            wait_until(lambda: ask(first, f"/api/v1/keys/{key}")[1].get("in_force"),
                       lambda: f"the key works: {ask(first, '/api/v1/keys/' + key)}")
            third = place.member("three", alpha, beta)
            equal([third], "alpha", 300)
            wait_until(lambda: ask(third, "/api/v1/users/ada@example.org")[0] == 200, "the third one knows Ada")
            wait_until(lambda: compared(third) == [], lambda: f"equal ledgers: {compared(third)}")
            self.assertEqual(len(members(third)["members"]), 3)

    def test_whoever_dies_or_sleeps_is_succeeded_and_nothing_is_lost(self):
        with ClusterPlace() as place:
            alpha = place.stand_in("alpha", seed=1, preload=100)
            portals = {name: place.member(name, alpha) for name in ("one", "two", "three")}
            everybody = list(portals.values())
            equal(everybody, "alpha", 100)
            wait_until(lambda: holder(everybody[0], "node/alpha"), "somebody sees to the node")
            dead = holder(everybody[0], "node/alpha")
            portals[dead].kill()
            began = time.monotonic()
            alpha.record(50)
            left = [one for name, one in portals.items() if name != dead]
            equal(left, "alpha", 150)
            self.assertLess(time.monotonic() - began, 10)
            asleep = holder(left[0], "node/alpha")
            sleeper, awake = portals[asleep], next(one for one in left if one is not portals[asleep])
            sleeper.signal(signal.SIGSTOP)
            alpha.record(30)
            equal([awake], "alpha", 180)
            self.assertNotEqual(holder(awake, "node/alpha"), asleep)
            sleeper.signal(signal.SIGCONT)
            alpha.record(20)
            equal(left, "alpha", 200)
            portals[dead].start()
            equal(everybody, "alpha", 200)
            wait_until(lambda: compared(awake) == [], lambda: f"equal ledgers: {compared(awake)}")
            self.assertEqual(ledger(awake, "alpha"), alpha.export())
            self.assertEqual(len(awake.restarts("alpha")), 0)

    def test_without_a_majority_reading_goes_on_and_changes_are_refused_at_once(self):
        with ClusterPlace(3) as place:
            alpha = place.stand_in("alpha", seed=1, preload=100)
            portals = [place.member(name, alpha) for name in ("one", "two", "three")]
            equal(portals, "alpha", 100, 60)
            place.servers[0].kill()
            alpha.record(25)  # a majority is there
            equal(portals, "alpha", 125, 60)
            wait_until(lambda: ask(portals[0], "/api/v1/users", "POST", {"email": "a@example.org", "name": "A"})[0] == 201,
                       "a change is taken by two of three", 30)
            place.servers[1].kill()
            began = time.monotonic()
            status, told = ask(portals[1], "/api/v1/users", "POST", {"email": "b@example.org", "name": "B"})
            self.assertEqual((status, told["code"]), (503, "cluster_no_quorum"))
            self.assertLess(time.monotonic() - began, 5)
            self.assertEqual(ask(portals[2], "/api/v1/users/a@example.org")[0], 200)
            alpha.record(10)
            place.servers[0].start()
            place.servers[1].start()
            equal(portals, "alpha", 135, 60)
            wait_until(lambda: compared(portals[0]) == [], lambda: f"equal ledgers: {compared(portals[0])}")

    def test_from_one_to_several_and_back(self):
        with ClusterPlace() as place:
            alpha = place.stand_in("alpha", seed=1, preload=400)
            node = [{"name": "alpha", "url": alpha.url, "management_key": alpha.secret}]
            alone = place.portal(name="one", nodes=node)
            wait_until(lambda: alone.requests("alpha") == 400, "400 records")
            self.assertEqual(ask(alone, "/api/v1/users", "POST", {"email": "ada@example.org", "name": "Ada"})[0], 201)
            self.assertEqual(alone.stop(), 0)
            first = place.member("one", alpha)  # the same folder
            alpha.record(20)
            second = place.member("two", alpha)
            equal([first, second], "alpha", 420)
            self.assertEqual(ask(second, "/api/v1/users/ada@example.org")[0], 200)
            self.assertEqual(second.ledger("alpha"), alpha.export())
            wait_until(lambda: compared(second) == [], lambda: f"equal ledgers: {compared(second)}")
            self.assertEqual(first.stop(), 0)
            alpha.record(5)
            equal([second], "alpha", 425)
            self.assertEqual(second.stop(), 0)
            again = place.portal(name="two", nodes=node)  # alone once more, with what all had
            alpha.record(5)
            wait_until(lambda: again.requests("alpha") == 430, lambda: f"430 records, not {again.requests('alpha')}")
            self.assertEqual(again.ledger("alpha"), alpha.export())
            self.assertEqual(ask(again, "/api/v1/users/ada@example.org")[0], 200)


if __name__ == "__main__":
    unittest.main()
