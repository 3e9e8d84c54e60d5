"""Exports of the shipped programs: whole, broken and gone on with, into the stand-in, and safe for spreadsheets."""
import csv
import http.client
import io
import json
import os
import resource
import signal
import subprocess
import time
import unittest
import urllib.parse

from service import SECRET, Place, find_program, wait_until


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


class Stream:
    """One GET of which only so much is read as is asked for."""

    def __init__(self, portal, path, start=None):
        parts = urllib.parse.urlsplit(portal.url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        headers = {"Authorization": "Bearer " + portal.token()}
        if start is not None:
            headers["Range"] = f"bytes={start}-"
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()

    def read(self, most=-1):
        return self.answer.read() if most < 0 else self.answer.read(most)

    def close(self):
        self.connection.close()


class Exports(unittest.TestCase):
    def post(self, portal, question):
        parts = urllib.parse.urlsplit(portal.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        connection.request("POST", "/api/v1/exports", json.dumps(question),
                           {"Authorization": "Bearer " + portal.token(), "Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        self.assertEqual(answer.status, 201, body)
        self.assertEqual(answer.getheader("Location"), body["path"])
        return body["path"]

    def test_every_kind_is_exported_and_says_what_the_service_says(self):
        with Place() as place:
            sim = place.stand_in(preload=3000)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() >= 3000, "the records arrive")
            portal.command("users", "add", "ada@example.com", "--name", "Ada, of \"Lovelace\"", "--command", "a")
            portal.command("pool", "fill", "3", "--command", "b")
            portal.command("keys", "assign", "ada@example.com", "--command", "c")

            def told(*words):
                return portal.command("export", *words)[1]

            records = rows_of(told("records"))
            self.assertEqual(len(records), portal.requests())
            self.assertEqual([r["timestamp"] for r in records], sorted(r["timestamp"] for r in records))
            lines = [json.loads(line) for line in told("records", "--format", "jsonl").splitlines()]
            self.assertEqual([(r["id"], int(r["total_tokens"])) for r in records],
                             [(r["id"], r["total_tokens"]) for r in lines])
            summary = portal.get("/api/v1/summary")
            self.assertEqual(sum(int(r["total_tokens"]) for r in records), summary["totals"]["tokens"]["total"])
            model = records[0]["model"]
            some = rows_of(told("records", "--where", "model=" + model))
            self.assertEqual([r["id"] for r in some], [r["id"] for r in records if r["model"] == model])
            rollups = rows_of(told("rollups", "--step", "hour", "--by", "model,key"))
            self.assertEqual(sum(int(r["requests"]) for r in rollups), len(records))
            self.assertEqual(sum(int(r["total_tokens"]) for r in rollups),
                             sum(int(r["total_tokens"]) for r in records))
            people = rows_of(told("users", "--zone", "Asia/Shanghai"))
            self.assertEqual([(p["email"], p["name"]) for p in people], [("ada@example.com", 'Ada, of "Lovelace"')])
            self.assertTrue(people[0]["created_at"].endswith("+08:00"))
            keys = rows_of(told("keys"))
            self.assertEqual(sum(k["owner"] == "ada@example.com" for k in keys), 1)
            audit = rows_of(told("audit"))
            self.assertEqual([int(a["position"]) for a in audit], list(range(1, len(audit) + 1)))
            self.assertIn("key.assign", [a["what"] for a in audit])
            self.assertTrue(told("users", "--bom").startswith("\ufeff"))
            self.assertEqual(portal.command("export", "users", "--format", "cpa", check=False)[0], 2)
            self.assertEqual(portal.command("export", "records", "--from", "soon", check=False)[0], 2)
            portal.stop()

    def test_a_broken_download_goes_on_where_it_stopped_while_records_arrive(self):
        with Place() as place:
            sim = place.stand_in(preload=20000)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() >= 20000, "the records arrive", 60)
            path = self.post(portal, {"what": "records"})
            records = portal.requests()
            got = b""
            breaks = 0
            ended = False
            while not ended:
                stream = Stream(portal, path, len(got) if got else None)
                self.assertEqual(stream.answer.status, 206 if got else 200)
                if got:
                    self.assertTrue(stream.answer.getheader("Content-Range").startswith(f"bytes {len(got)}-"))
                wanted = 1_234_567
                while wanted > 0:
                    piece = stream.read(min(wanted, 65536))
                    got += piece
                    wanted -= len(piece)
                    if not piece:
                        ended = True
                        break
                stream.close()
                breaks += 1
                if breaks == 2:
                    sim.record(100)
                    wait_until(lambda: portal.requests() >= 20100, "the new records arrive")
            self.assertGreater(breaks, 3)
            self.assertEqual(got.count(b"\r\n"), records + 1)
            whole = Stream(portal, path).read()
            self.assertEqual(got, whole)
            beyond = Stream(portal, path, len(whole) + 1)
            self.assertEqual(beyond.answer.status, 416)
            middle = Stream(portal, path, 100)
            middle.close()
            part = Stream(portal, path)
            self.assertEqual(part.answer.getheader("Content-Type").split(";")[0], "text/csv")
            part.close()
            # What was begun is gone with the process, and says so.
            portal.kill()
            portal.start()
            gone = Stream(portal, path, 100)
            self.assertEqual(gone.answer.status, 410)
            self.assertEqual(json.loads(gone.read())["code"], "export_gone")
            now = Stream(portal, "/api/v1/exports/records?format=jsonl&from=2000-01-01")
            self.assertEqual(now.answer.status, 200)
            self.assertEqual(now.read().count(b"\n"), portal.requests())
            portal.stop()

    def test_the_command_is_killed_in_the_middle_and_goes_on(self):
        with Place() as place:
            sim = place.stand_in(preload=60000)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() >= 60000, "the records arrive", 120)
            file = os.path.join(place.folder, "records.csv")
            words = [find_program("keyportal"), "export", "records", "-o", file, "--resume", "--config", portal.config]

            def size():
                try:
                    return os.path.getsize(file + ".part")
                except FileNotFoundError:
                    return 0

            # The first ends by a limit of the system in the middle of a write: as sudden as a kill, and surely there.
            limit = 5_000_000
            first = subprocess.run(words, env=portal.environment, capture_output=True, check=False, timeout=60,
                                   preexec_fn=lambda: (resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
                                                       resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))))
            self.assertEqual(first.returncode, -signal.SIGXFSZ)
            self.assertEqual(size(), limit)
            self.assertFalse(os.path.exists(file))
            self.assertEqual(os.stat(file + ".part").st_mode & 0o777, 0o600)
            kills = 0
            for _ in range(5):
                before = size()
                child = subprocess.Popen(words, env=portal.environment, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
                while child.poll() is None and size() <= before:
                    time.sleep(0.0005)
                child.kill()
                kills += child.wait() == -signal.SIGKILL
                if os.path.exists(file):
                    break
            if not os.path.exists(file):
                self.assertGreater(kills, 0)
                # Another question does not go on with this file.
                wrong = subprocess.run([*words, "--bom"], env=portal.environment, capture_output=True, check=False, timeout=60)
                self.assertEqual(wrong.returncode, 2)
                subprocess.run(words, env=portal.environment, capture_output=True, check=True, timeout=60)
            with open(file, "rb") as done:
                got = done.read()
            self.assertEqual(os.listdir(place.folder).count("records.csv.part.export"), 0)
            again = Stream(portal, self.post(portal, {"what": "records"})).read()
            told = [{k: v for k, v in r.items() if not k.startswith(("key", "user"))} for r in rows_of(got.decode())]
            # Keys may have been found at the node since then, and are shown with more.
            self.assertEqual(told, [{k: v for k, v in r.items() if not k.startswith(("key", "user"))}
                                    for r in rows_of(again.decode())])
            portal.stop()

    def test_cliproxyapi_takes_its_own_format_and_counts_the_same(self):
        with Place() as place:
            sim = place.stand_in(preload=2000)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() >= 2000, "the records arrive")
            file = os.path.join(place.folder, "usage.json")
            portal.command("export", "records", "--format", "cpa", "-o", file)
            self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
            other = place.stand_in("other")
            key = os.path.join(place.folder, "management.key")
            with open(key, "w", encoding="ascii") as out:
                out.write(SECRET)
            wait_until(other.answers, "the other stand-in answers")
            portal.command("snapshot", "import", file, "--cpa", other.url, "--key-file", key, "--yes")
            self.assertEqual(sorted(map(str, other.export())), sorted(map(str, sim.export())))
            with open(file, encoding="utf-8") as document:
                written = json.load(document)["usage"]
            self.assertEqual(written["total_requests"], portal.requests())
            self.assertEqual(written["total_tokens"], portal.get("/api/v1/summary")["totals"]["tokens"]["total"])
            portal.stop()
