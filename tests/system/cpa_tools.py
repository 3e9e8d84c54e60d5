"""Tools as people have them for CLIProxyAPI, written from its documentation alone and knowing nothing of Key Portal.
Each runs in a thread of its own, goes on when its server goes away, and keeps what it got."""
import collections
import json
import socket
import threading
import time
import urllib.parse

from service import call


class Tool(threading.Thread):
    """Does `once` again and again until it is told to end; what goes wrong on the way is counted."""

    pause = 0.05

    def __init__(self, url, key, path=""):
        super().__init__(daemon=True)
        self.url, self.key, self.path = url, key, path
        self.errors, self.last_error = 0, None
        self._end = threading.Event()

    def run(self):
        while not self._end.is_set():
            try:
                self.once()
            except (OSError, ValueError) as error:
                self.errors, self.last_error = self.errors + 1, repr(error)
            self._end.wait(self.pause)

    def once(self):
        raise NotImplementedError

    def end(self):
        self._end.set()
        self.join(30)

    def get(self, path, method="GET", body=None):
        status, headers, text = call(self.url + self.path + "/v0/management" + path, method, body,
                                     {"Authorization": "Bearer " + self.key}, timeout=30)
        if status != 200:
            raise OSError(f"{path}: {status} {text[:200]!r}")
        return json.loads(text), headers


class UsagePoller(Tool):
    """Looks at /usage as the first portals did: keeps an export, and when the total falls takes that for a restart and
    puts the export back."""

    pause = 0.1

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.totals, self.falls, self.version = [], 0, None
        self.usage = self.kept = None

    def once(self):
        answer, headers = self.get("/usage")
        usage = answer["usage"]
        assert answer["failed_requests"] == usage["failure_count"]
        assert usage["total_requests"] == usage["success_count"] + usage["failure_count"]
        details = [d for api in usage["apis"].values() for model in api["models"].values() for d in model["details"]]
        assert len(details) == usage["total_requests"] == sum(usage["requests_by_day"].values())
        assert sum(d["tokens"]["total_tokens"] for d in details) == usage["total_tokens"]
        self.version = headers.get("x-cpa-version")
        if self.totals and usage["total_requests"] < self.totals[-1]:
            self.falls += 1
            self.get("/usage/import", "POST", json.dumps(self.kept))
        else:
            self.kept = self.get("/usage/export")[0]
        self.totals.append(usage["total_requests"])
        self.usage = usage


class Records(Tool):
    """What the queue tools have in common: records by their request id and time."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.records = collections.Counter()
        self.models = set()

    def take(self, record):
        assert {"timestamp", "latency_ms", "source", "auth_index", "tokens", "failed", "provider", "model", "alias",
                "endpoint", "auth_type", "api_key", "request_id"} <= set(record), record
        self.records[(record["api_key"], record["model"], record["timestamp"], record["auth_index"],
                      record["failed"])] += 1


class HttpPopper(Records):
    """GET /usage-queue?count=N until nothing comes, then waits."""

    def once(self):
        while True:
            records, _ = self.get("/usage-queue?count=50")
            for record in records:
                self.take(record)
            if not records:
                return


class Resp:
    """A connection that speaks RESP, without any library."""

    def __init__(self, url, key):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=20)
        self.file = self.socket.makefile("rb")
        if self.ask("AUTH", key) != "OK":
            raise OSError("AUTH refused")

    def send(self, *words):
        data = b"*%d\r\n" % len(words)
        for word in words:
            word = str(word).encode()
            data += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(data)

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("connection closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise OSError(rest.decode())
        if kind == b"$":
            if rest == b"-1":
                return None
            data = self.file.read(int(rest) + 2)
            if len(data) != int(rest) + 2:
                raise OSError("connection closed")
            return data[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        raise ValueError(line)

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def close(self):
        self.file.close()
        self.socket.close()


class RespPopper(Records):
    """LPOP usage N on a connection that is kept."""

    connection = None

    def once(self):
        try:
            self.connection = self.connection or Resp(self.url, self.key)
            while records := self.connection.ask("LPOP", "usage", 50):
                for record in records:
                    self.take(json.loads(record))
        except OSError:
            if self.connection:
                self.connection.close()
            self.connection = None
            raise


class RespSubscriber(Records):
    """SUBSCRIBE usage, then what was queued before by LPOP on a second connection, as the widespread collector does."""

    def once(self):
        feed = Resp(self.url, self.key)
        try:
            feed.send("SUBSCRIBE", "usage")
            assert feed.read() == [b"subscribe", b"usage", 1]
            backlog = Resp(self.url, self.key)
            while records := backlog.ask("LPOP", "usage", 100):
                for record in records:
                    self.take(json.loads(record))
            backlog.close()
            # The file may hold the beginning of what was pushed already.
            feed.socket.setblocking(False)
            pending = feed.file.read1() or b"" if feed.file.peek() else b""
            feed.socket.settimeout(0.2)
            while not self._end.is_set():
                pending = self.messages(pending)
                try:
                    data = feed.socket.recv(1 << 16)
                except TimeoutError:
                    continue
                if not data:
                    raise OSError("connection closed")
                pending += data
        finally:
            feed.close()

    def messages(self, data):
        """Takes whole messages off; gives back the rest."""
        while True:
            parts, at = [], 0
            if not data.startswith(b"*3\r\n"):
                assert not data or b"*3\r\n".startswith(data[:4]), data[:50]
                return data
            at = 4
            for _ in range(3):
                end = data.find(b"\r\n", at)
                if end < 0:
                    return data
                size = int(data[at + 1:end])
                if len(data) < end + 2 + size + 2:
                    return data
                parts.append(data[end + 2:end + 2 + size])
                at = end + 2 + size + 2
            data = data[at:]
            assert parts[:2] == [b"message", b"usage"], parts
            record = json.loads(parts[2])
            if "support_refresh" not in record and "refresh" not in record:
                self.take(record)
