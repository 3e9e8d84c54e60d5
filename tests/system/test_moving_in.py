"""Usage of other tools moves in: each record once, whenever the import is broken off, and days apart from records."""
import json
import os
import signal
import sqlite3
import subprocess
import unittest

from service import Place, find_program, wait_until

EVENTS = """
CREATE TABLE usage_events (id integer PRIMARY KEY AUTOINCREMENT, event_key text, api_group_key text, provider text,
  endpoint text, auth_type text, request_id text, model text, model_alias text, timestamp datetime, source text,
  auth_index text, failed numeric, latency_ms integer, ttft_ms integer, input_tokens integer, output_tokens integer,
  reasoning_tokens integer, cached_tokens integer, cache_read_tokens integer NOT NULL DEFAULT 0,
  cache_creation_tokens integer NOT NULL DEFAULT 0, total_tokens integer, created_at datetime);
CREATE INDEX idx_usage_events_timestamp_id ON usage_events(timestamp DESC, id DESC);
"""
COLUMNS = "api_group_key,model,timestamp,source,auth_index,failed,input_tokens,output_tokens,total_tokens"


def keeper(place, rows):
    path = os.path.join(place.folder, "app.db")
    with sqlite3.connect(path) as db:
        db.executescript(EVENTS)
        db.executemany(f"INSERT INTO usage_events({COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?)", rows)
    db.close()
    return path


def old_rows(count):
    return [("sk-former-%d" % (i % 7), "gpt-5", "2026-03-%02dT%02d:%02d:%02d.%09dZ"
             % (1 + i // 86400, i // 3600 % 24, i // 60 % 60, i % 60, i), "ada@example.com", "0123456789abcdef",
             i % 11 == 0, i, 5, i + 5) for i in range(count)]


class MovingIn(unittest.TestCase):
    def test_an_import_killed_half_way_goes_on_and_counts_each_record_once(self):
        with Place() as place:
            sim = place.stand_in(preload=50)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 50, "50 records")
            there = [(api, model, at, "hidden", auth, failed, 7_000, 7, 7_007)  # tokens counted another way
                     for (api, model, at, _, auth, failed, _, _) in portal.ledger()]
            total = 20_000
            path = keeper(place, there + old_rows(total))

            def importing(*more):
                return json.loads(portal.command("import", "cpa-usage-keeper", path, "--json", *more)[1])

            self.assertEqual(importing("--dry-run")["records"],
                             {"read": total + 50, "added": total, "known": 50, "refused": 0, "too_old": 0})
            self.assertEqual(portal.requests(), 50)
            command = [find_program("keyportal"), "import", "cpa-usage-keeper", path, "--config", portal.config]
            half = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, env=portal.environment)
            wait_until(lambda: portal.requests() > 2_000, "some of it is in")
            half.send_signal(signal.SIGKILL)
            half.wait(10)
            would = importing("--dry-run")["records"]
            self.assertGreater(would["added"], 0, "it was killed half way")
            self.assertEqual(would["known"], portal.requests())
            self.assertEqual(importing()["records"], would)
            self.assertEqual(portal.requests(), total + 50)
            self.assertEqual(importing()["records"], {"read": total + 50, "added": 0, "known": total + 50, "refused": 0, "too_old": 0})
            self.assertEqual(sorted(os.listdir(place.folder)).count("app.db"), 1)
            self.assertFalse([name for name in os.listdir(place.folder) if name.startswith("app.db-")])
            # Nothing of it goes back to the node.
            portal.command("snapshot", "restore", "--yes", check=False)
            self.assertEqual(sum(sim.export().values()), 50)

    def test_an_import_goes_on_after_the_service_was_killed(self):
        with Place() as place:
            sim = place.stand_in()
            portal = place.portal(sim)
            path = keeper(place, old_rows(20_000))
            command = [find_program("keyportal"), "import", "cpa-usage-keeper", path, "--config", portal.config]
            running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       text=True, env=portal.environment)
            wait_until(lambda: portal.requests() > 1_000, "some of it is in")
            portal.kill()
            said, _ = running.communicate(timeout=60)
            self.assertNotEqual(running.returncode, 0)
            self.assertIn("run it again", said)
            portal.start()
            portal.command("import", "cpa-usage-keeper", path, "--yes")
            self.assertEqual(portal.requests(), 20_000)

    def test_days_of_the_original_portal_are_kept_apart_and_its_people_are_added(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            path = os.path.join(place.folder, "usage.db")
            with sqlite3.connect(path) as db:
                sums = "total_requests INTEGER, success_count INTEGER, failure_count INTEGER, total_tokens INTEGER, " \
                       "input_tokens INTEGER, output_tokens INTEGER"
                db.execute(f"CREATE TABLE daily_usage (date TEXT PRIMARY KEY, {sums})")
                db.execute(f"CREATE TABLE user_usage (date TEXT, user_email TEXT, api_key TEXT, {sums})")
                db.execute("INSERT INTO daily_usage VALUES('2025-11-03',9,9,0,900,0,0)")
                db.execute("INSERT INTO user_usage VALUES('2025-11-03','ada/pc@example.com','usr_pool_0001_a1',3,2,1,40,30,10)")
            db.close()
            first = json.loads(portal.command("import", "usage-db", path, "--json")[1])
            self.assertEqual(first["days"], {"read": 2, "added": 2, "changed": 0, "known": 0, "refused": 0, "too_old": 0})
            self.assertEqual(first["people"], {"added": 1, "known": 0})
            again = json.loads(portal.command("import", "usage-db", path, "--json")[1])
            self.assertEqual(again["days"]["known"], 2)
            self.assertEqual(again["people"], {"added": 0, "known": 1})
            self.assertEqual(portal.requests(), 0, "they are no records")
            items = json.loads(portal.command("history", "--json")[1])["items"]
            self.assertEqual([(one["owner"], one["requests"]) for one in items],
                             [(None, 9), ("ada/pc@example.com", 3)])
            shown = json.loads(portal.command("users", "show", "ada/pc@example.com", "--json")[1])
            self.assertEqual(shown["email"], "ada/pc@example.com")

    def test_files_of_people_and_keys_say_before_what_they_do_and_do_it_once(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            keys = ["usr_pool_%04d_a1b2c3d4e5f6" % i for i in range(1200)]
            people = {"p%d@example.com" % i: {"name": "P", "api_keys": keys[4 * i:4 * i + 4]} for i in range(200)}
            files = {"user-mapping": {"users": [{"claude_email": "p%d@claude.example" % i, "feishu_email": "p%d@example.com" % i,
                                                 "name": "P"} for i in range(210)]},
                     "user-keys": {"version": "1.0", "users": people, "keys": {}},
                     "key-pool": {"unused": keys[800:], "assigned": {}, "total": 400}}
            for kind, content in files.items():
                path = os.path.join(place.folder, kind + ".json")
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(content, file)

                def importing(*more, kind=kind, path=path):
                    told = json.loads(portal.command("import", kind, path, "--json", *more)[1])
                    return told["people"], told["keys"]

                would = importing("--dry-run")
                self.assertEqual(importing("--dry-run"), would, "a dry run changes nothing")
                process = subprocess.Popen([find_program("keyportal"), "import", kind, path, "--config", portal.config],
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                           env=portal.environment)
                try:
                    process.wait(0.3)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait(10)
                importing()
                people_after, keys_after = importing("--dry-run")
                self.assertEqual((people_after["added"], people_after["changed"], keys_after["added"]), (0, 0, 0), kind)
                self.assertEqual(people_after["known"], would[0]["added"] + would[0]["changed"] + would[0]["known"])
                self.assertEqual(keys_after["known"], would[1]["added"] + would[1]["known"])


if __name__ == "__main__":
    unittest.main()
