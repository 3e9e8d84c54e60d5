"""Single records go when they were kept long enough; what is added up of them, and what nodes get back, stays right."""
import datetime
import json
import os
import signal
import unittest

from service import Place, call, wait_until

DAY = datetime.timedelta(days=1)
KEPT = 32  # days, the least that can be set
SETTINGS = {"retention.records": f'"{KEPT}d"'}


def old_usage(days, each=6, salt=0):
    """An export file with records at every day from `days` ago until the day before yesterday."""
    noon = datetime.datetime.now(datetime.timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0)
    models = {}
    for ago in range(2, days + 1):
        for i in range(each):
            at = noon - ago * DAY + datetime.timedelta(minutes=i * 37, microseconds=salt * 1000 + i + 1)
            models.setdefault(f"model-{i % 3}", []).append({
                "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "source": "somebody@example.com",
                "auth_index": "0", "failed": i == 4, "latency_ms": 100 + i,
                "tokens": {"input_tokens": 10 + i, "output_tokens": ago, "reasoning_tokens": 0, "cached_tokens": 0,
                           "total_tokens": 10 + i + ago}})
    return {"version": 1, "usage": {"apis": {"sk-old-key": {"models": {
        name: {"details": details} for name, details in models.items()}}}}}


class Retention(unittest.TestCase):
    def take(self, portal, days, **more):
        """Brings old usage in; how many records that are."""
        path = os.path.join(portal.folder, "old.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(old_usage(days, **more), file)
        _, out, _ = portal.command("snapshot", "import", path, "--yes", "--json")
        return json.loads(out)

    def shipped(self, portal):
        wait_until(lambda: portal.get("/readyz")["outbox"] == 0, "everything is in NATS")

    def run_retention(self, portal):
        _, out, _ = portal.command("retention", "run", "--json")
        return json.loads(out)

    def usage(self, portal, days=90):
        """What a dashboard shows: totals, by day and model, by key."""
        found = []
        for query in (f"from={days}d", f"from={days}d&step=day&by=model&top=10", f"from={days}d&by=key&by=outcome"):
            status, _, text = call(f"{portal.url}/api/v1/usage?{query}&zone=Asia/Shanghai",
                                   headers={"Authorization": "Bearer " + portal.token()})
            self.assertEqual(status, 200, text)
            answer = json.loads(text)
            for key in ("position", "at", "from", "to", "as_of", "took_ms", "complete"):
                answer.pop(key, None)
            for row in [answer["total"], answer["other"] or {}, *answer["rows"]]:
                row.pop("per_minute", None)  # the span ends now, so it is another one a minute later
            found.append(json.dumps({k: answer[k] for k in answer if k in ("total", "totals", "series", "rows", "groups")},
                                    sort_keys=True))
        return found

    def proved(self, portal, place):
        """The ledger as it is adds up: a backup of it is restored and compared with itself."""
        key = os.path.join(place.folder, "backup.key")
        if not os.path.exists(key):
            with open(key, "w", encoding="ascii") as file:
                file.write("0f" * 32)
            os.chmod(key, 0o600)
        folder = os.path.join(place.folder, "proof")
        portal.stop()
        portal.command("backup", "create", "--folder", folder, "--key-file", key)
        portal.command("backup", "verify", "--restore", "--folder", folder, "--key-file", key)
        portal.start()

    def test_old_records_go_and_everything_else_stays_what_it_was(self):
        with Place() as place:
            sim = place.stand_in(preload=40)
            portal = place.portal(sim, settings=SETTINGS)
            report = self.take(portal, 60)
            records = report["added"]
            self.assertEqual(records, 59 * 6)
            wait_until(lambda: sum(sim.export().values()) == records + 40, "the node was given all of it")
            self.shipped(portal)
            before, totals = self.usage(portal), portal.node()["totals"]
            whole = portal.ledger()
            state = self.run_retention(portal)
            self.assertEqual(state["held_back"], [])
            self.assertIsNone(state["alarm"])
            node = state["nodes"][0]
            gone = node["gone"]
            # Days are those of UTC; which one is the first that is kept depends on when this runs.
            self.assertIn(gone, [(60 - KEPT) * 6, (60 - KEPT - 1) * 6])
            self.assertEqual(node["records"], records + 40 - gone)
            self.assertEqual(portal.node()["totals"], totals)
            self.assertEqual(self.usage(portal), before)
            left = portal.ledger()
            self.assertEqual(sum(left.values()), records + 40 - gone)
            self.assertLessEqual(left, whole)
            self.assertTrue(all(identity[2] >= node["first"][:10] for identity in left))
            # The node has them still; nothing is put back into it, and nothing is missing.
            polls = portal.node()["condition"]["last_poll"]
            wait_until(lambda: portal.node()["condition"]["last_poll"] > polls, "another poll")
            self.assertEqual(sum(sim.export().values()), records + 40)
            self.assertEqual(portal.restarts(), [])
            self.proved(portal, place)
            self.assertEqual(self.usage(portal), before)

            # A node that begins anew gets back what is kept, and that is all it must have.
            sim.kill()
            sim.start()
            wait_until(lambda: portal.restarts() and portal.restarts()[0]["restore"]["state"] == "complete",
                       lambda: f"restored: {portal.restarts()}")
            self.assertEqual(sim.export(), left)
            self.assertEqual(portal.restarts()[0]["restore"]["still_lacking"], 0)
            count = len(portal.restarts())
            sim.record(5)
            wait_until(lambda: portal.requests() == totals["requests"] + 5, lambda: f"5 more: {portal.requests()}")
            self.assertEqual(portal.ledger(), sim.export())
            self.assertEqual(len(portal.restarts()), count)

            # What comes once more is not counted once more.
            requests = portal.requests()
            again = self.take(portal, 60)
            self.assertEqual((again["added"], again["refused"], again["records"]), (0, gone, records))
            self.assertEqual(portal.requests(), requests)
            shown = portal.get("/api/v1/retention")["nodes"][0]
            self.assertEqual(shown["refused"], gone)
            self.proved(portal, place)

    def test_what_never_was_here_is_taken_however_old_until_something_went(self):
        with Place() as place:
            first, second = place.stand_in("alpha"), place.stand_in("beta")
            portal = place.portal(first, second, settings=SETTINGS)
            path = os.path.join(place.folder, "old.json")
            for salt, node in enumerate(("alpha", "beta")):
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(old_usage(50, salt=salt), file)
                _, out, _ = portal.command("snapshot", "import", path, "--yes", "--json", "--node", node)
                self.assertEqual(json.loads(out)["added"], 49 * 6)
                self.shipped(portal)
                state = self.run_retention(portal)  # closes days of alpha only, the first time
                self.assertEqual(state["held_back"], [])
            self.assertEqual(portal.requests("alpha"), 49 * 6)
            self.assertEqual(portal.requests("beta"), 49 * 6)
            self.proved(portal, place)

    def test_nothing_goes_that_nats_does_not_have(self):
        with Place() as place:
            sim = place.stand_in()
            # A server that is not there: everything waits.
            portal = place.portal(sim, settings=dict(SETTINGS, **{"nats.url": '"nats://127.0.0.1:1"'}))
            self.take(portal, 40)
            state = self.run_retention(portal)
            self.assertEqual(state["records"], 0)
            self.assertEqual(state["nodes"][0]["gone"], 0)
            self.assertTrue(state["held_back"])
            self.assertIn("wait for the stream", state["held_back"][0])
            self.assertTrue(any("wait for the stream" in a for a in portal.get("/api/v1/summary")["alarms"]))
            _, out, _ = portal.command("status")
            self.assertIn("wait for the stream", out)

    def test_a_kill_between_any_two_steps_costs_nothing(self):
        with Place() as place:
            sim = place.stand_in()
            portal = place.portal(sim, settings=SETTINGS)
            records = self.take(portal, 60)["added"]
            self.shipped(portal)
            before = self.usage(portal)
            for point, passing in (("closed", 1), ("retired", 1), ("closed", 3), ("retired", 4)):
                portal.stop()
                portal.environment["KEYPORTAL_END_AT"] = f"{point}:{passing}"
                portal.start()
                del portal.environment["KEYPORTAL_END_AT"]
                portal.command("retention", "run", check=False)
                self.assertEqual(portal.wait_end(30), -signal.SIGKILL, portal.log()[-2000:])
                portal.start()
                self.assertEqual(portal.requests(), records)
                self.assertEqual(self.usage(portal), before)
                self.proved(portal, place)
            self.run_retention(portal)
            state = portal.get("/api/v1/retention")["nodes"][0]
            self.assertEqual(state["gone"] + state["records"], records)
            self.assertIn(state["gone"], [(60 - KEPT) * 6, (60 - KEPT - 1) * 6])
            self.assertEqual(self.usage(portal), before)
            self.proved(portal, place)

    def test_the_limit_is_told_before_it_is_reached_and_old_days_go_at_it(self):
        with Place() as place:
            sim = place.stand_in()
            # So small that the empty folder is beyond it already: all that may go goes.
            portal = place.portal(sim, settings={"retention.records": '"0s"', "retention.max_bytes": '"100KiB"'})
            records = self.take(portal, 20)["added"]
            self.shipped(portal)
            before = self.usage(portal)
            state = self.run_retention(portal)
            self.assertIn("retention.max_bytes", state["alarm"])
            self.assertEqual(state["nodes"][0]["gone"], records)  # all of it is older than two days
            self.assertEqual(portal.requests(), records)
            self.assertEqual(self.usage(portal), before)
            self.assertIn(state["alarm"], portal.get("/api/v1/summary")["alarms"])
            _, _, metrics = call(portal.url + "/metrics")
            self.assertIn(b"keyportal_disk_alarm 1", metrics)
            _, out, _ = portal.command("events", "tail", "--from", "all", "--subject", "keyportal.v1.store.>",
                                       "--count", "2", "--json")
            self.assertEqual({json.loads(line)["subject"] for line in out.splitlines()},
                             {"keyportal.v1.store.disk.alarm", "keyportal.v1.store.records.retired"})
            self.proved(portal, place)


if __name__ == "__main__":
    unittest.main()
