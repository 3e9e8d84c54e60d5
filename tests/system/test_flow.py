"""Records reach the ledger, NATS and the WebSocket, each once."""
import collections
import json
import unittest

from service import Place, wait_until
from wire import Nats, WebSocket


def usage_ids(portal):
    with Nats(portal.nats_port()) as nats:
        return collections.Counter(headers["ce-id"] for _, headers, _ in nats.read_stream("KEYPORTAL_USAGE"))


class Flow(unittest.TestCase):
    def test_every_record_reaches_ledger_and_stream_once(self):
        with Place() as place:
            sim = place.stand_in(preload=500)
            portal = place.portal(sim)
            sim.record(200)
            wait_until(lambda: portal.requests() == 700, lambda: f"700 records, not {portal.requests()}")
            self.assertEqual(portal.ledger(), sim.export())
            self.assertEqual(sum(portal.ledger().values()), len(sim.oracle()))
            wait_until(lambda: sum(usage_ids(portal).values()) >= 700, "700 usage events")
            self.assertEqual(set(usage_ids(portal).values()), {1})

    def test_totals_of_several_nodes_are_kept_apart(self):
        with Place() as place:
            first, second = place.stand_in("alpha", seed=1), place.stand_in("beta", seed=2)
            portal = place.portal(first, second)
            first.record(30)
            second.record(70)
            wait_until(lambda: (portal.requests("alpha"), portal.requests("beta")) == (30, 70), "30 and 70")
            self.assertEqual(portal.get("/api/v1/summary")["totals"]["requests"], 100)
            self.assertEqual(portal.ledger("beta"), second.export())
            with Nats(portal.nats_port()) as nats:
                wait_until(lambda: nats.stream_state("KEYPORTAL_USAGE")["messages"] == 100, "100 events")
                nodes = collections.Counter(json.loads(body)["node"]
                                            for _, _, body in nats.read_stream("KEYPORTAL_USAGE"))
            self.assertEqual(nodes, {"alpha": 30, "beta": 70})

    def test_events_say_what_they_are_and_hold_no_secret(self):
        with Place() as place:
            sim = place.stand_in(preload=50)
            portal = place.portal(sim)
            secrets = {api for (api, *_), _ in sim.oracle()} | {source for (_, _, _, source, *_), _ in sim.oracle()}
            with Nats(portal.nats_port()) as nats:
                wait_until(lambda: nats.stream_state("KEYPORTAL_USAGE")["messages"] == 50, "50 events")
                for subject, headers, body in nats.read_stream("KEYPORTAL_USAGE"):
                    data = json.loads(body)
                    self.assertEqual(subject, f"keyportal.v1.usage.default.{data['key_id']}")
                    self.assertEqual(headers["ce-specversion"], "1.0")
                    self.assertEqual(headers["ce-id"], data["id"])
                    self.assertEqual(headers["Nats-Msg-Id"], data["id"])
                    self.assertEqual(headers["ce-source"], "keyportal/default")
                    self.assertEqual(headers["Content-Type"], "application/json")
                    self.assertEqual(headers["ce-time"], data["timestamp"])
                    whole = subject + json.dumps(headers) + body.decode()
                    for secret in secrets:
                        if secret:
                            self.assertNotIn(secret, whole)

    def test_a_websocket_gets_the_overview_and_then_what_happens(self):
        with Place() as place:
            sim = place.stand_in(preload=40)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 40, "40 records")
            with WebSocket(portal.url) as socket:
                greeting = socket.frame()
                self.assertEqual(greeting["totals"]["requests"], 40)
                self.assertEqual(greeting["nodes"][0]["totals"]["requests"], 40)
                sim.record(25)
                frames = socket.frames_until(lambda f: f["type"] == "usage_update" and f["totals"]["requests"] == 65)
                self.assertTrue(frames)

    def test_a_page_of_another_site_cannot_open_the_websocket(self):
        with Place() as place:
            sim = place.stand_in()
            portal = place.portal(sim)
            with WebSocket(portal.url, [("Origin", "http://evil.example")]) as socket:
                self.assertEqual(socket.status, 403)


if __name__ == "__main__":
    unittest.main()
