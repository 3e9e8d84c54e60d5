"""What clients of the registry know: who was told what. Kept by them, outside the data folder, and compared with what the
service says after each of its lives. Each client has people and keys of its own, so that it knows what must come of its
next command; the pool is shared by all."""
import collections
import datetime
import json
import threading
import time

from service import call

#: What time changes by itself may be seen so much later: the registry looks once a second, and may be down.
FINAL = ("expired", "rotated", "revoked")
#: Of a key, what no command of others and no node changes.
FIELDS = ("owner", "label", "origin", "created_at", "assigned_at", "expires_at", "successor", "predecessor")


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Registry:
    """The service's commands and questions about people and keys."""

    def __init__(self, portal):
        self.portal, self.token = portal, portal.token()

    def ask(self, method, path, body=None, name=None, hostile=False):
        """(status, answer); OSError when there is none. `hostile`: against openapi.yaml on purpose."""
        headers = {"Authorization": "Bearer " + self.token}
        if name:
            headers["Idempotency-Key"] = name
        status, kind, text = call(self.portal.url + path, method, None if body is None else json.dumps(body), headers,
                                  hostile=hostile)
        if status >= 400:
            assert kind["content-type"] == "application/problem+json", (method, path, status, kind, text[:300])
        return status, json.loads(text)

    def get(self, path):
        status, answer = self.ask("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def all(self, path):
        """Every item of a list that is read page by page."""
        found, after = [], ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=1000&after={after}")
            found += page["items"]
            if not page["more"]:
                return found
            after = page["items"][-1]["id"]

    def audit(self, after=0):
        """Every entry behind that position."""
        found = []
        while True:
            page = self.get(f"/api/v1/audit?limit=1000&after={after}")
            found += page["items"]
            if not page["more"]:
                return found
            after = page["next"]


class Command:
    """One command, its name, and what must come of it."""

    def __init__(self, name, method, path, body, check, refusals=()):
        self.name, self.method, self.path, self.body = name, method, path, body
        self.check = check        # called with the first answer
        self.refusals = refusals  # codes of refusals that are right too
        self.answer = None
        self.tries = 0

    def send(self, registry):
        self.tries += 1
        return registry.ask(self.method, self.path, self.body, self.name)


class Gate:
    """Lets clients work, and holds them."""

    def __init__(self):
        self.changed = threading.Condition()
        self.open, self.ended, self.openings, self.waiting = False, False, 0, 0

    def wait(self, next_opening=False):
        """False at the end. `next_opening`: even if it is open now."""
        with self.changed:
            before = self.openings
            self.waiting += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.ended or (self.open and (not next_opening or self.openings > before)))
            self.waiting -= 1
            return not self.ended

    def hold(self, clients):
        """Returns when none of them does anything."""
        with self.changed:
            self.open = False
            assert self.changed.wait_for(lambda: self.waiting == clients, 120), "a client hangs"

    def let(self, ended=False):
        with self.changed:
            self.open, self.ended = not ended, ended
            self.openings += 1
            self.changed.notify_all()


class Oracle:
    """What all clients know together."""

    def __init__(self, registry):
        self.registry = registry
        self.lock = threading.Lock()
        self.texts = {}        # of every key that was shown, by its id
        self.ids = {}          # and the other way round
        self.position = 0      # the highest that was answered
        self.counts = collections.Counter()

    def shown(self, key, text):
        with self.lock:
            assert key not in self.texts, f"key {key} was given out twice"
            assert text not in self.ids, f"keys {key} and {self.ids[text]} have the same text"
            self.texts[key], self.ids[text] = text, key

    def answered(self, kind, position):
        with self.lock:
            self.counts[kind] += 1
            self.position = max(self.position, position)


class Client(threading.Thread):
    """Gives one command after the other, each under a name of its own. What was not answered stays `pending`."""

    most_live = 10
    most_people = 5
    pause = 0.003

    def __init__(self, number, rng, oracle, gate):
        super().__init__(daemon=True)
        self.number, self.random, self.oracle, self.gate = number, rng, oracle, gate
        self.people, self.keys = {}, {}  # as last answered, by id
        self.open = {}  # those of the keys that have not ended
        self.pending = None
        self.done = []  # some commands with their answers
        self.commands = 0
        self.touched = set()  # people with changes since somebody looked
        self.revoking = False  # only takes keys away
        self.failure = None

    def run(self):
        try:
            while self.gate.wait():
                command = self.again() if self.done and self.random.random() < 0.03 else self.choose()
                if command is None:
                    time.sleep(self.pause)
                    continue
                if not self.give(command) and not self.gate.wait(next_opening=True):
                    return
                time.sleep(self.pause * 2 * self.random.random())
        except BaseException as error:  # told by whoever looks at the clients
            self.failure = error
            with self.gate.changed:
                self.gate.waiting += 1
                self.gate.changed.notify_all()

    # --- one command ----------------------------------------------------------------

    def give(self, command):
        """False when nobody answered."""
        self.pending = command
        try:
            status, answer = command.send(self.oracle.registry)
        except OSError:
            return False
        self.pending = None
        self.take(command, status, answer)
        return True

    def take(self, command, status, answer):
        told = (command.method, command.path, command.body, status, {k: v for k, v in answer.items() if k != "key"})
        if command.answer is not None:  # given before: the same comes of it, and nothing is done
            assert status == 200 and answer["replayed"], told
            assert {**answer, "replayed": False} == {**command.answer, "replayed": False}, (told, command.name)
            self.oracle.counts["again"] += 1
            return
        if status >= 400:
            assert answer["code"] in command.refusals, told
            self.oracle.counts[answer["code"]] += 1
            return
        assert status in (200, 201), told
        assert not answer["replayed"] or command.tries > 1, told
        before = dict(self.open)
        command.answer = answer
        for person in answer["users"]:
            self.people[person["id"]] = person
            self.touched.add(person["id"])
        for key in answer["keys"]:
            if key["id"] in self.keys:
                assert key["owner"] == self.keys[key["id"]]["owner"], ("another owner", told)
            self.keep(key)
            self.touched.add(key["owner"])
        command.check(answer, before)
        self.oracle.answered(command.path.rpartition("/")[2] if command.method == "POST" else command.method,
                             answer["position"])
        if self.random.random() < 0.2 or len(self.done) < 10:
            self.done.append(command)

    def keep(self, key):
        self.keys[key["id"]] = self.open[key["id"]] = key
        if key["state"] in FINAL:
            del self.open[key["id"]]

    def again(self):
        command = self.random.choice(self.done)
        command.tries += 1
        return command

    # --- which ------------------------------------------------------------------------

    def living(self, state="live"):
        """Keys that only commands change, of people who are active."""
        return [k for k in self.open.values() if k["state"] == state and not ends(k)
                and self.people[k["owner"]]["state"] == "active"]

    def choose(self):
        live, suspended = self.living(), self.living("suspended")
        people = [p for p in self.people.values() if p["state"] == "active"]
        away = [p for p in self.people.values() if p["state"] == "suspended"]
        if self.revoking:
            if away:
                return self.set_state(self.random.choice(away), "active")
            return self.step(self.random.choice(live + suspended), "revoke", "revoked") if live + suspended else None
        ways = []
        def way(weight, make, where):
            if where:
                ways.append((weight, make, where))
        if len(people) + len(away) < self.most_people:
            ways.append((3, lambda _: self.add(), [None]))
        way(20 if len(live) + len(suspended) < self.most_live else 0, self.assign, people)
        way(10, self.renew, live)
        way(14, self.rotate, live)
        way(10, lambda k: self.step(k, "suspend", "suspended"), live)
        way(12, lambda k: self.step(k, "resume", "live"), suspended)
        way(12, lambda k: self.step(k, "revoke", "revoked"), live + suspended)
        way(2, lambda p: self.set_state(p, "suspended"), people)
        way(4, lambda p: self.set_state(p, "active"), away)
        way(1, lambda p: self.set_state(p, "deleted"), people + away)
        _, make, where = self.random.choices(ways, [w for w, _, _ in ways])[0]
        return make(self.random.choice(where))

    def command(self, method, path, body, check, refusals=()):
        self.commands += 1
        return Command(f"client-{self.number}-{self.commands}", method, path, body, check, refusals)

    def add(self):
        email = f"person-{self.number}-{self.commands}@example.com"
        def check(answer, _):
            assert [p["email"] for p in answer["users"]] == [email] and not answer["keys"], answer
        return self.command("POST", "/api/v1/users", {"email": email, "name": "Some Body"}, check)

    def assign(self, person):
        label = f"label {self.number} {self.commands}"
        body = {"owner": person["id"], "label": label}
        if self.random.random() < 0.15:
            body["lifetime_s"] = self.random.randrange(1, 4)
        def check(answer, before):
            (key,) = answer["keys"]
            assert key["id"] not in before and (key["owner"], key["label"], key["state"]) == (
                person["id"], label, "live"), key
            assert bool(key["expires_at"]) == ("lifetime_s" in body), key
            self.oracle.shown(key["id"], answer["key"])
        return self.command("POST", "/api/v1/keys", body, check, ("pool_empty",))

    def renew(self, key):
        body = {"lifetime_s": self.random.randrange(10_000, 1_000_000_000)}
        def check(answer, before):
            (after,) = answer["keys"]
            assert after["id"] == key["id"] and after["state"] == "live", after
            assert after["expires_at"] and after["expires_at"] != before[key["id"]]["expires_at"], after
        return self.command("POST", f"/api/v1/keys/{key['id']}/renew", body, check)

    def rotate(self, key):
        grace = self.random.choice((0, 1, 2))
        def check(answer, before):
            assert len(answer["keys"]) == 2, answer["keys"]
            (old,) = [k for k in answer["keys"] if k["id"] == key["id"]]
            (new,) = [k for k in answer["keys"] if k["id"] != key["id"]]
            assert new["id"] not in before and new["state"] == "live", new
            assert (new["owner"], new["label"], new["expires_at"]) == (old["owner"], old["label"], old["expires_at"]), new
            assert (new["predecessor"], old["successor"]) == (old["id"], new["id"]), answer["keys"]
            assert old["state"] == ("live" if grace else "rotated"), old
            assert bool(old["retires_at"]) == bool(grace), old
            self.oracle.shown(new["id"], answer["key"])
        before = self.keys.get(key["predecessor"])
        early = ("rotation_running",) if before is not None and before["state"] not in FINAL else ()
        return self.command("POST", f"/api/v1/keys/{key['id']}/rotate", {"grace_s": grace}, check, early)

    def step(self, key, verb, state):
        def check(answer, _):
            (after,) = answer["keys"]
            assert (after["id"], after["state"]) == (key["id"], state), after
        return self.command("POST", f"/api/v1/keys/{key['id']}/{verb}", {}, check)

    def set_state(self, person, to):
        def check(answer, before):
            assert [(p["id"], p["state"]) for p in answer["users"]] == [(person["id"], to)], answer["users"]
            mine = [k for k in before.values() if k["owner"] == person["id"]]
            wanted = {"deleted": [k for k in mine if k["state"] not in FINAL],
                      "suspended": [k for k in mine if k["state"] == "live"],
                      "active": [k for k in mine if k["why_suspended"] == "owner" and k["state"] not in FINAL]}[to]
            changed = {k["id"]: k["state"] for k in answer["keys"]}
            must = {k["id"] for k in wanted if not ends(k)}
            assert must <= changed.keys() <= {k["id"] for k in wanted}, (must, changed)
            assert set(changed.values()) <= {{"deleted": "revoked", "suspended": "suspended", "active": "live"}[to]}
        return self.command("POST", f"/api/v1/users/{person['id']}/state", {"to": to}, check)

    # --- what the service says ------------------------------------------------------------

    def compare(self, people, keys):
        """With people, and with all keys of those people, as the service has them. What time ended is taken over."""
        for person in people:
            assert same(person, self.people[person["id"]], ("email", "name", "state", "created_at", "changed_at")), (
                person, self.people[person["id"]])
        owners = {p["id"] for p in people}
        mine = {k["id"]: k for k in self.keys.values() if k["owner"] in owners}
        there = {k["id"]: k for k in keys}
        assert mine.keys() == there.keys(), ("lost", mine.keys() - there.keys(), "invented", there.keys() - mine.keys())
        now = time.time()
        for key, found in there.items():
            known = mine[key]
            assert same(found, known, FIELDS), (found, known)
            if found["state"] != known["state"]:
                ended = {end for end, at in ends(known) if at <= now + 0.01}
                assert known["state"] not in FINAL and found["state"] in ended, (found, known)
                self.keep(found)
                continue
            assert same(found, known, ("why_suspended", "retires_at")), (found, known)


def ends(key):
    """How it ends by itself soon, and when."""
    found = []
    if key["retires_at"]:
        found.append(("rotated", seconds(key["retires_at"])))
    if key["expires_at"] and seconds(key["expires_at"]) - seconds(key["assigned_at"]) < 60:
        found.append(("expired", seconds(key["expires_at"])))
    return found


def same(one, other, fields):
    return all(one[f] == other[f] for f in fields)
