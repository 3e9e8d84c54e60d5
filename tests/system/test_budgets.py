"""Budgets: counted from the ledger, told once, enforced at the node, and over by themselves."""
import json
import time
import unittest

from key_node import KeyTest
from service import Place, call, wait_until

HOUR = "requests/hour=%d"


class Budgets(KeyTest):
    """Windows are of an hour or a day in a zone where neither turns while a test runs."""

    def setUp(self):
        # Somewhere it is between 20 and 40 minutes past the hour, and between 2 and 22 o'clock.
        minute = time.gmtime().tm_min
        self.zone = "Etc/UTC" if 5 <= minute < 50 else "Asia/Kolkata"  # half an hour beside the hours of roll-ups

    def start(self, place, **settings):
        sim = self.stand_in(place)
        portal = place.portal(sim, settings={"display.time_zone": f'"{self.zone}"', "collect.audit_interval": '"1s"',
                                             **settings})
        wait_until(lambda: portal.node()["condition"]["collecting"] == "subscribe", "records are pushed", 30)
        self.pooled(portal)
        return sim, portal

    def until_refused(self, sim, key, most=2000):
        """Uses a key as fast as one person can; how many requests were let in."""
        for done in range(most):
            status = self.use(sim, key)
            if status == 401:
                return done
            self.assertEqual(status, 200)
        self.fail(f"still let in after {most} requests")

    def state_of(self, portal, key_id):
        key = self.key(portal, key_id)
        return key["status"], key["why_suspended"]

    def percents(self, portal, subject):
        return [e["percent"] for e in self.events(portal, subject)]

    def test_a_used_up_key_is_refused_and_comes_back_when_the_limit_is_raised(self):
        with Place() as place:
            sim, portal = self.start(place)
            self.person(portal)
            key, key_id = self.assign(portal)
            portal.command("keys", "change", key_id, "--budget", HOUR % 20)
            wait_until(lambda: self.let_in(sim, key), "the key works")
            for _ in range(16):
                self.assertEqual(self.use(sim, key), 200)
            wait_until(lambda: self.percents(portal, f"keyportal.v1.key.{key_id}.budget") == [80], "80 % are told")
            for _ in range(3):
                self.assertEqual(self.use(sim, key), 200)
            wait_until(lambda: self.percents(portal, f"keyportal.v1.key.{key_id}.budget") == [80, 95], "95 % are told")
            self.assertEqual(self.state_of(portal, key_id), ("active", "none"))
            above = self.until_refused(sim, key) - 1
            print(f"overshoot: {above} requests of one person without a pause")
            wait_until(lambda: self.state_of(portal, key_id) == ("suspended", "budget"), "suspended")
            self.assertEqual(self.percents(portal, f"keyportal.v1.key.{key_id}.budget"), [80, 95, 100])
            self.assertIn("requests/hour", portal.command("keys", "show", key_id)[1])
            # Nothing is told again, and nothing comes back, because of a restart of ours.
            portal.kill()
            portal.start()
            wait_until(lambda: portal.node()["condition"]["state"] == "up", "the node is looked at")
            self.assertEqual(self.state_of(portal, key_id), ("suspended", "budget"))
            self.assertFalse(self.let_in(sim, key))
            portal.command("keys", "change", key_id, "--budget", HOUR % 1000)
            wait_until(lambda: self.let_in(sim, key), "it is back when the limit is raised")
            self.assertEqual(self.percents(portal, f"keyportal.v1.key.{key_id}.budget"), [80, 95, 100])

    def test_what_was_used_before_a_crash_counts(self):
        with Place() as place:
            sim, portal = self.start(place)
            self.person(portal)
            key, key_id = self.assign(portal)
            wait_until(lambda: self.let_in(sim, key), "the key works")
            for _ in range(7):
                self.assertEqual(self.use(sim, key), 200)
            wait_until(lambda: portal.requests() == 7, "seven records")
            portal.kill()
            for _ in range(2):
                self.assertEqual(self.use(sim, key), 200)  # they wait at the node
            portal.start()
            wait_until(lambda: portal.requests() == 9, "nine records")
            portal.command("keys", "change", key_id, "--budget", HOUR % 100)
            budgets = self.budgets(portal, key_id)
            self.assertEqual([b["used"] for b in budgets], [9])
            portal.kill()
            portal.start()
            self.assertEqual([b["used"] for b in self.budgets(portal, key_id)], [9])

    def budgets(self, portal, key_id):
        status, _, body = call(f"{portal.url}/api/v1/keys/{key_id}/budgets",
                               headers={"Authorization": "Bearer " + portal.token()})
        self.assertEqual(status, 200, body)
        return json.loads(body)["items"]

    def test_a_person_and_a_group_have_budgets_of_all_their_keys(self):
        with Place() as place:
            sim, portal = self.start(place)
            portal.command("policies", "set", "staff", "--user-budget", HOUR % 6, "--group-budget", HOUR % 10)
            ann = self.person(portal, "ann@example.com", "--group", "staff")
            self.person(portal, "bob@example.com", "--group", "staff")
            self.person(portal, "eve@example.com")
            (one, one_id), (two, two_id) = self.assign(portal), self.assign(portal)
            bobs, bobs_id = self.assign(portal, "bob@example.com")
            eves, _ = self.assign(portal, "eve@example.com")
            wait_until(lambda: all(self.let_in(sim, k) for k in (one, two, bobs, eves)), "all work")
            for key in (one, one, one, two, two, two):
                self.assertEqual(self.use(sim, key), 200)
            wait_until(lambda: not self.let_in(sim, one) and not self.let_in(sim, two), "both of Ann's are refused")
            self.assertTrue(self.let_in(sim, bobs))
            wait_until(lambda: 100 in self.percents(portal, f"keyportal.v1.user.{ann}.budget"), "it is told of her")
            # A rotation is no way around it, nor is a fresh key.
            self.assertEqual(portal.command("keys", "rotate", one_id, check=False)[0], 1)
            third, third_id = self.assign(portal)
            wait_until(lambda: self.state_of(portal, third_id)[1] == "budget", "a fresh one is suspended at once")
            for _ in range(4):
                self.use(sim, bobs)
            wait_until(lambda: not self.let_in(sim, bobs), "the group's budget is used up")
            wait_until(lambda: 100 in self.percents(portal, "keyportal.v1.policy.staff.budget"), "it is told of it")
            self.assertTrue(self.let_in(sim, eves), "others are not concerned")
            # Who is suspended by an admin does not come back with a budget.
            portal.command("users", "suspend", "bob@example.com")
            portal.command("policies", "set", "staff", "--user-budget", "none", "--group-budget", "none")
            wait_until(lambda: self.let_in(sim, one) and self.let_in(sim, two) and self.let_in(sim, third), "all are back")
            self.assertFalse(self.let_in(sim, bobs))
            self.assertEqual(self.key(portal, bobs_id)["why_suspended"], "owner")

    def test_a_replaced_key_goes_on_with_what_the_first_one_used(self):
        with Place() as place:
            sim, portal = self.start(place)
            self.person(portal)
            key, key_id = self.assign(portal)
            portal.command("keys", "change", key_id, "--budget", HOUR % 10)
            wait_until(lambda: self.let_in(sim, key), "the key works")
            for _ in range(6):
                self.use(sim, key)
            wait_until(lambda: portal.requests() == 6, "six records")
            rotated = self.ask(portal, "keys", "rotate", key_id, "--grace", "1h")
            fresh = rotated["key"]
            fresh_id = next(k["id"] for k in rotated["keys"] if k["id"] != key_id)
            wait_until(lambda: self.let_in(sim, fresh), "the new one works")
            for used in (fresh, fresh, key, key):
                self.assertEqual(self.use(sim, used), 200)
            wait_until(lambda: not self.let_in(sim, fresh) and not self.let_in(sim, key), "both are refused")
            self.assertEqual(self.state_of(portal, fresh_id)[1], "budget")


if __name__ == "__main__":
    unittest.main()
