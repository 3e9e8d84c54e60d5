"""Every way in which a node's answer can be wrong: an error that names the node and the cause, the other node goes on,
nothing crashes, and when it is over nothing is missing."""
import os
import socket
import time
import unittest

from service import Place, SECRET, StandIn, wait_until


def problem(portal, name="bad"):
    return portal.node(name)["condition"]["problem"]


class BadInput(unittest.TestCase):
    def fault(self, name, says, value="", settings=(), path="/v0/management/usage", seconds=15, recovers=True):
        """One node with the fault and one without. Some refusals are looked at again only after a minute."""
        with Place() as place:
            good, bad = place.stand_in("good", seed=1), place.stand_in("bad", seed=2, preload=100)
            portal = place.portal(good, bad, settings={"poll.timeout": '"1s"', **dict(settings)})
            wait_until(lambda: portal.requests("bad") == 100, "100 records")
            bad.record(20)
            bad.fault(name, value, 0, path)
            bad.record(20)
            wait_until(lambda: problem(portal), f"a problem is told ({name})", seconds)
            told = wait_until(lambda: says in problem(portal) and problem(portal),
                              lambda: f"{says!r} in {problem(portal)!r}", seconds)
            self.assertTrue(told.startswith("bad"), told)
            self.assertNotIn(SECRET, told)
            good.record(15)
            wait_until(lambda: portal.requests("good") == 15, "the other node goes on")
            self.assertEqual(portal.node("good")["condition"]["problem"], "")
            self.assertIn("bad", portal.log())
            self.assertNotIn(SECRET, portal.log())
            bad.clear()
            if recovers:
                wait_until(lambda: portal.requests("bad") == 140, "nothing is missing afterwards", 40)
                self.assertEqual(portal.ledger("bad"), bad.export())
            self.assertEqual(portal.restarts("bad"), [])
            self.assertTrue(portal.alive())
            self.assertEqual(portal.stop(), 0)

    def test_hang(self):
        self.fault("hang", "too long")

    def test_truncated_transfer(self):
        self.fault("truncate", "ended early")

    def test_truncated_json(self):
        self.fault("truncate_json", "not what CLIProxyAPI sends")

    def test_html_instead_of_json(self):
        self.fault("garbage", "not what CLIProxyAPI sends")

    def test_empty_answer(self):
        self.fault("empty", "not what CLIProxyAPI sends")

    def test_text_where_a_number_belongs(self):
        self.fault("wrong_type", "not what CLIProxyAPI sends")

    def test_gigantic_answer(self):
        self.fault("gigantic", "larger than allowed", 64, {"poll.max_answer_bytes": '"8MiB"', "poll.timeout": '"20s"'})

    def test_status_500(self):
        self.fault("http_status", "error", 500)

    def test_status_404(self):
        self.fault("http_status", "neither /usage nor a usage queue", 404, path="/v0/management", recovers=False)

    def test_connection_closed_without_a_word(self):
        self.fault("response_lost", "does not answer")

    def test_numbers_for_auth_index(self):
        self.fault("numeric_auth_index", "auth_index")

    def test_a_wrong_management_key_is_tried_fewer_than_five_times(self):
        with Place() as place:
            good, bad = place.stand_in("good"), place.stand_in("bad", preload=10)
            portal = place.portal(nodes=[
                {"name": "good", "url": good.url, "management_key": SECRET},
                {"name": "bad", "url": bad.url, "management_key": "not-the-right-one-at-all"}])
            wait_until(lambda: portal.node("bad")["condition"]["state"] == "refused", "refused")
            self.assertIn("management key", problem(portal))
            good.record(5)
            wait_until(lambda: portal.requests("good") == 5, "the other node goes on")
            # Long enough for dozens of polls, were there any.
            refused = bad.state()["management_refused"]
            looks = good.state()["management_calls"]
            wait_until(lambda: good.state()["management_calls"] > looks + 15, "polls of the other node", 30)
            self.assertEqual(bad.state()["management_refused"], refused)
            self.assertLess(refused, 5)
            self.assertEqual(bad.state()["banned"], 0)
            self.assertNotIn("not-the-right-one-at-all", portal.log())
            # Our own restarts add up as well.
            for _ in range(2):
                portal.stop()
                portal.start()
                wait_until(lambda: portal.node("bad")["condition"]["state"] == "refused", "refused again")
            self.assertEqual(bad.state()["banned"], 0, bad.state())

    def test_a_ban_is_told_and_waited_for(self):
        with Place() as place:
            sim = place.stand_in(preload=10)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 10, "10 records")
            sim.fault("ban", "", 0, "/v0")
            wait_until(lambda: "banned" in portal.node()["condition"]["problem"], "the ban is told")
            calls = sim.state()["calls_by_path"].get("/v0/management/usage", 0)
            time.sleep(2)  # ten polls' time, in which there must be none
            self.assertLessEqual(sim.state()["calls_by_path"].get("/v0/management/usage", 0), calls + 1)

    def test_a_node_that_is_not_there_is_told_and_found_when_it_comes(self):
        with Place() as place:
            sim = StandIn(place.folder, "late", preload=30)
            place.programs.append(sim)
            portal = place.portal(nodes=[{"name": "late", "url": sim.url, "management_key": SECRET}])
            wait_until(lambda: "does not answer" in problem(portal, "late"), "told")
            sim.start()
            wait_until(lambda: portal.requests("late") == 30, "found")

    def test_a_node_frozen_by_a_silent_connection_does_not_hurt_the_others(self):
        with Place() as place:
            good, bad = place.stand_in("good", preload=5), place.stand_in("bad", preload=10)
            with socket.create_connection(("127.0.0.1", bad.port)):
                portal = place.portal(good, bad, settings={"poll.timeout": '"1s"'})
                wait_until(lambda: problem(portal), "the problem is told")
                wait_until(lambda: portal.requests("good") == 5, "the other node goes on")
            wait_until(lambda: portal.requests("bad") == 10, "found afterwards", 40)

    def test_an_import_whose_answer_is_lost_counts_once(self):
        with Place() as place:
            sim = place.stand_in(preload=300)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 300, "300 records")
            sim.control("/restart?down_ms=0&wait=1")
            sim.fault("response_lost", "", 1, "/v0/management/usage/import")
            wait_until(lambda: portal.restarts() and portal.restarts()[0]["restore"]["state"] == "complete",
                       "restored", 30)
            self.assertEqual(sum(sim.export().values()), 300)
            self.assertEqual(portal.ledger(), sim.export())

    def test_a_restart_in_the_middle_of_a_restore_is_restored_in_the_end(self):
        with Place() as place:
            sim = place.stand_in(preload=3000)
            portal = place.portal(sim, settings={"restore.piece_records": "500"})
            wait_until(lambda: portal.requests() == 3000, "3000 records")
            sim.fault("restart", "", 1, "/v0/management/usage/import")
            sim.control("/restart?down_ms=0&wait=1")
            wait_until(lambda: portal.restarts() and portal.restarts()[0]["restore"]["state"] == "complete"
                       and sum(sim.export().values()) == 3000, lambda: f"restored: {portal.restarts()}", 40)
            self.assertEqual(portal.ledger(), sim.export())

    def test_half_a_data_folder_or_a_wide_open_key_is_refused_in_words(self):
        with Place() as place:
            sim = place.stand_in(preload=10)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 10, "10 records")
            portal.stop()
            keys = [os.path.join(root, name) for root, _, names in os.walk(portal.data) for name in names
                    if os.path.getsize(os.path.join(root, name)) == 64 and "nats" not in root]
            self.assertTrue(keys, "the seal key is somewhere in the folder")
            for path in keys:
                os.chmod(path, 0o644)
            portal.start(wait=False)
            self.assertEqual(portal.wait_end(20), 1)
            self.assertIn("0600", portal.log())


if __name__ == "__main__":
    unittest.main()
