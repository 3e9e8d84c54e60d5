"""A node's keys are what the registry says, whatever happens at the node: as an admin sees it."""
import json
import threading
import time
import unittest

from key_node import KeyTest, VERSIONS
from service import Place, SECRET, call, wait_until
from wire import Nats


class KeySync(KeyTest):
    def test_a_key_made_elsewhere_is_found_left_alone_and_adopted(self):
        with Place() as place:
            sim = self.stand_in(place, keys=["sk-elsewhere-1", "sk-elsewhere-2"])
            portal = place.portal(sim)
            self.pooled(portal)
            self.person(portal)
            found = wait_until(lambda: (lambda keys: keys if len(keys) == 2 else None)(
                self.ask(portal, "keys", "list", "--state", "external")["items"]), "both are found")
            mine = next(k for k in found if k["shown"].endswith("re-1"))
            self.assertEqual(self.key(portal, mine["id"])["status"], "external")
            self.ask(portal, "keys", "adopt", mine["id"], "ann@example.com", "--label", "old laptop")
            adopted = wait_until(lambda: (lambda k: k if k["status"] == "active" else None)(
                self.key(portal, mine["id"])), "it is hers")
            self.assertEqual((adopted["label"], adopted["origin"]), ("old laptop", "found"))
            self.assertTrue(self.let_in(sim, "sk-elsewhere-1"))
            self.ask(portal, "keys", "revoke", mine["id"], "--yes")
            wait_until(lambda: not self.let_in(sim, "sk-elsewhere-1"), "it works no more")
            self.assertTrue(self.let_in(sim, "sk-elsewhere-2"), "the other one was left alone")
            self.assertEqual([k for k in self.kinds(portal, mine["id"]) if k in ("found", "adopted", "revoked")][:3],
                             ["found", "adopted", "revoked"])

    def test_a_key_removed_by_hand_waits_for_a_choice(self):
        for version in VERSIONS:
            with self.subTest(version=version), Place() as place:
                sim = self.stand_in(place, version=version)
                portal = place.portal(sim, settings={"keys.reconcile_interval": '"1s"'})
                self.pooled(portal)
                self.person(portal)
                (first, first_id), (second, second_id) = self.assign(portal), self.assign(portal)
                wait_until(lambda: self.let_in(sim, first) and self.let_in(sim, second), "both work")
                self.assertEqual(portal.command("keys", "drift")[0], 0)
                time.sleep(2.5)  # what is missing so soon after a write of ours counts as lost by it, and is put back
                self.write(sim, [k for k in self.listed(sim) if k not in (first, second)])
                def waiting():
                    code, out, _ = portal.command("keys", "drift", "--json", check=False)
                    return code == 1 and {k["id"] for k in json.loads(out)["keys"]} == {first_id, second_id}
                wait_until(waiting, "both are reported")
                self.assertEqual(self.metric(portal, 'keyportal_keys_waiting{for="choice"}'), 2)
                self.assertEqual(self.key(portal, first_id)["why_suspended"], "by_hand")
                self.wait_event(portal, f"keyportal.v1.key.{first_id}.suspended", lambda e: e["why"] == "by_hand")
                out = portal.command("keys", "drift", check=False)[1]
                self.assertIn("keys resume", out)
                self.assertIn("keys revoke", out)
                self.assertFalse(self.let_in(sim, first), "it is not put back by itself")
                self.ask(portal, "keys", "resume", first_id)
                self.ask(portal, "keys", "revoke", second_id, "--yes")
                wait_until(lambda: self.let_in(sim, first), "it is put back")
                self.assertFalse(self.let_in(sim, second))
                wait_until(lambda: portal.command("keys", "drift", check=False)[0] == 0, "no drift any more")
                self.assertTrue(self.let_in(sim, "sk-elsewhere-1"))

    def test_a_node_that_was_opened_is_an_alarm_at_once_and_closed(self):
        with Place() as place:
            sim = self.stand_in(place)
            portal = place.portal(sim)
            self.pooled(portal)
            self.person(portal)
            key, _ = self.assign(portal)
            wait_until(lambda: self.let_in(sim, key), "the key works")
            began = time.monotonic()
            self.write(sim, [])  # it may be closed again before anybody could have looked
            told = self.wait_event(portal, "keyportal.v1.node.default.open_access", lambda e: e["open"])
            self.assertEqual(told["node"], "default")
            wait_until(lambda: not self.let_in(sim), "it is closed")
            print(f"an open node was noticed and closed after {time.monotonic() - began:.1f} s")
            wait_until(lambda: self.let_in(sim, key), "the key works again")
            self.wait_event(portal, "keyportal.v1.node.default.open_access", lambda e: not e["open"])
            wait_until(lambda: self.metric(portal, 'keyportal_node_open{node="default"}') == 0, "the alarm is over")
            self.assertIn("requests without a key", portal.log())
            self.assertIn("sk-elsewhere-1", self.listed(sim), "foreign keys are back, too")

    def test_a_node_that_nobody_gave_keys_is_said_to_be_open(self):
        with Place() as place:
            sim = self.stand_in(place)
            self.write(sim, [])
            wait_until(lambda: self.let_in(sim), "the node is open")
            portal = place.portal(sim)
            self.wait_event(portal, "keyportal.v1.node.default.open_access", lambda e: e["open"])
            code, out, _ = portal.command("node", "keys", "default", check=False)
            self.assertEqual(code, 1)
            self.assertIn("lets in anybody", out)
            self.assertEqual(self.metric(portal, 'keyportal_node_open{node="default"}'), 1)
            self.assertTrue(self.let_in(sim), "nobody asked us to close it")
            self.pooled(portal)
            self.person(portal)
            key, _ = self.assign(portal)
            wait_until(lambda: self.let_in(sim, key) and not self.let_in(sim), "the first key closes it")

    def test_an_emptied_config_is_an_alarm_and_brought_back(self):
        with Place() as place:
            sim = self.stand_in(place)
            portal = place.portal(sim, settings={"keys.reconcile_interval": '"1s"'})
            self.pooled(portal)
            self.person(portal)
            (kept, _), (gone, gone_id) = self.assign(portal), self.assign(portal)
            wait_until(lambda: self.let_in(sim, kept) and self.let_in(sim, gone), "both work")
            def with_both():
                for c in self.ask(portal, "node", "config", "list", "default")["items"]:
                    text = portal.command("node", "config", "show", "default", str(c["number"]))[1]
                    if kept in text and gone in text:
                        return str(c["number"])
                return None
            number = wait_until(with_both, "a config with both keys is kept")
            sim.fault("empty_config")
            self.ask(portal, "keys", "revoke", gone_id, "--yes")  # which the node cannot save any more
            wait_until(lambda: "config.yaml is empty" in portal.command("node", "keys", "default", check=False)[1],
                       "it is noticed")
            wait_until(lambda: self.metric(portal, 'keyportal_node_keys_drift{node="default"}') == 1, "drift")
            self.wait_event(portal, "keyportal.v1.node.default.drift",
                            lambda e: e["drift"] and "config.yaml" in e["problem"])
            self.assertIn("config restore", portal.log())
            portal.command("node", "config", "diff", "default")
            portal.command("node", "config", "restore", "default", number, "--yes")
            wait_until(lambda: self.let_in(sim, kept) and not self.let_in(sim, gone),
                       "a revoked key does not come back with an old file")
            sim.kill()
            sim.start()
            wait_until(lambda: self.let_in(sim, kept), "also after a restart of the node")
            self.assertFalse(self.let_in(sim))
            self.assertFalse(self.let_in(sim, gone))

    def test_a_node_that_loses_writes_or_fails_to_save_ends_as_it_should_be(self):
        for version in VERSIONS:
            for fault in ("lost_write", "save_fails", "response_lost"):
                with self.subTest(version=version, fault=fault), Place() as place:
                    sim = self.stand_in(place, version=version)
                    portal = place.portal(sim)
                    self.pooled(portal)
                    self.person(portal)
                    first, first_id = self.assign(portal)
                    wait_until(lambda: self.let_in(sim, first), "the first one works")
                    sim.fault(fault, count=2, path="/v0/management/api-keys")
                    second, _ = self.assign(portal)
                    self.ask(portal, "keys", "revoke", first_id, "--yes")
                    wait_until(lambda: self.let_in(sim, second) and not self.let_in(sim, first), "both changes are made", 30)
                    self.assertFalse(self.let_in(sim))
                    wait_until(lambda: self.key(portal, first_id)["status"] == "revoked", "and seen")
                    self.assertIn("sk-elsewhere-1", self.listed(sim))

    def test_a_node_that_was_away_catches_up(self):
        with Place() as place:
            one, two = self.stand_in(place, "one"), self.stand_in(place, "two", version="6.9.49")
            portal = place.portal(one, two)
            self.pooled(portal)
            self.person(portal)
            old, old_id = self.assign(portal)
            wait_until(lambda: self.let_in(one, old) and self.let_in(two, old), "it works at both")
            wait_until(lambda: self.key(portal, old_id)["status"] == "active", "and is active")
            two.kill()
            fresh, fresh_id = self.assign(portal)
            self.ask(portal, "keys", "revoke", old_id, "--yes")
            wait_until(lambda: self.let_in(one, fresh) and not self.let_in(one, old), "the one that is there goes on")
            self.assertEqual(self.key(portal, fresh_id)["status"], "activating")
            self.assertEqual(self.key(portal, old_id)["status"], "revoking")
            two.start()
            wait_until(lambda: self.let_in(two, fresh) and not self.let_in(two, old), "the other one catches up")
            wait_until(lambda: self.key(portal, fresh_id)["status"] == "active", "and is seen to")
            wait_until(lambda: self.key(portal, old_id)["status"] == "revoked", "and is seen to")
            self.wait_event(portal, f"keyportal.v1.key.{old_id}.revoked", lambda e: e["in_force"] == [])

    def test_keys_of_a_group_live_on_all_its_nodes_and_nowhere_else(self):
        with Place() as place:
            sims = [self.stand_in(place, name) for name in ("one", "two", "three")]
            portal = place.portal(*sims, nodes=[
                {"name": s.name, "url": s.url, "management_key": SECRET} for s in sims], start=False)
            with open(portal.config, encoding="utf-8") as file:
                text = file.read()
            for name in ("one", "two"):
                text = text.replace(f'name = "{name}"', f'name = "{name}"\ngroups = ["eu"]')
            with open(portal.config, "w", encoding="utf-8") as file:
                file.write(text)
            portal.start()
            self.pooled(portal)
            portal.command("policies", "set", "staff", "--node", "eu")
            self.person(portal, "ann@example.com", "--group", "staff")
            self.person(portal, "bob@example.com")
            (anns, anns_id), (bobs, _) = self.assign(portal), self.assign(portal, "bob@example.com")
            by_choice, _ = self.assign(portal, "bob@example.com", "--node", "three")
            wait_until(lambda: all(self.let_in(s, bobs) for s in sims), "without a policy: everywhere")
            wait_until(lambda: [self.let_in(s, anns) for s in sims] == [True, True, False], "at the group's nodes")
            wait_until(lambda: [self.let_in(s, by_choice) for s in sims] == [False, False, True], "at the named node")
            wait_until(lambda: self.key(portal, anns_id)["status"] == "active", "active where it should be")
            self.assertEqual(self.key(portal, anns_id)["nodes"], ["one", "two"])
            self.assertEqual(portal.command("policies", "set", "staff", "--node", "mars", check=False)[0], 1)
            # Another node joins the group.
            portal.stop()
            with open(portal.config, "w", encoding="utf-8") as file:
                file.write(text.replace('name = "three"', 'name = "three"\ngroups = ["eu"]'))
            portal.start()
            wait_until(lambda: self.let_in(sims[2], anns), "and its keys with it")

    def test_many_keys_to_three_nodes_keep_every_foreign_key(self):
        count = 500
        with Place() as place:
            sims = [self.stand_in(place, name, version, keys=[f"sk-elsewhere-{name}", "sk-elsewhere-all"])
                    for name, version in (("one", "6.9.49"), ("two", "7.2.18"), ("three", "7.2.140"))]
            portal = place.portal(*sims)
            self.person(portal)
            portal.command("policies", "set", "default", "--keys-per-user", str(count))
            portal.command("pool", "fill", str(count))
            head = {"Authorization": "Bearer " + portal.token(), "Content-Type": "application/json"}
            keys, began = [], time.monotonic()
            for _ in range(count):
                status, _, body = call(portal.url + "/api/v1/keys", "POST", json.dumps({"owner": "ann@example.com"}), head)
                self.assertEqual(status, 201, body)
                keys.append(json.loads(body)["key"])
            given = time.monotonic()
            wait_until(lambda: all(self.metric(portal, f'keyportal_node_keys{{kind="changing",node="{s.name}"}}') == 0
                                   for s in sims), "all of them work everywhere", 30)
            print(f"{count} keys: given in {given - began:.1f} s, at three nodes {time.monotonic() - given:.1f} s later")
            for sim in sims:
                self.assertTrue(all(self.let_in(sim, key) for key in keys[::50] + keys[-1:]))
                self.assertEqual(len(self.listed(sim)), count + 3, "ours, two of others, the sentinel")
                self.assertTrue(self.let_in(sim, f"sk-elsewhere-{sim.name}"))
                self.assertFalse(self.let_in(sim))

    def test_every_change_is_an_event(self):
        with Place() as place:
            sim = self.stand_in(place)
            portal = place.portal(sim, settings={"keys.pool_low_water": "3", "keys.pool_size": "4"})
            self.pooled(portal, 4)
            heard, seen = [], threading.Event()
            nats = Nats(portal.nats_port())
            nats.send(b"SUB keyportal.v1.key.> 7\r\nSUB keyportal.v1.user.> 8\r\nSUB keyportal.v1.policy.> 9\r\nPING\r\n")
            while nats.line() != b"PONG":
                pass
            def listen():
                try:
                    while True:
                        heard.append(nats.message())
                        seen.set()
                except OSError:
                    pass
            listener = threading.Thread(target=listen, daemon=True)
            listener.start()
            portal.command("policies", "set", "staff", "--renewal", "approval", "--lifetime", "90d")
            who = self.person(portal, "ann@example.com", "--group", "staff", "--pending")
            portal.command("users", "approve", "ann@example.com")
            portal.command("users", "change", "ann@example.com", "--name", "Ann")
            key, key_id = self.assign(portal)
            self.assign(portal)
            wait_until(lambda: self.let_in(sim, key), "the key works")
            for words in (("renew", key_id), ("label", key_id, "laptop"), ("suspend", key_id), ("resume", key_id),
                          ("renewals", "ask", key_id, "--reason", "the thesis is late"),
                          ("renewals", "refuse", key_id, "--reason", "no"),
                          ("renewals", "ask", key_id, "--reason", "please", "--lifetime", "30d"),
                          ("renewals", "approve", key_id), ("rotate", key_id, "--grace", "1h"),
                          ("revoke", key_id, "--yes")):
                portal.command("keys", *words)
            portal.command("users", "suspend", "ann@example.com")
            portal.command("users", "resume", "ann@example.com")
            portal.command("users", "delete", "ann@example.com", "--yes")
            portal.command("policies", "drop", "staff", "--yes")
            def names():
                return [(s.split(".")[2], s.split(".")[3], s.split(".")[4]) for s, *_ in list(heard)]
            wanted = [("policy", "staff", "changed"), ("user", who, "registered"), ("user", who, "approved"),
                      ("user", who, "changed"), ("key", key_id, "assigned"), ("key", key_id, "active"),
                      ("key", "pool", "low"), ("key", key_id, "renewed"), ("key", key_id, "changed"),
                      ("key", key_id, "suspended"), ("key", key_id, "resumed"), ("key", key_id, "renewal_asked"),
                      ("key", key_id, "renewal_refused"), ("key", key_id, "rotated"), ("key", key_id, "revoked"),
                      ("user", who, "suspended"), ("user", who, "resumed"), ("user", who, "deleted"),
                      ("policy", "staff", "dropped")]
            wait_until(lambda: not [w for w in wanted if w not in names()],
                       lambda: f"not heard: {[w for w in wanted if w not in names()]}")
            for _, _, headers, body in heard:
                self.assertNotIn(key.encode(), body)
                self.assertNotIn(b"example.com", body)
                self.assertEqual(headers["ce-specversion"], "1.0")
            nats.socket.shutdown(2)
            listener.join(5)
            nats.__exit__()

    def test_a_renewal_is_asked_for_and_decided(self):
        with Place() as place:
            sim = self.stand_in(place)
            portal = place.portal(sim)
            self.pooled(portal)
            portal.command("policies", "set", "default", "--renewal", "approval", "--lifetime", "30d")
            self.person(portal)
            _, key_id = self.assign(portal)
            before = self.key(portal, key_id)["expires_at"]
            self.assertIn("nobody", portal.command("keys", "renewals", "list")[1])
            self.assertEqual(portal.command("keys", "renewals", "approve", key_id, check=False)[0], 1)
            portal.command("keys", "renewals", "ask", key_id, "--reason", "the thesis is late", "--lifetime", "60d")
            listed = portal.command("keys", "renewals", "list")[1]
            self.assertIn("the thesis is late", listed)
            self.assertIn("60 d", listed)
            self.assertEqual(self.metric(portal, 'keyportal_keys_waiting{for="renewal"}'), 1)
            portal.kill()
            portal.start()
            self.assertEqual(self.key(portal, key_id)["renewal"]["reason"], "the thesis is late")
            portal.command("keys", "renewals", "approve", key_id)
            self.assertGreater(self.key(portal, key_id)["expires_at"], before)
            self.assertIsNone(self.key(portal, key_id)["renewal"])
            self.assertEqual(self.ask(portal, "keys", "renewals", "list")["items"], [])
            portal.command("policies", "set", "default", "--renewal", "none")
            code, _, err = portal.command("keys", "renewals", "ask", key_id, "--reason", "again", check=False)
            self.assertEqual(code, 1)
            self.assertIn("policy", err)

    def test_an_end_that_comes_is_told_before_and_a_key_that_ended_is_refused(self):
        with Place() as place:
            sim = self.stand_in(place)
            portal = place.portal(sim, settings={"keys.reminders": '["4s", "2s"]'})
            self.pooled(portal)
            self.person(portal)
            key, key_id = self.assign(portal, "ann@example.com", "--lifetime", "6s")
            wait_until(lambda: self.let_in(sim, key), "it works")
            wait_until(lambda: not self.let_in(sim, key), "it ends")
            wait_until(lambda: self.key(portal, key_id)["status"] == "expired", "and is seen to")
            kinds = self.kinds(portal, key_id)
            self.assertEqual([k for k in kinds if k in ("expiring", "expired")], ["expiring", "expiring", "expired"])
            self.assertEqual(portal.command("keys", "renew", key_id, check=False)[0], 1)
            self.assertFalse(self.let_in(sim))


if __name__ == "__main__":
    unittest.main()
