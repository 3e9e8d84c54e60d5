"""The command line against a running service, against CPA itself, and against nothing."""
import json
import os
import signal
import subprocess
import time
import unittest

from service import Place, SECRET, find_program, free_port, identities, wait_until


def run(*arguments, env=None):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KEYPORTAL_")}
    environment.update(env or {})
    ran = subprocess.run([find_program("keyportal"), *arguments], env=environment, capture_output=True, text=True,
                         timeout=60, stdin=subprocess.DEVNULL, check=False)
    return ran.returncode, ran.stdout, ran.stderr


class CommandLine(unittest.TestCase):
    def test_status_and_snapshots(self):
        with Place() as place:
            sim = place.stand_in(preload=120)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 120, "120 records")
            status = json.loads(portal.command("status", "--json")[1])
            self.assertEqual(status["totals"]["requests"], 120)
            self.assertIn("default", portal.command("status")[1])
            made = json.loads(portal.command("snapshot", "make", "--json")[1])
            listed = json.loads(portal.command("snapshot", "list", "--json")[1])
            items = listed["items"] if isinstance(listed, dict) else listed
            self.assertIn(made["id"], [each["id"] for each in items])
            self.assertIn("120", portal.command("snapshot", "show", str(made["id"]))[1])

    def test_export_and_import_carry_usage_to_a_new_node(self):
        with Place() as place:
            old, new = place.stand_in("old", preload=150), place.stand_in("new")
            portal = place.portal(old, new)
            wait_until(lambda: portal.requests("old") == 150, "150 records")
            path = os.path.join(place.folder, "usage.json")
            portal.command("snapshot", "export", path, "--node", "old")
            with open(path, encoding="utf-8") as file:
                self.assertEqual(identities(json.load(file)), old.export())
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, "the file holds keys: readable by its owner only")
            portal.command("snapshot", "import", path, "--node", "new", "--yes")
            wait_until(lambda: new.export() == old.export(), "the new node has the usage", 30)
            self.assertEqual(portal.ledger("new"), old.export())

    def test_a_snapshot_file_of_the_original_portal_is_taken(self):
        with Place() as place:
            sim = place.stand_in()
            portal = place.portal(sim)
            path = os.path.join(place.folder, "cliproxy_snapshot.json")
            detail = {"timestamp": "2025-11-03T10:20:30.123456789+08:00", "source": "someone@example.com",
                      "auth_index": "0123456789abcdef", "failed": False,
                      "tokens": {"input_tokens": 10, "output_tokens": 5, "reasoning_tokens": 0, "cached_tokens": 0,
                                 "total_tokens": 15}}
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"version": 1, "exported_at": "2025-11-03T02:20:31Z", "usage": {
                    "total_requests": 1, "success_count": 1, "failure_count": 0, "total_tokens": 15,
                    "apis": {"sk-person-1": {"total_requests": 1, "total_tokens": 15, "models": {
                        "claude": {"total_requests": 1, "total_tokens": 15, "details": [detail]}}}},
                    "requests_by_day": {}, "requests_by_hour": {}, "tokens_by_day": {}, "tokens_by_hour": {}}}, file)
            portal.command("snapshot", "import", path, "--yes")
            wait_until(lambda: portal.requests() == 1, "one record")
            wait_until(lambda: sum(sim.export().values()) == 1, "the node has it", 30)
            self.assertEqual(portal.ledger(), sim.export())
            portal.command("snapshot", "import", path, "--yes")  # twice changes nothing
            self.assertEqual(portal.requests(), 1)

    def test_export_and_import_straight_at_a_cpa(self):
        with Place() as place:
            one, two = place.stand_in("one", preload=80), place.stand_in("two")
            key = os.path.join(place.folder, "key")
            with open(key, "w", encoding="utf-8") as file:
                file.write(SECRET + "\n")
            os.chmod(key, 0o600)
            path = os.path.join(place.folder, "direct.json")
            code, out, err = run("snapshot", "export", path, "--cpa", one.url, "--key-file", key)
            self.assertEqual(code, 0, err)
            code, out, err = run("snapshot", "import", path, "--cpa", two.url, "--key-file", key, "--yes")
            self.assertEqual(code, 0, err)
            self.assertIn("80", out + err)
            self.assertEqual(two.export(), one.export())
            self.assertNotIn(SECRET, out + err)

    def test_restore_on_request_puts_back_what_lacks(self):
        with Place() as place:
            sim = place.stand_in(preload=60)
            portal = place.portal(sim, settings={"restore.enabled": "false"})
            wait_until(lambda: portal.requests() == 60, "60 records")
            sim.control("/restart?down_ms=0&wait=1")
            wait_until(portal.restarts, "the restart is noticed")
            self.assertEqual(sum(sim.export().values()), 0)
            code = None
            for command in (("snapshot", "restore"), ("restore",)):
                code, out, err = portal.command(*command, "--yes", check=False)
                if code == 0:
                    break
            self.assertEqual(code, 0, err)
            wait_until(lambda: portal.ledger() == sim.export() and sum(sim.export().values()) == 60, "restored")

    def test_events_tail_prints_what_was_and_what_comes(self):
        with Place() as place:
            sim = place.stand_in(preload=20)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 20, "20 records")
            out = portal.command("events", "tail", "--from", "all", "--subject", "keyportal.v1.usage.>", "--count", "20",
                                 "--json")[1]
            events = [json.loads(line) for line in out.splitlines()]
            self.assertEqual(len(events), 20)
            self.assertTrue(all(each["subject"].startswith("keyportal.v1.usage.default.") for each in events))
            tail = subprocess.Popen([find_program("keyportal"), "events", "tail", "--from", "all", "--subject",
                                     "keyportal.v1.node.>", "--config", portal.config], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, env=portal.environment)
            try:
                sim.control("/restart?down_ms=0&wait=1")
                deadline = time.monotonic() + 20
                while "restored" not in (line := tail.stdout.readline()):
                    self.assertTrue(line and time.monotonic() < deadline, "a restored event is printed")
                tail.send_signal(signal.SIGTERM)
                tail.wait(10)
            finally:
                tail.kill()
                tail.wait(10)
                tail.stdout.close()

    def test_without_a_service_the_exit_code_is_3_and_the_sentence_helps(self):
        with Place() as place:
            code, out, err = run("status", "--data-dir", place.folder, "--set",
                                 f"gateway.listen=127.0.0.1:{free_port()}")
            self.assertEqual(code, 3)
            self.assertIn("keyportal serve", out + err)

    def test_wrong_usage_is_2_and_all_errors_of_a_configuration_come_at_once(self):
        with Place() as place:
            self.assertEqual(run("no-such-command")[0], 2)
            path = os.path.join(place.folder, "bad.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write('[pol]\ninterval = "3s"\n[poll]\nintervall = "3s"\ntimeout = "soon"\n'
                           '[[node]]\nname = "A b"\nurl = "ftp://x"\nmanagement_key = "top-secret-key-1"\n')
            code, out, err = run("config", "check", "--config", path)
            self.assertNotEqual(code, 0)
            for part in ("pol", "intervall", "timeout", "name", "url"):
                self.assertIn(part, out + err)
            self.assertNotIn("top-secret-key-1", out + err)
            code, out, err = run("serve", "--config", path)
            self.assertEqual(code, 2)
            code, out, err = run("serve", "--config", os.path.join(place.folder, "none.toml"))
            self.assertEqual(code, 2)
            self.assertIn("none.toml", out + err)

    def test_secrets_are_not_printed(self):
        with Place() as place:
            sim = place.stand_in()
            portal = place.portal(sim, start=False)
            code, out, err = portal.command("config", "print")
            self.assertNotIn(SECRET, out + err)

    def test_version_and_help(self):
        self.assertRegex(run("--version")[1], r"^keyportal \d+\.\d+\.\d+\n$")
        code, out, _ = run("--help")
        self.assertEqual(code, 0)
        for word in ("serve", "status", "snapshot", "events", "config"):
            self.assertIn(word, out)

    def test_a_node_from_the_environment_alone_is_enough(self):
        with Place() as place:
            sim = place.stand_in(preload=5)
            portal = place.portal(sim, nodes=[], start=False)
            portal.environment.update({"KEYPORTAL_CPA_URL": sim.url, "KEYPORTAL_CPA_KEY": SECRET})
            portal.start()
            wait_until(lambda: portal.requests("default") == 5, "5 records")


if __name__ == "__main__":
    unittest.main()
