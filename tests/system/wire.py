"""As small clients as can be, written from the protocols' texts: NATS with JetStream, and WebSocket."""
import base64
import hashlib
import http.client
import json
import os
import socket
import struct
import time

import watch


class Nats:
    """One connection. Signs in as nobody: what is read here anyone on the machine can read."""

    def __init__(self, port, timeout=10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"INFO ")
        self.inbox = "_INBOX." + os.urandom(8).hex()
        self.send(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"name":"test"}\r\n'
                  + f"SUB {self.inbox}.* 1\r\n".encode() + b"PING\r\n")
        while self.line() != b"PONG":
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        text = self.file.readline()
        if not text.endswith(b"\r\n"):
            raise OSError("nats: connection closed")
        text = text[:-2]
        if text == b"PING":
            self.send(b"PONG\r\n")
        elif text.startswith(b"-ERR"):
            raise OSError(text.decode())
        return text

    def message(self):
        """The next (subject, reply, headers, body); headers has the status under ""."""
        while True:
            words = self.line().split(b" ")
            if words[0] not in (b"MSG", b"HMSG"):
                continue
            with_headers = words[0] == b"HMSG"
            sizes = [int(w) for w in (words[-2:] if with_headers else words[-1:])]
            data = self.file.read(sizes[-1] + 2)[:-2]
            reply = words[3].decode() if len(words) == (6 if with_headers else 5) else ""
            headers = {}
            if with_headers:
                lines = data[:sizes[0]].decode("utf-8", "replace").split("\r\n")
                headers[""] = lines[0][len("NATS/1.0"):].strip()
                for each in lines[1:]:
                    name, colon, value = each.partition(":")
                    if colon:
                        headers[name] = value.strip()
                data = data[sizes[0]:]
            return words[1].decode(), reply, headers, data

    def request(self, subject, body=b"{}"):
        reply = f"{self.inbox}.r"
        self.send(f"PUB {subject} {reply} {len(body)}\r\n".encode() + body + b"\r\n")
        _, _, headers, data = self.message()
        if headers.get("", "").startswith("503"):
            raise OSError("nats: nobody answers " + subject)
        return json.loads(data)

    def stream_state(self, stream):
        answer = self.request("$JS.API.STREAM.INFO." + stream)
        if "error" in answer:
            raise OSError(answer["error"]["description"])
        return answer["state"]

    def read_stream(self, stream):
        """All messages that the stream holds now: list of (subject, headers, body)."""
        state = self.stream_state(stream)
        if state["messages"] == 0:
            return []
        made = self.request(f"$JS.API.CONSUMER.CREATE.{stream}", json.dumps({
            "stream_name": stream, "config": {"deliver_policy": "all", "ack_policy": "none", "replay_policy": "instant",
                                              "inactive_threshold": 30_000_000_000}}).encode())
        if "error" in made:
            raise OSError(made["error"]["description"])
        messages = []
        while len(messages) < state["messages"]:
            want = min(1000, state["messages"] - len(messages))
            ask = json.dumps({"batch": want, "expires": 5_000_000_000}).encode()
            self.send(f"PUB $JS.API.CONSUMER.MSG.NEXT.{stream}.{made['name']} {self.inbox}.n {len(ask)}\r\n".encode()
                      + ask + b"\r\n")
            for _ in range(want):
                subject, _, headers, body = self.message()
                if headers.get(""):
                    raise OSError(f"nats: {headers['']} after {len(messages)} of {state['messages']}")
                messages.append((subject, headers, body))
        return messages


class WebSocket:
    """Reads text frames; close() or the peer's close ends it."""

    def __init__(self, url, headers=(), timeout=10.0, query=""):
        host, _, port = url.split("//")[1].partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET /ws{query} HTTP/1.1", f"Host: {host}:{port}", "Connection: Upgrade", "Upgrade: websocket",
                 "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *[f"{k}: {v}" for k, v in headers], "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self.status = int(self.file.readline().split()[1])
        answered = {}
        while (line := self.file.readline().strip()):
            name, _, value = line.decode().partition(":")
            answered[name.lower()] = value.strip()
        accepted = answered.get("sec-websocket-accept", "")
        if watch.contract:
            watch.contract.check("GET", "/ws" + query, {}, b"", self.status, answered, None)
        if self.status == 101:
            proof = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
            assert accepted == base64.b64encode(proof).decode(), "wrong Sec-WebSocket-Accept"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def drop(self):
        """Ends it as a lost connection does: without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.file.close()
        self.socket.close()

    def write(self, opcode, data):
        mask = os.urandom(4)
        assert len(data) < 126
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(data)]) + mask
                            + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def say(self, message):
        self.write(1, json.dumps(message).encode())

    def frame(self):
        """The next text as JSON; None when the peer closed."""
        text = b""
        while True:
            head = self.file.read(2)
            if len(head) < 2:
                return None
            size = head[1] & 0x7f
            assert not head[1] & 0x80, "a server must not mask"
            if size == 126:
                size = struct.unpack(">H", self.file.read(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.file.read(8))[0]
            data = self.file.read(size)
            opcode = head[0] & 0x0f
            if opcode == 8:
                return None
            if opcode == 9:
                self.write(10, data)
            elif opcode in (0, 1):
                text += data
                if head[0] & 0x80:
                    frame = json.loads(text)
                    if watch.contract:
                        watch.contract.check_frame(frame)
                    return frame

    def frames_until(self, condition, seconds=15.0):
        """All frames up to the first for which the condition holds; fails at the deadline."""
        deadline = time.monotonic() + seconds
        frames = []
        while time.monotonic() < deadline:
            self.socket.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                frame = self.frame()
            except TimeoutError:
                break
            if frame is None:
                raise AssertionError("the WebSocket was closed")
            frames.append(frame)
            if condition(frame):
                return frames
        raise AssertionError(f"no such frame within {seconds:g} s; {len(frames)} others, the last: {frames[-1:]}")


class EventStream:
    """Server-Sent Events at /api/v1/events: frames with their ids."""

    def __init__(self, url, headers=(), timeout=20.0, query=""):
        host, _, port = url.split("//")[1].partition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
        self.connection.request("GET", "/api/v1/events" + query, headers=dict(headers))
        self.answer = self.connection.getresponse()
        self.status, self.id = self.answer.status, None
        answered = {k.lower(): v for k, v in self.answer.getheaders()}
        if watch.contract:
            sent = {k.lower(): v for k, v in headers}
            watch.contract.check("GET", "/api/v1/events" + query, sent, b"", self.status, answered,
                                 None if self.status == 200 else self.answer.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answer.close()
        self.connection.close()

    def frame(self):
        """The next one; None when the stream has ended."""
        while True:
            line = self.answer.readline()
            if not line:
                return None
            name, _, value = line.rstrip(b"\n").partition(b": ")
            if name == b"id":
                self.id = int(value)
            elif name == b"data":
                frame = json.loads(value)
                if watch.contract:
                    watch.contract.check_frame(frame)
                return frame

    def frames_until(self, condition):
        frames = []
        while not frames or not condition(frames[-1]):
            frame = self.frame()
            assert frame is not None, f"the stream ended after {frames}"
            frames.append(frame)
        return frames
