"""What openapi.yaml says is so: for every operation what is refused, and the answers that no other test asks for. That each
request and answer fits the document is checked at every one of them, in all tests (contract.py)."""
import http.client
import json
import socket
import urllib.parse

import watch
import yaml

from queue_node import QueueTest
from service import Place, call, wait_until
from wire import WebSocket

#: What stands in the places of a path, where nothing of that name is.
NOBODY = {"node": "nowhere", "id": "4000000000", "name": "nobody"}


class Contract(QueueTest):
    def ask(self, portal, method, path, body=None, hostile=False, **headers):
        headers = {"Authorization": "Bearer " + portal.token(), **{k.replace("_", "-"): v for k, v in headers.items()}}
        status, answered, text = call(portal.url + path, method, body if body is None or isinstance(body, (bytes, str))
                                      else json.dumps(body), headers, hostile=hostile)
        kind = answered.get("content-type", "")
        return status, json.loads(text) if "json" in kind and "ndjson" not in kind and text else text

    def code(self, portal, method, path, body=None, hostile=False):
        status, problem = self.ask(portal, method, path, body, hostile)
        self.assertGreaterEqual(status, 400, (method, path, body, problem))
        return problem["code"]

    def test_every_operation_refuses_what_it_says_it_refuses(self):
        document = watch.contract.document
        with Place() as place:
            portal = place.portal(place.stand_in())
            for (method, path), operation in document.operations.items():
                verb, there = method.upper(), path.format(**{**NOBODY, "node": "default"})
                body = "{}" if verb != "GET" and operation.get("requestBody") else None
                with self.subTest(operation=f"{verb} {path}"):
                    if operation.get("security"):
                        for token in ("", "Bearer ", "Bearer " + "0" * 64, "Basic " + portal.token(), portal.token()):
                            status, _, _ = call(portal.url + there, verb, body, {"Authorization": token} if token else {},
                                                hostile=True)
                            self.assertEqual(status, 401)
                    if "{node}" in path:
                        for node in ("nowhere", "No-Such", "x" * 33):
                            self.assertEqual(self.code(portal, verb, path.format(**{**NOBODY, "node": node, "id": 1}), body,
                                                       hostile=True), "node_unknown")
                    names = {p["name"]: p for p in operation["parameters"] if p["in"] == "query"}
                    if "limit" in names:
                        for limit in ("0", "1001", "-1", "x", "1.5"):
                            self.assertEqual(self.code(portal, verb, f"{there}?limit={limit}", hostile=True), "bad_request")
                    if names.get("after", {}).get("schema", {}).get("type") == "integer":
                        self.assertEqual(self.code(portal, verb, there + "?after=x", hostile=True), "bad_request")
                    schema = document.resolved(operation.get("requestBody", {}).get("content", {}).get(
                        "application/json", {}).get("schema", {}))
                    if schema.get("additionalProperties") is False:
                        for wrong in ("[", "[]", '"x"', "null", json.dumps({"no_such_field": 1})):
                            self.assertEqual(self.code(portal, verb, there, wrong, hostile=True), "bad_request", wrong)
            for path in document.all["paths"]:
                with self.subTest(path=path):
                    there = path.format(**{**NOBODY, "node": "default"})
                    if path != "/ws":
                        for verb in ("OPTIONS", "TRACE", "BREW") + tuple(
                                m for m in ("PUT", "PATCH", "DELETE", "POST")
                                if (m.lower(), path) not in document.operations):
                            self.assertEqual(self.code(portal, verb, there), "method_not_allowed")
                    for other in (there + "//x", "/x" + there):
                        self.assertEqual(self.code(portal, "GET", other), "not_found")
            portal.stop()

    def test_what_is_not_there_is_said_by_its_own_code(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            node = "/api/v1/nodes/default"
            self.assertEqual(self.ask(portal, "PUT", "/api/v1/policies/default", {"keys_per_user": 2})[0], 200)
            for code, method, path, body in (
                    ("snapshot_unknown", "GET", node + "/snapshots/77", None),
                    ("snapshot_unknown", "GET", node + "/snapshots/now", None),
                    ("snapshot_unknown", "GET", node + "/snapshots/77/export", None),
                    ("dead_letter_unknown", "GET", "/api/v1/deadletters/77", None),
                    ("dead_letter_unknown", "DELETE", "/api/v1/deadletters/77", None),
                    ("config_unknown", "GET", node + "/configs/77", None),
                    ("config_unknown", "POST", node + "/configs/77/restore", None),
                    ("user_unknown", "GET", "/api/v1/users/nobody", None),
                    ("user_unknown", "GET", "/api/v1/keys?owner=nobody", None),
                    ("key_unknown", "GET", "/api/v1/keys/nobody", None),
                    ("key_unknown", "GET", "/api/v1/keys/nobody/budgets", None),
                    ("key_unknown", "POST", "/api/v1/keys/nobody/renewal", {"reason": "more"}),
                    ("key_unknown", "POST", "/api/v1/keys/find", {"text": "sk-of-somebody-else"}),
                    ("policy_in_use", "DELETE", "/api/v1/policies/default", None),
                    ("export_gone", "GET", "/api/v1/exports/nobody", None),
                    ("backup_off", "POST", "/api/v1/backups", {}),
                    ("backup_off", "POST", "/api/v1/backups/verify", {}),
                    ("backup_off", "POST", "/api/v1/backups/prune", None),
                    ("file_malformed", "POST", node + "/import", []), ("file_version", "POST", node + "/import", {"version": 2})):
                with self.subTest(method=method, path=path):
                    self.assertEqual(self.code(portal, method, path, body, hostile=path.endswith("import")), code)
            for path in (node + "/snapshots/x", node + "/snapshots/x/export", "/api/v1/deadletters/0", "/api/v1/deadletters/x",
                         node + "/configs/now", "/api/v1/users?state=gone", "/api/v1/keys?state=gone", "/api/v1/keys?waiting=x",
                         "/api/v1/history?from=x", "/api/v1/history?after=x", "/api/v1/prices/unpriced?from=x",
                         "/api/v1/usage?step=year", "/api/v1/usage?what=x", "/api/v1/usage?by=x", "/api/v1/records?limit=0",
                         "/api/v1/records?order=x", "/api/v1/exports/records?format=xml", "/api/v1/exports/rollups?by=x",
                         "/api/v1/usage?by=model,model,node", "/api/v1/keys?text=" + "x" * 600):
                with self.subTest(path=path):
                    self.assertEqual(self.code(portal, "GET", path, hostile=True), "bad_request")
            portal.stop()

    def test_what_no_page_and_no_command_asks_is_answered_as_described(self):
        with Place() as place:
            sim = place.stand_in(preload=50)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 50, "the records arrive")
            get = lambda path: self.ask(portal, "GET", path)
            for path in ("gaps", "queue", "incompletes", "restarts", "keys"):
                self.assertEqual(get("/api/v1/nodes/default/" + path)[0], 200)
            made = self.ask(portal, "POST", "/api/v1/nodes/default/snapshots")
            self.assertEqual(made[0], 201)
            self.assertEqual(get(f"/api/v1/nodes/default/snapshots/{made[1]['id']}"), (200, made[1]))
            self.assertEqual(get(f"/api/v1/nodes/default/snapshots/{made[1]['id']}/export")[0], 200)
            self.assertEqual(self.ask(portal, "POST", "/api/v1/nodes/default/restore")[1]["still_lacking"], 0)
            for command, wanted in ((("POST", "/api/v1/prices", {"prices": [
                    {"model": "m-*", "source": "by_hand", "rates": {"input": 1000, "output": 2000}}]}), 1),
                    (("POST", "/api/v1/prices/drop", {"ids": ["nothing"]}), 0)):
                status, done = self.ask(portal, *command, Idempotency_Key="once" + str(wanted))
                self.assertEqual((status, done["changed"], done["replayed"]), (200, wanted, False))
                # What changed nothing is in no log, so it is done again.
                again = self.ask(portal, *command, Idempotency_Key="once" + str(wanted))[1]
                self.assertEqual(again["replayed"], wanted > 0)
            self.assertEqual([p["model"] for p in get("/api/v1/prices?text=M-")[1]["items"]], ["m-*"])
            self.assertTrue(get("/api/v1/prices/unpriced")[1]["items"])
            self.assertEqual(self.ask(portal, "POST", "/api/v1/prices/reprice", {"dry_run": True})[0], 202)
            self.assertIn("running", get("/api/v1/prices/reprice")[1])
            text = json.dumps({"prices": [{"model": "x", "rates": {"input": 1.5}}]})
            self.assertEqual(self.code(portal, "POST", "/api/v1/prices", text, hostile=True), "bad_request")
            # HEAD goes where GET goes, without a body.
            for path in ("/api/v1/summary", "/api/v1/users", "/metrics", "/api/v1/exports/records"):
                status, answered, text = call(portal.url + path, "HEAD", headers={"Authorization": "Bearer " + portal.token()})
                self.assertEqual((status, text), (200, b""), path)
            portal.stop()

    def test_an_export_is_gone_on_with_as_described(self):
        with Place() as place:
            portal = place.portal(place.stand_in(preload=50))
            wait_until(lambda: portal.requests() == 50, "the records arrive")
            status, opened = self.ask(portal, "POST", "/api/v1/exports", {"what": "records", "format": "jsonl"})
            self.assertEqual(status, 201)
            whole = self.ask(portal, "GET", opened["path"])[1]
            self.assertEqual(whole.count(b"\n"), 50)
            self.assertEqual(self.ask(portal, "GET", opened["path"], Range="bytes=100-"), (206, whole[100:]))
            self.assertEqual(self.ask(portal, "GET", opened["path"], Range="bytes=100-199"), (206, whole[100:200]))
            self.assertEqual(self.ask(portal, "GET", opened["path"], Range="bytes=100-", If_Range='"other"'), (200, whole))
            self.assertEqual(self.ask(portal, "GET", opened["path"], Range=f"bytes={len(whole)}-")[0], 416)
            for what in ("rollups?by=model,node&step=hour", "users?bom=true", "keys", "audit", "records?format=cpa"):
                self.assertEqual(self.ask(portal, "GET", "/api/v1/exports/" + what)[0], 200, what)
            self.assertEqual(self.ask(portal, "DELETE", opened["path"])[0], 204)
            self.assertEqual(self.code(portal, "GET", opened["path"]), "export_gone")
            portal.stop()

    def test_dead_letters_are_listed_read_replayed_and_given_up(self):
        with Place() as place:
            sim = self.stand_in(place, "7.2.140")
            portal = self.portal(place, sim, "7.2.140")
            sim.fault("malformed_payload", count=3)
            sim.record(3)
            letters = lambda: self.ask(portal, "GET", "/api/v1/deadletters")[1]["items"]
            wait_until(lambda: len(letters()) == 3, lambda: f"three dead letters: {letters()}")
            first, second, third = (one["number"] for one in letters())
            self.assertEqual([one["number"] for one in self.ask(portal, "GET", f"/api/v1/deadletters?after={first}&limit=1")[1]["items"]],
                             [second])
            status, payload = self.ask(portal, "GET", f"/api/v1/deadletters/{first}")
            self.assertEqual((status, len(payload)), (200, letters()[0]["bytes"]))
            replay = "/api/v1/nodes/default/deadletters/replay"
            self.assertEqual(self.ask(portal, "POST", replay, {"numbers": [second]})[1]["replayed"], 0)
            self.assertEqual(self.ask(portal, "POST", replay)[1]["still_dead"], 3)
            for wrong in ({"numbers": []}, {"numbers": [0]}, {"numbers": "all"}, {}):
                self.assertEqual(self.code(portal, "POST", replay, wrong, hostile=True), "bad_request", wrong)
            dropped = self.ask(portal, "DELETE", f"/api/v1/deadletters/{third}")
            self.assertEqual((dropped[0], dropped[1]["number"]), (200, third))
            self.assertEqual(self.code(portal, "DELETE", f"/api/v1/deadletters/{third}"), "dead_letter_unknown")
            self.assertEqual([one["number"] for one in letters()], [first, second])
            portal.stop()

    def test_frames_tell_of_nodes_records_restarts_and_keys(self):
        with Place() as place:
            sim = place.stand_in(preload=20)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 20, "the records arrive")
            with WebSocket(portal.url) as socket:
                sim.record(5)
                portal.command("users", "add", "ann@example.com")
                portal.command("pool", "fill", "2")
                portal.command("keys", "assign", "ann@example.com")
                portal.command("snapshot", "create", "default", check=False)
                sim.kill()
                socket.frames_until(lambda f: f["type"] == "node" and f["condition"]["state"] == "down", 30)
                sim.start()
                frames = socket.frames_until(lambda f: f["type"] == "event" and f["kind"] == "restored", 60)
            kinds = {f["kind"] for f in frames if f["type"] == "event"}
            self.assertIn("restarted", kinds)
            portal.stop()

    def test_the_document_is_served_as_it_is_and_as_json(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            told = {}
            for name, kind in (("yaml", "application/yaml"), ("json", "application/json")):
                status, answered, text = call(f"{portal.url}/openapi.{name}")
                self.assertEqual((status, answered["content-type"].partition(";")[0]), (200, kind))
                told[name] = text
                status, _, text = call(f"{portal.url}/openapi.{name}", headers={"If-None-Match": answered["etag"]})
                self.assertEqual((status, text), (304, b""))
            read = yaml.safe_load(told["yaml"])
            self.assertTrue(json.loads(told["json"]) == read)  # assertEqual would work out the difference for minutes
            self.assertTrue(read == watch.contract.document.all, "the program was built with another openapi.yaml")
            status, answered, text = call(portal.url + "/api")
            self.assertEqual((status, answered["content-type"]), (200, "text/html; charset=utf-8"))
            portal.stop()

    def test_what_is_no_http_and_what_is_too_large_is_a_problem_too(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            host = portal.url.partition("//")[2]
            for lines, status in ((b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", 421),
                                  (b"GET / HTTP/1.1\r\n\r\n", 400),
                                  (b"NONSENSE\r\n\r\n", 400),
                                  (b"GET /%%zz HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode(), 400),
                                  (b"GET /ws HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode(), 426),
                                  (b"POST /api/v1/users HTTP/1.1\r\nHost: %b\r\nOrigin: http://evil.example\r\n\r\n" % host.encode(), 403),
                                  (b"POST /api/v1/users HTTP/1.1\r\nHost: %b\r\nAuthorization: Bearer %b\r\nContent-Length: 99999999\r\n\r\n"
                                   % (host.encode(), portal.token().encode()), 413),
                                  (b"GET / HTTP/1.1\r\nHost: %b\r\nX: %b\r\n\r\n" % (host.encode(), b"x" * 20000), 431)):
                with self.subTest(lines=lines[:60]):
                    with socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(portal.url).port), timeout=10) as raw:
                        raw.sendall(lines)
                        answer = http.client.HTTPResponse(raw)
                        answer.begin()
                        text = answer.read()
                    self.assertEqual(answer.status, status, text)
                    watch.contract.check_problem(f"{lines[:20]!r}", "GET", status, {k.lower(): v for k, v in answer.getheaders()}, text,
                                           watch.contract.document.all["components"]["responses"]["refused"]["x-errors"])
            portal.stop()
