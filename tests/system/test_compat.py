"""Tools that were made for CLIProxyAPI, against the compatibility listener: they see one continuous source, whatever
becomes of the node behind it, and do not take anything from each other."""
import json
import os
import random
import sys
import time
import unittest

from cpa_tools import HttpPopper, RespPopper, RespSubscriber, UsagePoller
from service import ROOT, Place, call, wait_until

sys.path.insert(0, os.path.join(ROOT, "tests", "cpa_sim"))
import fates  # noqa: E402  the stand-in's own account of every record

KEYS = {"default": "compat-default-key", "pops": "compat-pops-key", "resp": "compat-resp-key",
        "pushed": "compat-pushed-key"}
RESTARTS = int(os.environ.get("KEYPORTAL_COMPAT_RESTARTS", "10"))


def settings():
    found = {"compat.listen": '"127.0.0.1:0"', "compat.management_key": f'"{KEYS["default"]}"',
             "collect.audit_interval": '"1s"', "collect.pop_interval": '"100ms"', "collect.resp_pop_interval": '"20ms"'}
    tables = [f'{{ name = "{name}", key = "{key}" }}' for name, key in KEYS.items() if name != "default"]
    found["compat.consumer"] = "[" + ", ".join(tables) + "]"
    return found


def listener(portal):
    with open(os.path.join(portal.data, "compat.url"), encoding="ascii") as file:
        return file.read().strip()


class Compat(unittest.TestCase):
    def setUp(self):
        seed = int(os.environ.get("KEYPORTAL_SEED", random.randrange(1 << 31)))
        print(f"KEYPORTAL_SEED={seed}", flush=True)
        self.random = random.Random(seed)

    def tools(self, url):
        made = [UsagePoller(url, KEYS["default"]), HttpPopper(url, KEYS["pops"]), RespPopper(url, KEYS["resp"]),
                RespSubscriber(url, KEYS["pushed"])]
        for tool in made:
            tool.start()
        return made

    def test_tools_of_each_kind_see_totals_that_only_grow_while_the_node_restarts(self):
        for version in ("6.9.49", "6.10.0", "7.1.17", "7.2.140"):
            with self.subTest(version=version), Place() as place:
                sim = place.stand_in(seed=self.random.randrange(1000), more=["--version", version, "--statistics", "1"])
                portal = place.portal(sim, settings=settings())
                wait_until(lambda: portal.node()["condition"]["collecting"], "records are taken", 30)
                url = listener(portal)
                poller, *readers = tools = self.tools(url)
                for _ in range(RESTARTS):
                    sim.record(self.random.randrange(20, 60))
                    before = portal.requests()
                    time.sleep(self.random.random() * 0.5)
                    sim.kill()
                    sim.start()
                    sim.record(1)
                    wait_until(lambda: portal.requests() > before, "the node is back", 60)
                *_, last = fates.read(sim.oracle_path)
                last = (last["api"], last["model"], last["timestamp"], last["auth_index"], last["failed"])
                wait_until(lambda: all(last in r.records and sum(r.records.values()) >= portal.requests()
                                       for r in readers) and poller.totals[-1] == portal.requests(),
                           lambda: f"{portal.requests()}: {[(sum(r.records.values()), r.last_error) for r in readers]}, "
                                   f"{poller.totals[-1:]}, {poller.last_error}", 60)
                for tool in tools:
                    tool.end()
                self.assertEqual(poller.falls, 0)
                self.assertEqual(poller.totals, sorted(poller.totals))
                self.assertEqual(poller.version, version)
                held = {(api, model, d["timestamp"], d["auth_index"], d["failed"])
                        for api, of in poller.usage["apis"].items() for model, m in of["models"].items()
                        for d in m["details"]}
                self.assertEqual(len(held), poller.totals[-1], "each record once in what /usage says")
                recorded = {(r["api"], r["model"], r["timestamp"], r["auth_index"], r["failed"])
                            for r in fates.read(sim.oracle_path)}
                self.assertEqual(held - recorded, set())
                for tool in tools:
                    self.assertEqual(tool.errors, 0, f"{type(tool).__name__}: {tool.last_error}")
                for reader in readers:
                    self.assertEqual(set(reader.records.values()), {1}, type(reader).__name__)
                    self.assertEqual(set(reader.records), held, type(reader).__name__)

    def test_places_survive_kills_of_key_portal(self):
        with Place() as place:
            sim = place.stand_in(seed=self.random.randrange(1000), more=["--version", "7.2.140", "--statistics", "1"])
            more = settings()
            portal = place.portal(sim, settings=more)
            wait_until(lambda: portal.node()["condition"]["collecting"], "records are taken", 30)
            readers = [HttpPopper(listener(portal), KEYS["pops"]), RespSubscriber(listener(portal), KEYS["pushed"])]
            for reader in readers:
                reader.start()
            for _ in range(5):
                sim.record(50)
                time.sleep(self.random.random() * 0.3)
                portal.kill()
                portal.start()
                for reader in readers:
                    reader.url = listener(portal)
            sim.record(10)
            # A record that was popped and cut off on its way is gone for the one who popped it, as at CLIProxyAPI; a
            # subscriber gets everything, what was on its way at the moment of a kill perhaps twice.
            subscriber = readers[1]
            wait_until(lambda: len(subscriber.records) == portal.requests() > 0,
                       lambda: f"{portal.requests()}: {len(subscriber.records)} {subscriber.last_error}", 60)
            for reader in readers:
                reader.end()
            self.assertEqual(set(readers[0].records.values()), {1})
            self.assertGreater(len(readers[0].records), 0)

    def test_an_export_comes_back_through_import_and_two_nodes_are_their_sum(self):
        with Place() as place:
            one = place.stand_in("one", preload=300, more=["--version", "6.9.49", "--statistics", "1"])
            two = place.stand_in("two", preload=200, more=["--version", "7.2.140", "--statistics", "1"])
            portal = place.portal(one, two, settings=settings())
            wait_until(lambda: portal.requests("one") == 300 and portal.requests("two") == 200, "all is collected", 30)
            head = {"Authorization": "Bearer " + KEYS["default"]}
            url = listener(portal)

            def usage(path=""):
                return json.loads(call(f"{url}{path}/v0/management/usage", headers=head)[2])["usage"]
            whole, parts = usage(), [usage("/node/one"), usage("/node/two")]
            for field in ("total_requests", "success_count", "failure_count", "total_tokens"):
                self.assertEqual(whole[field], sum(p[field] for p in parts))
            exported = call(f"{url}/node/one/v0/management/usage/export", headers=head)[2]
            status, _, text = call(f"{url}/v0/management/usage/import", "POST", exported, head)
            self.assertEqual(status, 400, text)
            for _ in range(2):
                status, _, text = call(f"{url}/node/one/v0/management/usage/import", "POST", exported, head)
                self.assertEqual((status, json.loads(text)["added"], json.loads(text)["skipped"]), (200, 0, 300))
            # Moved to the other node, which keeps no totals: all of it is new there, once.
            for added, skipped in ((300, 0), (0, 300)):
                status, _, text = call(f"{url}/node/two/v0/management/usage/import", "POST", exported, head)
                self.assertEqual((status, json.loads(text)["added"], json.loads(text)["skipped"]), (200, added, skipped))
            self.assertEqual(portal.requests("two"), 500)

    def test_other_management_calls_reach_the_node_only_where_that_is_allowed(self):
        with Place() as place:
            sim = place.stand_in(more=["--version", "7.2.140", "--statistics", "1"])
            path = "/v0/management/usage-statistics-enabled"
            for allowed in (False, True):
                portal = place.portal(sim, name=f"portal-{allowed}".lower(),
                                      settings={**settings(), "compat.pass_through": str(allowed).lower()})
                wait_until(lambda: portal.node()["condition"]["version"], "the node was seen", 30)
                # The node would take a caller for a remote one that says so of itself; ours is not told.
                head = {"Authorization": "Bearer " + KEYS["default"], "X-Forwarded-For": "203.0.113.9"}
                status, headers, text = call(listener(portal) + path, headers=head)
                if allowed:
                    self.assertEqual((status, json.loads(text)), (200, {"usage-statistics-enabled": True}))
                else:
                    self.assertEqual((status, text, headers["x-cpa-version"]), (404, b"", "7.2.140"))
                self.assertEqual(call(listener(portal) + path)[0], 401)
                self.assertEqual(portal.stop(), 0)


if __name__ == "__main__":
    unittest.main()
