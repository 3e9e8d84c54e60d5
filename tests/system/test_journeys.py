"""What people do with the pages, from beginning to end, in Debian's Chromium: the program, the stand-in and NATS are real."""
import json
import os
import subprocess
import time
import unittest

from browser import PASSWORD, first_admin, member
from service import ROOT, Place, wait_until

WEB = os.path.join(ROOT, "gateway", "web")


@unittest.skipIf(os.environ.get("KEYPORTAL_PATIENCE"), "sanitizers look at the program, not at the pages")
class Journeys(unittest.TestCase):
    def go(self, name, sim_options, settings):
        with Place() as place:
            sim = place.stand_in(**sim_options)
            portal = place.portal(sim, settings=settings)
            admin = first_admin(portal)
            member(portal, admin, "ann@example.com")
            if sim_options.get("preload"):
                wait_until(lambda: portal.requests() == sim_options["preload"], "the records are here")
            people = {"admin": {"email": "root@example.com", "password": PASSWORD},
                      "user": {"email": "ann@example.com", "password": PASSWORD}}
            node = {"url": sim.url, "control": f"http://127.0.0.1:{sim.control_port}"}
            done = subprocess.run(["node", "e2e/journeys.mjs", name], cwd=WEB, capture_output=True, text=True, check=False,
                                  timeout=400, env={**os.environ, "KEYPORTAL_URL": portal.url,
                                                    "KEYPORTAL_PEOPLE": json.dumps(people), "KEYPORTAL_NODE": json.dumps(node)})
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertTrue(lines and "journey" in lines[-1], done.stderr[-3000:] + done.stdout[-2000:])
            self.assertEqual(lines[-1]["faults"], 0, "\n".join(one["what"] for one in lines[:-1]))
            portal.stop()

    #: A node of the second era, which tells each request as it happens.
    NEW = {"more": ["--version", "7.2.140", "--statistics", "1", "--bcrypt-ms", "5"]}

    def test_a_new_person_gets_a_working_key_and_sees_the_first_request_appear(self):
        self.go("newcomer", self.NEW, {"sign_in.registration": '"approval"'})

    def test_an_admin_watches_a_restart_and_its_restoration(self):
        self.go("restart", {"preload": 300}, {})

    def test_an_account_is_contributed_and_looked_after(self):
        self.go("account", {"more": ["--version", "7.2.140", "--no-accounts"]},
                {"accounts.refresh_interval": '"1s"', "accounts.quota_interval": '"2s"'})

    def test_a_key_near_its_end_is_renewed_and_another_one_ends(self):
        self.go("renewal", self.NEW, {})

    def test_the_pool_runs_low_and_is_filled(self):
        self.go("pool", self.NEW, {"keys.pool_size": "0", "keys.pool_low_water": "3"})

    def test_a_budget_is_reached_and_raised(self):
        # Somewhere no hour turns while this runs.
        zone = "Etc/UTC" if 5 <= time.gmtime().tm_min < 50 else "Asia/Kolkata"
        self.go("budget", self.NEW, {"display.time_zone": f'"{zone}"', "collect.audit_interval": '"1s"'})


if __name__ == "__main__":
    unittest.main()
