"""People and keys, and whatever is killed whenever. The clients keep an oracle of their own (`key_oracle.py`): what was
answered is there after every end of the service, what was not is there wholly or not at all, the same command given again
gets the same key, no key has two owners, and the node has the keys that it should have and never lets in anybody else.
KEYPORTAL_KEY_KILLS says how many ends (12), KEYPORTAL_SEED repeats a run."""
import collections
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest

from key_oracle import FINAL, Client, Gate, Oracle, Registry, ends
from service import PATIENCE, SECRET, Place, call, wait_until

KILLS = int(os.environ.get("KEYPORTAL_KEY_KILLS", "12"))
#: Where the service may end itself (actors/telemetry/fail_point.hpp), in the order of a key's way.
POINTS = ("decided", "appended", "ordered", "written", "seen")
VERSIONS = ("6.9.49", "7.2.140")
FOREIGN = ("somebody-elses-key-1", "somebody-elses-key-2")  # were at the node before us
SETTINGS = {"keys.pool_size": "200", "keys.pool_low_water": "100", "keys.reconcile_interval": '"1s"'}


def answer_of(sim, key=None):
    """What the node says to a client: a status; 0 when it does not answer."""
    try:
        return call(sim.url + "/v1/models", headers={"Authorization": "Bearer " + key} if key else {})[0]
    except OSError:
        return 0


def keys_at(sim):
    status, _, text = call(sim.url + "/v0/management/api-keys", headers={"Authorization": "Bearer " + SECRET})
    assert status == 200, (status, text)
    return json.loads(text)["api-keys"] or []


class Watch(threading.Thread):
    """Looks at the node all the time: nobody gets in without a key, nor with one that has ended, and the keys of others
    stay."""

    def __init__(self, sim):
        super().__init__(daemon=True)
        self.sim, self.ended, self.wrong, self.refused, self.asked = sim, [], [], 0, 0
        self.stop = threading.Event()

    def run(self):
        while not self.stop.wait(0.005):
            self.asked += 1
            key = self.ended[self.asked % len(self.ended)] if self.ended and self.asked % 4 == 0 else None
            status = answer_of(self.sim, key)
            if status not in (0, 401):
                self.wrong.append(f"{status} {'to a key that has ended' if key else 'without a key'}")
            self.refused += status == 401
            if self.asked % 8 == 0:
                try:
                    missing = set(FOREIGN) - set(keys_at(self.sim))
                except OSError:
                    continue
                if missing:
                    self.wrong.append(f"{missing} are gone from the node")


class KeyKills(unittest.TestCase):
    def setUp(self):
        seed = int(os.environ.get("KEYPORTAL_SEED", random.randrange(1 << 31)))
        print(f"KEYPORTAL_SEED={seed}", flush=True)
        self.random = random.Random(seed)

    def begin(self, place, version):
        self.sim = place.stand_in(seed=self.random.randrange(1000), more=[
            "--version", version, "--statistics", "1", *(w for key in FOREIGN for w in ("--key", key))])
        self.portal = place.portal(self.sim, settings=SETTINGS)
        self.registry = Registry(self.portal)
        self.oracle, self.gate = Oracle(self.registry), Gate()
        self.first_point = 3 * VERSIONS.index(version)
        self.clients, self.sentinel, self.at_points, self.owners = [], None, collections.Counter(), {}
        self.audited, self.names = 0, {}  # positions of commands in the log
        status, answer = self.registry.ask("PUT", "/api/v1/policies/default", {"keys_per_user": 1000})
        self.assertEqual(status, 200, answer)
        wait_until(lambda: self.registry.get("/api/v1/pool")["keys"]["pooled"] >= 100, "the pool fills itself")
        self.watch = Watch(self.sim)
        self.watch.start()

    def start(self, point=None):
        """False when it ended at its point before it was ready."""
        before = len(self.portal.log())
        if point:
            self.portal.environment["KEYPORTAL_END_AT"] = point
        self.portal.start(wait=False)
        self.portal.environment.pop("KEYPORTAL_END_AT", None)
        try:
            self.portal.wait_ready(before)
            return True
        except AssertionError:
            if not point or self.portal.alive():
                raise
            self.assertEqual(self.portal.process.returncode, -signal.SIGKILL, self.portal.log()[-2000:])
            return False

    # --- what must be true ----------------------------------------------------------------

    def check_clients(self):
        self.assertEqual(self.watch.wrong, [])
        for client in self.clients:
            if client.failure:
                raise client.failure

    def check_audit(self):
        """Goes on where it was: no holes, and no key ever has another owner."""
        entries = self.registry.audit(self.audited)
        self.assertEqual([e["position"] for e in entries],
                         list(range(self.audited + 1, self.audited + 1 + len(entries))))
        for entry in entries:
            self.audited = entry["position"]
            for change in entry["keys"]:
                if "owner" in change["after"]:  # what stays is not said
                    self.assertEqual(self.owners.get(change["id"], ""), "", f"a second owner: {entry}")
                    self.owners[change["id"]] = change["after"]["owner"]
        self.assertGreaterEqual(self.audited, self.oracle.position, "what was answered is not there")
        self.names.update((e["command"], e["position"]) for e in entries if e["command"])

    def check_start(self):
        """After an end: what was answered is there; what was not, wholly or not at all."""
        self.check_clients()
        self.check_audit()
        for client in self.clients:
            pending = client.pending
            done = pending is not None and pending.answer is None and pending.name in self.names
            if not done:
                self.compare(client)
            if pending is not None:
                status, answer = pending.send(self.registry)
                if done:
                    self.assertTrue(status == 200 and answer["replayed"] and answer["position"] == self.names[pending.name],
                                    (pending.path, pending.body, status))
                elif pending.answer is None:
                    self.assertFalse(answer.get("replayed"), "it was not in the log")
                client.pending = None
                client.take(pending, status, answer)
                self.oracle.counts["unanswered, done" if done else "unanswered, not done"] += 1
                self.compare(client)
            client.touched.clear()

    def compare(self, client):
        people = [self.registry.get(f"/api/v1/users/{person}") for person in client.touched]
        keys = [key for person in client.touched for key in self.registry.all(f"/api/v1/keys?owner={person}")]
        client.compare(people, keys)

    def check_all(self, tidy):
        """With the clients held, and time to settle: registry, pool and node are what the oracle says. The node may have
        the sentinel several times, until somebody has the time to tidy up."""
        self.check_audit()
        pool, people, keys = None, [], []
        def settled():
            nonlocal pool, people, keys
            self.check_clients()
            pool = self.registry.get("/api/v1/pool")
            if pool["changing"] or pool["keys"]["pooled"] < 100:
                return False
            people, keys = self.registry.all("/api/v1/users?"), self.registry.all("/api/v1/keys?")
            return (self.registry.get("/api/v1/pool") == pool
                    and not any(ends(k) for k in keys if k["state"] not in FINAL))
        wait_until(settled, lambda: f"the registry is in step: {self.registry.get('/api/v1/pool')}, "
                                    f"{self.registry.get('/api/v1/nodes/default/keys')}", 60)
        owned = collections.defaultdict(list)
        for key in keys:
            owned[key["owner"]].append(key)
        for client in self.clients:
            client.compare([p for p in people if p["id"] in client.people],
                           [k for person in client.people for k in owned[person]])
        self.assertEqual({p["id"] for p in people}, {p for c in self.clients for p in c.people})
        self.assertEqual({k["id"] for k in keys if k["owner"]}, {k for c in self.clients for k in c.keys})
        # What was made is in the pool, at work, or over.
        states = collections.Counter(k["state"] for k in keys)
        self.assertEqual(states, {s: n for s, n in pool["keys"].items() if n})
        self.assertEqual({k["state"] for k in owned[""]}, {"pooled", "external"})
        self.assertEqual(collections.Counter(k["origin"] for k in keys), {"made": pool["made"], "found": pool["found"]})
        self.assertEqual(states["external"], pool["found"])
        self.assertEqual(pool["imported"], 0)
        self.assertGreater(self.registry.get("/api/v1/audit/verify")["position"], 0)
        # The node has the sentinel, the living, and what is not ours; each once.
        live = {k["id"] for k in keys if k["state"] == "live"}
        wanted = sorted([self.oracle.texts[k] for k in live] + list(FOREIGN))
        def exact():
            self.check_clients()
            others = collections.Counter(keys_at(self.sim))
            others.subtract(wanted)
            left = {k: n for k, n in others.items() if n}
            self.sentinel = self.sentinel or (len(left) == 1 and next(iter(left)))
            return left.keys() == {self.sentinel} and (left[self.sentinel] == 1 or not tidy)
        wait_until(exact, lambda: f"the node has {len(wanted)} keys and the sentinel, not {len(keys_at(self.sim))}", 30)
        for key in live:
            self.assertEqual(answer_of(self.sim, self.oracle.texts[key]), 200)
        over = [self.oracle.texts[k["id"]] for k in keys if k["state"] in FINAL]
        for text in self.random.sample(over, min(len(over), 300)):
            self.assertEqual(answer_of(self.sim, text), 401)
        for key in keys:
            if key["state"] == "suspended":
                self.assertEqual(answer_of(self.sim, self.oracle.texts[key["id"]]), 401)
        self.watch.ended = self.random.sample(over, min(len(over), 100))
        return len(live)

    def check_disk(self):
        """No issued key, and no larger part of one, is in any file of the service. (Keys there may share a beginning.)"""
        patterns = os.path.join(self.portal.folder, "patterns")
        with open(patterns, "w", encoding="ascii") as file:
            for text in self.oracle.texts.values():
                file.write(f"{text[8:28]}\n{text[-24:]}\n")
        # The search finds what is there: the node's own file has every living key.
        def files_with(*where):
            found = subprocess.run(["grep", "-rlaF", "-f", patterns, *where], capture_output=True, text=True, check=False)
            self.assertIn(found.returncode, (0, 1), found.stderr)
            return found.stdout.split()
        if any(k["state"] == "live" for c in self.clients for k in c.open.values()):
            self.assertEqual(len(files_with(os.path.join(self.portal.folder, "sim.yaml"))), 1)
        self.assertEqual(files_with(self.portal.data, self.portal.log_path, self.portal.config), [])

    # --- the kills -------------------------------------------------------------------------

    def kill_node(self):
        """Killed in the middle of a write it is left with an empty file and does not start again: somebody brings back
        what was there before."""
        path, before = os.path.join(self.portal.folder, "sim.yaml"), ""
        while "models:" not in before:
            with open(path, encoding="utf-8") as file:
                before = file.read()
        self.sim.kill()
        self.oracle.counts["node killed"] += 1
        time.sleep(self.random.random() * 0.2)
        if os.path.getsize(path) == 0:
            self.oracle.counts["node's file brought back"] += 1
            with open(path, "w", encoding="utf-8") as file:
                file.write(before)
        self.sim.start()

    def one_life(self, number, may_end):
        """Load while the service lives, until it is killed or ends itself at a point; perhaps also without the node."""
        point = f"{POINTS[(number // 2 + self.first_point) % len(POINTS)]}:{self.random.randrange(1, 8)}" if may_end else None
        ready = self.start(point)
        if ready:
            try:
                self.check_start()
            except OSError:
                # At its point, while it was looked at; the next life is asked everything.
                self.assertIsNotNone(point)
            else:
                self.gate.let()
        node = self.random.random()
        if node < 0.15:
            time.sleep(self.random.random() * 0.3)  # the time at which a kill comes is the test
            self.kill_node()
        elif node < 0.25:
            try:
                self.sim.control(f"/restart?down_ms={self.random.randrange(300)}&wait=1")
                self.oracle.counts["node restarted"] += 1
            except OSError:
                pass
        if point:
            deadline = time.monotonic() + 3 * PATIENCE
            while self.portal.alive() and time.monotonic() < deadline:
                time.sleep(0.01)
            self.at_points[point.partition(":")[0] if not self.portal.alive() else "none"] += 1
        else:
            time.sleep(self.random.random() * 0.6)
        self.portal.kill()
        self.gate.hold(len(self.clients))

    def kills(self, version, count):
        with Place() as place:
            self.begin(place, version)
            self.clients = [Client(n, random.Random(self.random.random()), self.oracle, self.gate) for n in range(4)]
            for client in self.clients:
                client.start()
            self.portal.kill()
            checks = 0
            began = time.monotonic()
            every = 50
            for number in range(1, count + 1):
                self.one_life(number, number % 2 == 1)
                if number % every == 0 or number == count:
                    checks += 1
                    last = checks % 2 == 0 or number == count
                    self.start()
                    self.check_start()
                    if last:  # every other time nobody is left with a key that works
                        for client in self.clients:
                            client.revoking = True
                        self.gate.let()
                        def revoked():
                            self.check_clients()
                            return not any(c.living() + c.living("suspended") for c in self.clients)
                        wait_until(revoked, "all keys are revoked", 30)
                        self.gate.hold(len(self.clients))
                        for client in self.clients:
                            client.revoking = False
                    live = self.check_all(tidy=checks % 5 == 1 and count > every)
                    if last:
                        self.assertEqual(live, 0)
                    self.portal.kill()
                    print(f"{version}: {number} ends, {sum(self.oracle.counts.values())} answers, "
                          f"{len(self.oracle.texts)} keys given out, {time.monotonic() - began:.0f} s", flush=True)
            self.start()
            self.check_start()
            self.gate.let()
            wait_until(lambda: any(c.living() for c in self.clients), "it goes on")
            self.gate.hold(len(self.clients))
            self.check_all(tidy=True)
            code, out, _ = self.portal.command("audit", "verify")
            self.assertEqual(code, 0, out)
            self.gate.let(ended=True)
            self.portal.stop()
            self.watch.stop.set()
            self.check_clients()
            self.check_disk()
            self.assertGreater(self.watch.refused, 0)
            print(f"{version}: {dict(self.oracle.counts)}; ended at {dict(self.at_points)}; "
                  f"{self.watch.refused} requests without a key or with an ended one refused, none let in; "
                  f"log of {self.audited} entries", flush=True)

    def test_a_command_is_done_once_wherever_the_service_ends(self):
        """One key on its way into the hands of its owner and out again, with an end at each point in between."""
        with Place() as place:
            self.begin(place, VERSIONS[1])
            status, answer = self.registry.ask("POST", "/api/v1/users", {"email": "ann@example.com"})
            self.assertEqual(status, 201, answer)
            def settle():
                wait_until(lambda: self.registry.get("/api/v1/pool")["changing"] == 0, "the node is in step", 30)
            def given_twice(point, *command):
                """The service ends on its way with it; afterwards the answer is the one that may have been heard before."""
                settle()
                self.portal.kill()
                self.assertTrue(self.start(point + ":1"))
                heard = None
                try:
                    heard = self.registry.ask(*command)[1]
                except OSError:
                    pass
                self.assertEqual(self.portal.wait_end(30), -signal.SIGKILL, self.portal.log()[-2000:])
                self.start()
                status, answer = self.registry.ask(*command)
                self.assertIn(status, (200, 201), answer)
                self.assertEqual(answer["replayed"], point != "decided")
                self.assertIn(heard, (None, {**answer, "replayed": False}))
                settle()
                return answer
            for point in POINTS:
                with self.subTest(point=point):
                    pooled = self.registry.get("/api/v1/pool")["keys"]["pooled"]
                    given = given_twice(point, "POST", "/api/v1/keys", {"owner": "ann@example.com"}, f"give-{point}")
                    text, key = given["key"], given["keys"][0]["id"]
                    self.assertEqual(self.registry.get("/api/v1/pool")["keys"]["pooled"], pooled - 1)
                    self.assertEqual(self.registry.get(f"/api/v1/keys/{key}")["status"], "active")
                    self.assertEqual(answer_of(self.sim, text), 200)
                    taken = given_twice(point, "POST", f"/api/v1/keys/{key}/revoke", {}, f"take-{point}")
                    self.assertEqual(taken["keys"][0]["state"], "revoked")
                    self.assertEqual(answer_of(self.sim, text), 401)
                    self.assertNotIn(text, keys_at(self.sim))
            self.watch.stop.set()
            self.assertEqual(self.watch.wrong, [])

    def test_kills_while_keys_change_at_a_node_of_era_a(self):
        self.kills(VERSIONS[0], (KILLS + 1) // 2)

    def test_kills_while_keys_change_at_a_node_of_era_b(self):
        self.kills(VERSIONS[1], KILLS // 2)


if __name__ == "__main__":
    unittest.main()
