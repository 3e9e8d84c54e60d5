"""The graceful end."""
import os
import signal
import time
import unittest

from service import Place, wait_until
from test_flow import usage_ids
from wire import WebSocket


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Shutdown(unittest.TestCase):
    def test_sigterm_under_load_ends_in_time_with_everything_kept_and_shipped(self):
        with Place() as place:
            sim = place.stand_in(preload=2000, rate=500)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() > 2500, "traffic")
            nats = portal.nats_pid()
            with WebSocket(portal.url) as socket:
                socket.frame()
                began = time.monotonic()
                self.assertEqual(portal.stop(15), 0)
                self.assertLess(time.monotonic() - began, 11)
                while socket.frame() is not None:  # closed, not cut: ends with a close frame or the end
                    pass
            self.assertTrue(gone(nats), "nats-server ended too")
            sim.set_rate(0)
            portal.start()
            wait_until(lambda: portal.ledger() == sim.export(), "nothing is missing")
            self.assertEqual(portal.restarts(), [])
            items = portal.get("/api/v1/nodes/default/snapshots")["items"]
            self.assertIn("shutdown", [each["reason"] for each in items])
            total = portal.requests()
            wait_until(lambda: sum(usage_ids(portal).values()) >= total, "all in the stream")
            self.assertEqual(set(usage_ids(portal).values()), {1})

    def test_sigterm_while_the_node_hangs_ends_in_time(self):
        with Place() as place:
            sim = place.stand_in(preload=100)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 100, "100 records")
            sim.fault("hang")
            wait_until(lambda: portal.node()["condition"]["problem"] or sim.state()["faults"], "hanging")
            began = time.monotonic()
            self.assertIn(portal.stop(20), (0, 1))
            self.assertLess(time.monotonic() - began, 14)

    def test_a_second_signal_forces_the_end(self):
        with Place() as place:
            sim = place.stand_in(preload=100)
            portal = place.portal(sim, settings={"shutdown.grace": '"60s"', "poll.timeout": '"60s"'})
            wait_until(lambda: portal.requests() == 100, "100 records")
            nats = portal.nats_pid()
            os.kill(nats, signal.SIGSTOP)  # so that the end has something to wait for
            sim.fault("hang")
            wait_until(lambda: "calls" in sim.state(), "the fault is there")
            time.sleep(0.5)  # lets the next poll hang
            portal.signal(signal.SIGTERM)
            time.sleep(0.3)  # two signals at once would be one
            began = time.monotonic()
            portal.signal(signal.SIGTERM)
            portal.wait_end(5)
            self.assertLess(time.monotonic() - began, 3)
            os.kill(nats, signal.SIGCONT)
            wait_until(lambda: gone(nats), "nats-server ends with us")
            sim.clear()
            portal.start()
            wait_until(lambda: portal.ledger() == sim.export(), "nothing is missing")

    def test_sigterm_while_nats_server_hangs_ends_in_time(self):
        with Place() as place:
            sim = place.stand_in(preload=100, rate=50)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() > 100, "records")
            nats = portal.nats_pid()
            os.kill(nats, signal.SIGSTOP)
            count = portal.requests()
            wait_until(lambda: portal.requests() > count + 20, "collecting goes on without NATS")
            began = time.monotonic()
            self.assertIn(portal.stop(30), (0, 1))
            self.assertLess(time.monotonic() - began, 15)
            self.assertTrue(gone(nats), "nats-server ended too")
            sim.set_rate(0)
            portal.start()
            wait_until(lambda: portal.ledger() == sim.export(), "nothing is missing")
            total = portal.requests()
            wait_until(lambda: sum(usage_ids(portal).values()) >= total, "all in the stream")
            self.assertEqual(set(usage_ids(portal).values()), {1})

    def test_sigkill_leaves_no_nats_server_behind(self):
        with Place() as place:
            sim = place.stand_in()
            portal = place.portal(sim)
            nats = wait_until(portal.nats_pid, "nats-server runs")
            portal.kill()
            wait_until(lambda: gone(nats), "nats-server ends with us")

    def test_two_services_on_one_folder_are_refused(self):
        with Place() as place:
            sim = place.stand_in()
            portal = place.portal(sim)
            code, out, err = portal.command("serve", check=False)
            self.assertEqual(code, 1)
            self.assertIn("another process", out + err)
            self.assertTrue(portal.alive())
            portal.get("/api/v1/summary")


if __name__ == "__main__":
    unittest.main()
