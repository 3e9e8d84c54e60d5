"""What the tests of keys share: an admin at the command line, people who use keys, and somebody who changes a node's keys
behind everybody's back."""
import json
import os
import re
import unittest

from service import SECRET, call, wait_until
from wire import Nats

#: Both eras: the first enforces a change of keys 150 ms late.
VERSIONS = ("6.9.49", "7.2.140")


class KeyTest(unittest.TestCase):
    def stand_in(self, place, name="sim", version="7.2.140", keys=("sk-elsewhere-1",), more=()):
        words = [word for key in keys for word in ("--key", key)]
        return place.stand_in(name, more=["--version", version, "--statistics", "1", "--bcrypt-ms", "5", *words, *more])

    def ask(self, portal, *words):
        return json.loads(portal.command(*words, "--json")[1])

    def person(self, portal, email="ann@example.com", *more):
        return self.ask(portal, "users", "add", email, *more)["users"][0]["id"]

    def assign(self, portal, email="ann@example.com", *more):
        """A fresh key of that person: (its text, its id)."""
        given = self.ask(portal, "keys", "assign", email, *more)
        return given["key"], given["keys"][0]["id"]

    def key(self, portal, key_id):
        return self.ask(portal, "keys", "show", key_id)

    def pooled(self, portal, least=1):
        wait_until(lambda: self.ask(portal, "pool", "show")["keys"]["pooled"] >= least, "the pool is filled")

    # --- at the node

    def let_in(self, sim, key=None):
        return call(sim.url + "/v1/models", headers={"Authorization": "Bearer " + key} if key else {})[0] == 200

    def use(self, sim, key, model="team-model"):
        """One request of a person: its status."""
        return call(sim.url + "/v1/chat/completions", "POST",
                    json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]}),
                    {"Authorization": "Bearer " + key, "Content-Type": "application/json"})[0]

    def listed(self, sim):
        status, _, body = call(sim.url + "/v0/management/api-keys", headers={"Authorization": "Bearer " + SECRET})
        self.assertEqual(status, 200, body)
        return json.loads(body)["api-keys"] or []

    def write(self, sim, keys):
        """As an operator does it, at the node itself."""
        status, _, body = call(sim.url + "/v0/management/api-keys", "PUT", json.dumps(keys),
                               {"Authorization": "Bearer " + SECRET, "Content-Type": "application/json"})
        self.assertEqual(status, 200, body)

    # --- what is told

    def metric(self, portal, name):
        """The value of one line of /metrics, by its name with labels."""
        text = call(portal.url + "/metrics")[2].decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        self.assertIsNotNone(found, name)
        return float(found.group(1))

    def events(self, portal, about):
        """Bodies of the events whose subject begins so, oldest first, each with its subject."""
        with Nats(portal.nats_port()) as nats:
            return [dict(json.loads(body), subject=subject)
                    for subject, _, body in nats.read_stream("KEYPORTAL_EVENTS") if subject.startswith(about)]

    def wait_event(self, portal, subject, fits=lambda event: True):
        def told():
            try:
                return [e for e in self.events(portal, subject) if fits(e)]
            except OSError:  # the stream is not made yet
                return []
        return wait_until(told, subject)[-1]

    def kinds(self, portal, key_id):
        return [e["subject"].rpartition(".")[2] for e in self.events(portal, f"keyportal.v1.key.{key_id}.")]
