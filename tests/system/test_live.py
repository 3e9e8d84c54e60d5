"""The live channel from outside: who is told what, and that nothing is missed by whoever goes and comes."""
import json
import os
import random
import resource
import subprocess
import threading

from browser import Browser, first_admin, member
from key_node import KeyTest
from service import Place, call, find_program, wait_until
from wire import EventStream, Nats, WebSocket

NOTHING = {"sign_in.anonymous": '"nothing"'}


def events(frames):
    return [frame for frame in frames if frame["type"] == "event"]


class Live(KeyTest):
    def take_key(self, browser, label="laptop"):
        status, taken = browser.ask("POST", "/api/v1/me/keys", {"label": label})
        self.assertEqual(status, 201, taken)
        return taken["key"], taken["keys"][0]["id"]

    def place(self, place, **settings):
        sim = self.stand_in(place)
        portal = place.portal(sim, settings={**NOTHING, "keys.pool_size": "20", **settings})
        admin = first_admin(portal)
        wait_until(lambda: admin.get("/api/v1/pool")["keys"]["pooled"] >= 10, "the pool is filled")
        return sim, portal, admin

    def test_a_user_is_told_of_his_own_keys_and_never_of_another_s(self):
        with Place() as place:
            sim, portal, admin = self.place(place)
            ann, bob = member(portal, admin, "ann@example.com"), member(portal, admin, "bob@example.com")
            with WebSocket(portal.url) as nobody, EventStream(portal.url) as nobody_else:
                self.assertEqual((nobody.status, nobody_else.status), (401, 401))
            with WebSocket(portal.url, ann.cookie(), query="?topics=own,all,jobs,weather") as hers, \
                    WebSocket(portal.url, bob.cookie()) as his, \
                    EventStream(portal.url, bob.cookie(), query="?topics=own") as stream, \
                    WebSocket(portal.url, admin.cookie(), query="?topics=all") as everything:
                answers = hers.frames_until(lambda f: f["type"] == "subscribed")
                self.assertEqual([(f["topic"], f["code"]) for f in answers[:-1]],
                                 [("all", "right_missing"), ("jobs", "right_missing"), ("weather", "bad_request")])
                self.assertEqual(answers[-1]["topics"], ["own"])
                self.assertEqual(hers.frame()["type"], "position")
                self.assertEqual(his.frame()["type"], "overview")
                text, key = self.take_key(ann)
                wait_until(lambda: self.let_in(sim, text), "the node lets the key in")
                self.assertEqual(self.use(sim, text), 200)
                told = hers.frames_until(lambda f: f["type"] == "own_usage")
                self.assertEqual((told[-1]["key"], told[-1]["today"]["requests"]), (key, 1))
                self.assertEqual(self.use(sim, text), 200)
                again = hers.frames_until(lambda f: f["type"] == "own_usage")
                self.assertEqual(again[-1]["today"]["requests"], 2)
                # The node may let a key in before Key Portal has seen that it does.
                if "active" not in [f["kind"] for f in events(told + again)]:
                    again += hers.frames_until(lambda f: f["type"] == "event" and f["kind"] == "active")
                self.assertEqual([f["kind"] for f in events(told + again)][:1], ["assigned"])
                for frame in events(told + again):
                    self.assertEqual(frame["data"]["key"], key)
                seen = everything.frames_until(lambda f: f["type"] == "event" and f["kind"] == "active")
                self.assertEqual(len([f for f in events(seen) if f["data"].get("key") == key and f["kind"] == "assigned"]), 1)
                self.assertNotIn("own_usage", [f["type"] for f in seen])

                # Bob has a key of his own: what comes before it was all that was told to him.
                _, other = self.take_key(bob)
                for frames in (his.frames_until(lambda f: f["type"] == "event" and f["kind"] == "assigned"),
                               stream.frames_until(lambda f: f["type"] == "event" and f["kind"] == "assigned")):
                    self.assertEqual(frames[-1]["data"]["key"], other)
                    self.assertNotIn(key, json.dumps(frames))
                    self.assertNotIn(ann.id, json.dumps(frames))
                    self.assertNotIn("own_usage", [f["type"] for f in frames])
            # With the key itself one sees what it uses, and nothing else.
            view = Browser(portal)
            view.look()
            self.assertEqual(view.ask("POST", "/api/v1/session", {"key": text})[0], 201)
            with WebSocket(portal.url, view.cookie()) as one:
                first = one.frame()
                self.assertEqual((first["type"], first["topics"]), ("subscribed", ["own"]))
                self.assertEqual(ann.ask("PATCH", "/api/v1/me/keys/" + key, {"label": "desk"})[0], 200)
                self.assertEqual(self.use(sim, text), 200)
                told = one.frames_until(lambda f: f["type"] == "own_usage")
                self.assertEqual(events(told), [])
                self.assertEqual((told[-1]["key"], told[-1]["today"]["requests"]), (key, 3))
            portal.stop()

    def test_whoever_goes_and_comes_misses_nothing_and_hears_nothing_twice(self):
        seed = int(os.environ.get("KEYPORTAL_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"KEYPORTAL_SEED={seed}", flush=True)
        chance = random.Random(seed)
        with Place() as place:
            sim, portal, admin = self.place(place)
            ann = member(portal, admin, "ann@example.com")
            _, key = self.take_key(ann)
            over = threading.Event()
            failed = []

            def happen():  # an event each, of ann's key and of the group's policy in turn
                try:
                    for i in range(200):
                        status, answer = ann.ask("PATCH", "/api/v1/me/keys/" + key, {"label": f"label {i}"})
                        assert status == 200, answer
                        if i % 4 == 0:
                            status, answer = admin.ask("PUT", "/api/v1/policies/default", {"keys_per_user": 3 + i})
                            assert status == 200, answer
                except Exception as error:  # pylint: disable=broad-except
                    failed.append(error)
                finally:
                    over.set()

            happening = threading.Thread(target=happen)
            collected = {"all": [], "own": []}
            at = {"all": 0, "own": 0}
            happening.start()
            rounds = 0
            while not over.is_set() or rounds % 2 or min(at.values()) < self.last(portal):
                rounds += 1
                topic = ("own", "all")[rounds % 2]
                who = ann if topic == "own" else admin
                make = chance.choice((WebSocket, EventStream))
                with make(portal.url, who.cookie(), 2.0, query=f"?topics={topic}&after={at[topic]}") as channel:
                    self.assertEqual(channel.frame(), {"type": "subscribed", "topics": [topic], "position": at[topic]})
                    behind = True
                    for _ in range(chance.randrange(1, 40)):
                        if over.is_set() and not behind:
                            break
                        try:
                            frame = channel.frame()
                        except TimeoutError:
                            break  # nothing happens any more
                        self.assertIsNotNone(frame)
                        self.assertNotEqual(frame["type"], "gap", frame)
                        behind = behind and frame["type"] not in ("overview", "position")
                        if "position" in frame:
                            self.assertGreaterEqual(frame["position"], at[topic])
                            at[topic] = frame["position"]
                        if frame["type"] == "event":
                            collected[topic].append((frame["seq"], frame["subject"], frame["data"]))
                    if make is WebSocket and chance.random() < 0.5:
                        channel.drop()
                if over.is_set() and rounds > 400:
                    break
            happening.join()
            self.assertEqual(failed, [])
            wait_until(lambda: admin.get("/api/v1/summary")["ledger"]["outbox"] == 0, "all is in NATS")
            with Nats(portal.nats_port()) as nats:
                stream = [(int(headers["ce-sequence"]), subject, json.loads(body))
                          for subject, headers, body in nats.read_stream("KEYPORTAL_EVENTS")
                          if ".totals." not in subject]
            stream.sort(key=lambda each: each[0])
            last = {topic: found[-1][0] for topic, found in collected.items()}
            self.assertEqual(collected["all"], [each for each in stream if each[0] <= last["all"]])
            self.assertEqual(collected["own"], [each for each in stream if each[0] <= last["own"] and (
                each[2].get("owner") == ann.id or f".user.{ann.id}." in each[1])])
            self.assertGreater(len(collected["own"]), 200)

            # A restart of the service is no gap either.
            self.assertEqual(portal.stop(), 0)
            portal.start()
            with WebSocket(portal.url, admin.cookie(), query="?topics=all&after=0") as channel:
                told = events(channel.frames_until(lambda f: f["type"] == "overview"))
                self.assertEqual([(f["seq"], f["subject"], f["data"]) for f in told][:len(stream)], stream)
            with WebSocket(portal.url, admin.cookie(), query=f"?topics=all&after={1 << 40}") as channel:
                gap = channel.frames_until(lambda f: f["type"] == "gap")[-1]
                self.assertEqual((gap["from"], gap["why"]), (1 << 40, "unknown"))
            portal.stop()

    def last(self, portal):
        """The ledger's position."""
        status, _, text = call(portal.url + "/readyz")
        self.assertEqual(status, 200, text)
        return json.loads(text)["position"]

    def test_topics_are_changed_by_a_message_and_taken_away_with_the_right(self):
        with Place() as place:
            _, portal, admin = self.place(place)
            two = member(portal, admin, "two@example.com", "admin")
            status, made = two.ask("POST", "/api/v1/tokens", {"label": "watch", "scopes": ["read:all"]})
            self.assertEqual(status, 201, made)
            bearer = [("Authorization", "Bearer " + made["text"])]
            with WebSocket(portal.url, bearer) as socket, EventStream(portal.url, bearer, query="?topics=all") as stream:
                self.assertEqual(socket.frame()["type"], "overview")
                socket.say({"type": "subscribe", "topics": ["jobs", "weather"]})
                answers = socket.frames_until(lambda f: f["type"] == "subscribed")
                self.assertEqual(([f["topic"] for f in answers if f["type"] == "refused"], answers[-1]["topics"]),
                                 (["weather"], ["jobs"]))
                socket.say({"type": "subscribe", "topics": "jobs"})
                self.assertEqual(socket.frames_until(lambda f: f["type"] == "refused")[-1]["code"], "bad_request")
                status, _ = admin.ask("POST", "/api/v1/ledger/check", {})
                self.assertEqual(status, 202)
                socket.say({"type": "subscribe", "topics": ["all", "nodes"]})
                socket.frames_until(lambda f: f["type"] == "overview")
                stream.frames_until(lambda f: f["type"] == "overview")
                self.assertEqual(admin.ask("PATCH", "/api/v1/users/" + two.id, {"role": "user"})[0], 200)
                for channel in (socket, stream):
                    told = channel.frames_until(lambda f: f["type"] == "refused")
                    self.assertEqual((told[-1]["topic"], told[-1]["code"]), ("all", "right_missing"))
                self.assertEqual(admin.ask("PUT", "/api/v1/policies/default", {"keys_per_user": 7})[0], 200)
                self.assertEqual(admin.ask("POST", f"/api/v1/users/{two.id}/state", {"to": "suspended"})[0], 200)
                left = []
                while (frame := socket.frame()) is not None:
                    left.append(frame)
                self.assertNotIn("keyportal.v1.policy.default.changed", [f.get("subject") for f in left])
                while stream.frame() is not None:
                    pass
            portal.stop()

    def test_long_work_is_told_while_it_goes_on(self):
        with Place() as place:
            keys = {"backup.folder": f'"{place.folder}/backups"', "backup.passphrase_file": f'"{place.folder}/phrase"'}
            with open(place.folder + "/phrase", "w", encoding="ascii") as file:
                file.write("correct horse battery staple\n")
            os.chmod(place.folder + "/phrase", 0o600)
            os.makedirs(place.folder + "/backups", exist_ok=True)
            _, portal, admin = self.place(place, **keys)
            with WebSocket(portal.url, admin.cookie(), query="?topics=jobs") as socket:
                socket.frames_until(lambda f: f["type"] == "position")
                self.assertEqual(admin.ask("POST", "/api/v1/backups", {"full": True})[0], 202)
                made = socket.frames_until(lambda f: f["type"] == "event" and f["kind"] == "made")
                self.assertTrue(all(f["job"] == "backup" for f in made if f["type"] == "job"))
            portal.stop()

    def test_an_event_stream_ends_with_its_session_and_with_the_service(self):
        with Place() as place:
            _, portal, admin = self.place(place)
            ann = member(portal, admin, "ann@example.com")
            with EventStream(portal.url, ann.cookie()) as stream:
                self.assertEqual(stream.status, 200)
                self.assertEqual(stream.frame()["type"], "overview")
                position = stream.id
                self.assertGreater(position, 0)
                self.assertEqual(ann.ask("DELETE", "/api/v1/session")[0], 204)
                while stream.frame() is not None:
                    pass
            status, _, text = call(portal.url + "/api/v1/events?after=x", headers={"Authorization": "Bearer " + portal.token()},
                                   hostile=True)
            self.assertEqual((status, json.loads(text)["code"]), (400, "bad_request"))
            with EventStream(portal.url, [*admin.cookie(), ("Last-Event-ID", str(position))], query="?topics=all&after=1") as stream:
                self.assertEqual(stream.frame()["position"], position)
                portal.signal(15)
                while stream.frame() is not None:
                    pass
            self.assertEqual(portal.wait_end(20), 0)

    def test_more_connections_than_files_is_refused_at_the_start(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings={"gateway.max_connections": "5000"}, start=False)
            ran = subprocess.run([find_program("keyportal"), "serve", "--config", portal.config], env=portal.environment,
                                 capture_output=True, text=True, timeout=30, check=False,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 2048)))
            self.assertEqual(ran.returncode, 1)
            self.assertIn("gateway.max_connections", ran.stderr + ran.stdout)
            # Its own limit it raises by itself.
            portal = place.portal(place.stand_in("two"), settings={"gateway.max_connections": "1400"}, name="other", start=False)
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
                portal.start()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            with open(f"/proc/{portal.pid}/limits", encoding="ascii") as file:
                files = next(line.split() for line in file if line.startswith("Max open files"))
            self.assertGreaterEqual(int(files[3]), 1400 + 512)
            portal.stop()
