"""People and keys against the shipped programs: from the pool to working at the node and back."""
import json
import os
import subprocess
import unittest

from service import Place, call, find_program, wait_until


class Keys(unittest.TestCase):
    def run_cli(self, portal, *arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("KEYPORTAL_")}
        done = subprocess.run([find_program("keyportal"), *arguments, "--config", portal.config], capture_output=True,
                              text=True, env=environment, timeout=60)
        self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        return done.stdout

    def test_a_key_works_from_its_assignment_to_its_end_and_is_nowhere_on_disk(self):
        for version in ("6.9.49", "7.2.140"):
            with self.subTest(version=version), Place() as place:
                sim = place.stand_in(more=["--version", version, "--statistics", "1"])
                portal = place.portal(sim)

                def answer(key=None):
                    headers = {"Authorization": "Bearer " + key} if key else {}
                    # Without a key nobody gets in, at any moment.
                    self.assertEqual(call(sim.url + "/v1/models")[0], 401)
                    return call(sim.url + "/v1/models", headers=headers)[0]

                def pooled():
                    return json.loads(self.run_cli(portal, "pool", "show", "--json"))["keys"]["pooled"]

                wait_until(lambda: pooled() == 50, "the pool fills itself")
                self.run_cli(portal, "users", "add", "ann@example.com", "--name", "Ann")
                given = json.loads(self.run_cli(portal, "keys", "assign", "ann@example.com", "--json"))
                key, key_id = given["key"], given["keys"][0]["id"]
                wait_until(lambda: answer(key) == 200, "the key works")
                portal.kill()
                portal.start()
                self.assertEqual(answer(key), 200)
                self.run_cli(portal, "keys", "revoke", key_id, "--yes")
                wait_until(lambda: answer(key) == 401, "the key works no more")
                self.run_cli(portal, "audit", "verify")
                portal.stop()
                found = subprocess.run(["grep", "-rlaF", key, portal.folder], capture_output=True, text=True).stdout
                self.assertEqual([f for f in found.split() if not f.endswith("sim.log")], [])
