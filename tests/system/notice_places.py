"""Where notices go, for tests: Feishu (its app's messages and its custom bots) and other HTTP receivers in one server on
loopback, and a mail server. All that came is kept; limits are those that the makers publish; faults are switched on by name.

    with FeishuPlace() as feishu, MailPlace() as mail:
        feishu.fault("drop_after", times=1)     # takes the message and breaks the connection
        feishu.delivered                        # {uuid: how often somebody got it}
        mail.mails                              # [Mail]
"""
import base64
import collections
import email
import email.header
import hashlib
import hmac
import http.server
import json
import secrets
import socket
import socketserver
import ssl
import threading
import time
import urllib.parse

APP, SECRET = "cli_test", "the-app-secret-of-tests"
ROBOT_TOKEN, ROBOT_SECRET = "robot-token-of-tests", "SECrobot-secret-of-tests"
TELEGRAM_TOKEN = "123456:token-of-tests"
FAULTS = ("delay", "drop_before", "drop_after", "html_502", "truncated_json", "wrong_content_type", "slow_loris", "outage",
          "rate_limit", "expire_token")


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # whoever is killed leaves his connections behind


class FeishuPlace:
    def __init__(self):
        self.lock = threading.Lock()
        self.seen, self.faults = [], {}
        self.tokens = {}                       # token -> when it ends
        self.by_uuid = {}                      # uuid -> (message id, when)
        self.delivered = collections.Counter()  # uuid -> times that a person got it
        self.messages = []                     # (when, receive id, uuid, card)
        self.sent_to = collections.defaultdict(collections.deque)
        self.bots = {}                         # path of a hook -> signing secret
        self.bot_times = collections.defaultdict(collections.deque)
        self.bot_messages = []                 # (when, path, body)
        self.hooks = []                        # (when, path, headers, body) of other receivers
        self.refused_for_pace = 0              # how often somebody came too fast
        self.resigned, self.unknown = set(), set()
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                place.serve(self, b"")

            def do_POST(self):
                place.serve(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    # --- what tests do ---
    def fault(self, name, value=None, path="", times=0):
        """From now on for paths with `path` in them, `times` times (0: until cleared)."""
        if name not in FAULTS:
            raise ValueError(name)
        with self.lock:
            self.faults[name] = [value, path, times]

    def clear(self):
        with self.lock:
            self.faults.clear()

    def bot(self, secret=""):
        """The address of a new custom bot."""
        path = "/open-apis/bot/v2/hook/" + secrets.token_hex(16)
        self.bots[path] = secret
        return self.url + path

    def requests(self, path):
        with self.lock:
            return [one for one in self.seen if path in one[1]]

    # --- how it works ---
    def takes(self, name, path):
        with self.lock:
            found = self.faults.get(name)
            if not found or found[1] not in path:
                return False
            if found[2]:
                found[2] -= 1
                if not found[2]:
                    del self.faults[name]
            return True if found[0] is None else found[0]

    @staticmethod
    def reply(handler, status, body, kind="application/json; charset=utf-8", headers=()):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(text)))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text)

    @staticmethod
    def drop(handler):
        handler.close_connection = True
        try:
            handler.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def serve(self, handler, body):
        path = handler.path
        with self.lock:
            self.seen.append((time.time(), path, dict(handler.headers), body))
        try:
            if wait := self.takes("delay", path):
                time.sleep(wait)
            if self.takes("outage", path) or self.takes("drop_before", path):
                return self.drop(handler)
            if self.takes("html_502", path):
                return self.reply(handler, 502, b"<html><h1>502 Bad Gateway</h1></html>", "text/html")
            if self.takes("rate_limit", path):
                return self.reply(handler, 429, {"code": 99991400, "msg": "request trigger frequency limit"},
                                  headers=[("x-ogw-ratelimit-limit", "50"), ("x-ogw-ratelimit-reset", "1")])
            status, answer, *more = self.answer(path, handler.headers, body)
            if self.takes("drop_after", path):
                return self.drop(handler)
            if self.takes("truncated_json", path):
                return self.reply(handler, status, json.dumps(answer).encode()[:-5])
            if self.takes("wrong_content_type", path):
                return self.reply(handler, status, b"<p>all is well</p>", "text/html")
            if self.takes("slow_loris", path):
                handler.send_response(status)
                handler.send_header("Content-Length", "100000")
                handler.end_headers()
                for _ in range(60):
                    handler.wfile.write(b" ")
                    handler.wfile.flush()
                    time.sleep(1)
                return self.drop(handler)
            self.reply(handler, status, answer, *more)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answer(self, path, headers, body):
        place = urllib.parse.urlsplit(path)
        if place.path in self.bots:
            return self.take_bot(place.path, body)
        if place.path == "/open-apis/auth/v3/tenant_access_token/internal":
            return self.give_token(body)
        if place.path == "/open-apis/im/v1/messages":
            return self.take_message(dict(urllib.parse.parse_qsl(place.query)), headers, body)
        if place.path == "/open-apis/contact/v3/users/batch_get_id":
            return self.find_people(headers, body)
        if place.path == "/robot/send":
            return self.take_dingtalk(dict(urllib.parse.parse_qsl(place.query)), body)
        if place.path == "/cgi-bin/webhook/send":
            return self.take_wecom(dict(urllib.parse.parse_qsl(place.query)), body)
        if place.path.startswith("/bot") and place.path.endswith("/sendMessage"):
            return self.take_telegram(place.path[4:-len("/sendMessage")], body)
        if place.path.startswith("/hook/"):
            with self.lock:
                self.hooks.append((time.time(), place.path, dict(headers), body))
            return 200, {}
        return 404, b"404 page not found", "text/plain"

    def take_dingtalk(self, query, body):
        stamp, now = query.get("timestamp", "0"), time.time()
        right = base64.b64encode(hmac.new(ROBOT_SECRET.encode(), f"{stamp}\n{ROBOT_SECRET}".encode(), hashlib.sha256).digest())
        if query.get("access_token") != ROBOT_TOKEN:
            return 200, {"errcode": 300005, "errmsg": "token is not exist"}
        if query.get("sign") != right.decode() or abs(now * 1000 - int(stamp)) > 3_600_000:
            return 200, {"errcode": 310000, "errmsg": "sign not match"}
        with self.lock:
            if self.too_fast(self.bot_times["dingtalk"], now, ((60, 20),)):
                self.refused_for_pace += 1
                return 200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}
            self.bot_messages.append((now, "dingtalk", json.loads(body)))
        return 200, {"errcode": 0, "errmsg": "ok"}

    def take_wecom(self, query, body):
        message, now = json.loads(body), time.time()
        if query.get("key") != ROBOT_TOKEN:
            return 200, {"errcode": 93000, "errmsg": "invalid webhook url"}
        if len(message["text"]["content"].encode()) > 2048:
            return 200, {"errcode": 40058, "errmsg": "text.content exceed max length 2048"}
        with self.lock:
            if self.too_fast(self.bot_times["wecom"], now, ((60, 20),)):
                self.refused_for_pace += 1
                return 200, {"errcode": 45009, "errmsg": "api freq out of limit"}
            self.bot_messages.append((now, "wecom", message))
        return 200, {"errcode": 0, "errmsg": "ok"}

    def take_telegram(self, token, body):
        message, now = json.loads(body), time.time()
        if token != TELEGRAM_TOKEN:
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        if message.get("chat_id") != "-1001":
            return 400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}
        with self.lock:
            if self.too_fast(self.bot_times["telegram"], now, ((1, 1), (60, 20))):
                self.refused_for_pace += 1
                return 429, {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 3",
                             "parameters": {"retry_after": 3}}
            self.bot_messages.append((now, "telegram", message))
        return 200, {"ok": True, "result": {"message_id": len(self.bot_messages)}}

    def give_token(self, body):
        asked = json.loads(body)
        if asked.get("app_id") != APP:
            return 200, {"code": 10003, "msg": "invalid param"}
        if asked.get("app_secret") != SECRET:
            return 200, {"code": 10015, "msg": "app secret error"}
        with self.lock:
            now = time.time()
            for token, ends in self.tokens.items():
                if ends - now >= 1800:  # the same one while half an hour is left
                    return 200, {"code": 0, "msg": "ok", "tenant_access_token": token, "expire": int(ends - now)}
            token = "t-" + secrets.token_hex(16)
            self.tokens[token] = now + 7200
            return 200, {"code": 0, "msg": "ok", "tenant_access_token": token, "expire": 7200}

    def authorised(self, headers):
        given = headers.get("Authorization", "")
        if not given.startswith("Bearer "):
            return 99991661
        if self.takes("expire_token", ""):
            with self.lock:
                self.tokens.pop(given[7:], None)
        return 0 if self.tokens.get(given[7:], 0) > time.time() else 99991663

    @staticmethod
    def too_fast(times, now, limits):
        """Whether one more within any of the spans is one too many; else it is counted."""
        while times and times[0] <= now - 60:
            times.popleft()
        if any(sum(t > now - span for t in times) >= most for span, most in limits):
            return True
        times.append(now)
        return False

    def take_message(self, query, headers, body):
        code = self.authorised(headers)
        if code:
            return 400, {"code": code, "msg": "Invalid access token for authorization"}
        if query.get("receive_id_type") not in ("open_id", "union_id", "user_id", "email", "chat_id"):
            return 400, {"code": 99992402, "msg": "field validation failed: receive_id_type is required"}
        message = json.loads(body)
        if not isinstance(message.get("content"), str) or len(message.get("uuid", "")) > 50:
            return 400, {"code": 230001, "msg": "Your request contains an invalid request parameter"}
        if len(message["content"]) > 30_000:
            return 400, {"code": 230025, "msg": "The length of the message content reaches its limit"}
        who, now = message["receive_id"], time.time()
        if who in self.unknown:
            return 400, {"code": 230013, "msg": "Bot has NO availability to this user"}
        if who in self.resigned:
            return 400, {"code": 230029, "msg": "User has resigned"}
        with self.lock:
            if self.too_fast(self.sent_to[""], now, ((1, 50), (60, 1000))):
                self.refused_for_pace += 1
                return 429, {"code": 99991400, "msg": "request trigger frequency limit"}, "application/json", \
                    [("x-ogw-ratelimit-limit", "50"), ("x-ogw-ratelimit-reset", "1")]
            if self.too_fast(self.sent_to[who], now, ((1, 5),)):
                self.refused_for_pace += 1
                return 400, {"code": 230020, "msg": "This operation triggers the frequency limit"}
            uuid = message.get("uuid")
            known = self.by_uuid.get(uuid)
            if not known or known[1] < now - 3600:
                known = self.by_uuid[uuid] = ("om_" + secrets.token_hex(16), now)
                self.delivered[uuid] += 1
                self.messages.append((now, who, uuid, json.loads(message["content"])))
            return 200, {"code": 0, "msg": "success", "data": {"message_id": known[0], "chat_id": "oc_1",
                                                                "msg_type": message["msg_type"]}}

    def find_people(self, headers, body):
        code = self.authorised(headers)
        if code:
            return 400, {"code": code, "msg": "Invalid access token"}
        asked = json.loads(body)
        found = []
        for field, kind in (("emails", "email"), ("mobiles", "mobile")):
            names = asked.get(field, [])
            if len(names) > 50:
                return 400, {"code": 99992402, "msg": "field validation failed: at most 50"}
            for name in names:
                one = {kind: name}
                if name not in self.unknown and not (name in self.resigned and not asked.get("include_resigned")):
                    one["user_id"] = "ou_" + hashlib.sha256(name.encode()).hexdigest()[:16]
                found.append(one)
        return 200, {"code": 0, "msg": "success", "data": {"user_list": found}}

    def take_bot(self, path, body):
        now = time.time()
        if len(body) > 20_000:
            return 200, {"code": 19036, "msg": "body too large"}
        try:
            message = json.loads(body)
        except ValueError:
            return 200, {"code": 9499, "msg": "Bad Request"}
        secret = self.bots[path]
        if secret:
            stamp = str(message.get("timestamp", "0"))
            right = base64.b64encode(hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()).decode()
            if message.get("sign") != right or abs(now - int(stamp)) > 3600:
                return 200, {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
        with self.lock:
            if self.too_fast(self.bot_times[path], now, ((1, 5), (60, 100))):
                self.refused_for_pace += 1
                return 200, {"code": 11232, "msg": "frequency limited psm[lark.oapi.app_platform_runtime]"}
            self.bot_messages.append((now, path, message))
        return 200, {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}


class Mail:
    def __init__(self, sender, to, text):
        self.sender, self.to, self.at = sender, to, time.time()
        message = email.message_from_string(text)
        self.id = message["Message-ID"]
        self.subject = str(email.header.make_header(email.header.decode_header(message["Subject"])))
        self.body = message.get_payload(decode=True).decode()


class MailPlace:
    """An SMTP server: `tls` is an ssl.SSLContext for STARTTLS, `login` (user, password) where somebody has to sign in."""

    def __init__(self, tls=None, login=None, implicit=False):
        self.tls, self.login, self.implicit = tls, login, implicit
        self.lock = threading.Lock()
        self.mails, self.faults = [], {}
        self.logins = 0
        place = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    place.talk(self)
                except (OSError, ValueError):
                    pass

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def fault(self, name, value=None, times=0):
        """"reply_to_rcpt", "reply_to_data" (a whole reply), "drop_after" (takes the mail, says nothing), "outage"."""
        with self.lock:
            self.faults[name] = [value, times]

    def clear(self):
        with self.lock:
            self.faults.clear()

    def takes(self, name):
        with self.lock:
            found = self.faults.get(name)
            if not found:
                return None
            if found[1]:
                found[1] -= 1
                if not found[1]:
                    del self.faults[name]
            return found[0] or True

    def talk(self, handler):
        if self.takes("outage"):
            return
        channel, secure = handler.connection, self.implicit
        if self.implicit:
            channel = self.tls.wrap_socket(channel, server_side=True)
        lines = channel.makefile("rwb", 0)

        def say(text):
            lines.write(text.encode() + b"\r\n")

        say("220 mail.test ESMTP")
        sender, to, signed_in = "", [], not self.login
        while True:
            line = lines.readline(2000).decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                return
            word = line.upper()
            if word.startswith(("EHLO", "HELO")):
                offers = ["mail.test", "8BITMIME"]
                if self.tls and not secure:
                    offers.append("STARTTLS")
                if self.login and (secure or not self.tls):
                    offers.append("AUTH PLAIN LOGIN")
                for one in offers[:-1]:
                    say("250-" + one)
                say("250 " + offers[-1])
            elif word == "STARTTLS" and self.tls:
                say("220 go ahead")
                channel = self.tls.wrap_socket(channel, server_side=True)
                lines, secure = channel.makefile("rwb", 0), True
            elif word.startswith("AUTH PLAIN"):
                given = line[10:].strip()
                if not given:
                    say("334 ")
                    given = lines.readline(2000).decode().strip()
                _, user, password = base64.b64decode(given).decode().split("\0")
                signed_in = (user, password) == self.login
                self.logins += signed_in
                say("235 welcome" if signed_in else "535 5.7.8 authentication failed")
            elif word.startswith("MAIL FROM:"):
                sender, to = line[10:].split(">")[0].strip("< "), []
                say("250 ok" if signed_in else "530 5.7.0 authentication required")
            elif word.startswith("RCPT TO:"):
                refusal = self.takes("reply_to_rcpt")
                if not refusal:
                    to.append(line[8:].split(">")[0].strip("< "))
                say(refusal or "250 ok")
            elif word == "DATA":
                say("354 go on")
                text = []
                while True:
                    part = lines.readline(4000).decode("utf-8", "replace")
                    if not part or part == ".\r\n":
                        break
                    text.append(part[1:] if part.startswith("..") else part)
                if not part:
                    return
                refusal = self.takes("reply_to_data")
                if refusal:
                    say(refusal)
                    continue
                with self.lock:
                    self.mails.append(Mail(sender, to, "".join(text)))
                if self.takes("drop_after"):
                    return
                say("250 2.0.0 queued")
            elif word == "QUIT":
                say("221 bye")
                return
            else:
                say("502 not known here")


def tls_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
