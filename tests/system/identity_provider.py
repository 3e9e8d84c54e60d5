"""Places to sign in at, for tests: an OpenID Connect issuer and Feishu's (and Lark's) OAuth in one server on loopback. Whoever
is asked for is let in at once; every request is kept; faults are switched on by name. RS256 is done by Debian's
python3-cryptography.

    with IdentityProvider() as place:
        place.person["sub"] = "user-7"
        place.fault("wrong_nonce")
        place.requests("/oidc/token")
"""
import base64
import hashlib
import hmac
import http.server
import json
import secrets
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import leaks

CLIENT, SECRET, TENANT = "keyportal-test", "the-client-secret-of-tests", "tenant-1"

TOKEN_FAULTS = ("wrong_iss", "wrong_aud", "wrong_nonce", "alg_none", "hs256_public_key", "expired", "future_iat",
                "unknown_kid", "forged_signature", "no_id_token")
CALLBACK_FAULTS = ("swapped_state", "wrong_iss_parameter", "reused_code", "no_code", "access_denied")
ANSWER_FAULTS = ("slow", "drop", "truncated_json", "html_502", "wrong_content_type", "huge_answer", "redirect")
FAULTS = TOKEN_FAULTS + CALLBACK_FAULTS + ANSWER_FAULTS + ("wrong_issuer_in_discovery", "error_with_status_200", "feishu_error",
                                                             "feishu_rate_limit")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Request:
    def __init__(self, method, path, query, headers, body):
        self.method, self.path, self.query, self.headers, self.body = method, path, query, headers, body

    def fields(self):
        """The body's, whether form or JSON."""
        if self.headers.get("Content-Type", "").startswith("application/json"):
            return json.loads(self.body)
        return dict(urllib.parse.parse_qsl(self.body.decode()))


class IdentityProvider:
    def __init__(self):
        self.lock = threading.Lock()
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.stranger = None  # a key that is not published
        self.kid = "key-1"
        self.person = {"sub": "user-1", "name": "Ada Lovelace", "email": "ada@example.com", "email_verified": True}
        self.employee = {"name": "Ada", "en_name": "Ada", "open_id": "ou_1", "union_id": "on_1", "tenant_key": TENANT,
                         "enterprise_email": "ada@example.com", "avatar_url": "https://example.com/a.png"}
        self.basic_only = True  # as discovery says; else client_secret_post only
        self.redirects = None  # registered redirect addresses; None: any on loopback
        self.code_seconds = 300
        self.slow_seconds = 30
        self.seen, self.faults = [], {}
        self.codes, self.used, self.tokens = {}, {}, {}
        self.ended = threading.Event()
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                place.serve(self, b"")

            def do_POST(self):
                place.serve(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    # --- what tests do ---
    def fault(self, name, value=None, path=None, times=0):
        """From now on, `times` times (0: until cleared). Faults of answers are for the paths that begin with `path` only."""
        if name not in FAULTS:
            raise ValueError(name)
        with self.lock:
            self.faults[name] = [value, path, times]

    def clear(self):
        with self.lock:
            self.faults.clear()

    def requests(self, path=""):
        with self.lock:
            return [r for r in self.seen if r.path.startswith(path)]

    def settings(self, name, kind="oidc", **more):
        """A [[sign_in.provider]] of this place, as TOML."""
        values = {"name": name, "kind": kind, "client_id": CLIENT, "client_secret": SECRET}
        if kind == "oidc":
            values["issuer"] = self.url
        else:
            version = "v2" if kind == "lark" else "v3"
            values |= {"tenants": [TENANT], "authorize_url": self.url + "/open-apis/authen/v1/authorize",
                       "token_url": self.url + ("/open-apis/authen/v2/oauth/token" if version == "v2" else "/oauth/v3/token"),
                       "user_info_url": self.url + "/open-apis/authen/v1/user_info"}
        return "[[sign_in.provider]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in (values | more).items())

    # --- the server ---
    def has(self, name, path=""):
        with self.lock:
            found = self.faults.get(name)
            if not found or (found[1] and not path.startswith(found[1])):
                return False
            if found[2] > 0:
                found[2] -= 1
                if found[2] == 0:
                    del self.faults[name]
            return found[0] if found[0] is not None else True

    def serve(self, handler, body):
        split = urllib.parse.urlsplit(handler.path)
        request = Request(handler.command, split.path, dict(urllib.parse.parse_qsl(split.query)), dict(handler.headers), body)
        with self.lock:
            self.seen.append(request)
        answers = {
            ("GET", "/.well-known/openid-configuration"): self.discovery,
            ("GET", "/oidc/jwks"): self.jwks,
            ("GET", "/oidc/authorize"): self.authorize,
            ("POST", "/oidc/token"): self.oidc_token,
            ("GET", "/oidc/user"): self.oidc_user,
            ("GET", "/open-apis/authen/v1/authorize"): self.authorize,
            ("POST", "/oauth/v3/token"): self.feishu_token,
            ("POST", "/open-apis/authen/v2/oauth/token"): self.feishu_token,
            ("GET", "/open-apis/authen/v1/user_info"): self.feishu_user,
        }
        answer = answers.get((request.method, request.path))
        try:
            if answer is None:
                return self.send(handler, request, 404, b"404 page not found", "text/plain")
            status, value, *headers = answer(request)
            if status == 302:
                return self.send(handler, request, 302, b"", "text/html", {"Location": value})
            self.send(handler, request, status, json.dumps(value).encode(), "application/json; charset=utf-8")
        except OSError:
            handler.close_connection = True  # the other side has gone

    def send(self, handler, request, status, body, kind, headers=()):
        if status != 302:
            path = request.path
            if self.has("slow", path):
                self.ended.wait(self.slow_seconds)
            if self.has("drop", path):
                handler.close_connection = True
                return
            if self.has("truncated_json", path):
                body = body[:len(body) // 2]
            if self.has("html_502", path):
                status, body, kind = 502, b"<html><h1>502 Bad Gateway</h1></html>", "text/html"
            if self.has("wrong_content_type", path):
                kind = "text/html"
            if self.has("huge_answer", path):
                body = b'{"x":"' + b"x" * (8 << 20) + b'"}'
            if self.has("redirect", path):
                status, headers = 307, {"Location": self.url + "/elsewhere"}
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Cache-Control", "no-store")
        for name, value in dict(headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    # --- OpenID Connect ---
    def discovery(self, _):
        return 200, {"issuer": "https://evil.example" if self.has("wrong_issuer_in_discovery") else self.url,
                     "authorization_endpoint": self.url + "/oidc/authorize", "token_endpoint": self.url + "/oidc/token",
                     "jwks_uri": self.url + "/oidc/jwks", "userinfo_endpoint": self.url + "/oidc/user",
                     "response_types_supported": ["code"], "subject_types_supported": ["public"],
                     "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"],
                     "authorization_response_iss_parameter_supported": True,
                     "token_endpoint_auth_methods_supported": ["client_secret_basic" if self.basic_only else "client_secret_post"]}

    def jwks(self, _):
        public = self.key.public_key().public_numbers()
        return 200, {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": number(public.n),
                               "e": number(public.e)}]}

    def new_key(self, kid):
        """The issuer changes its key: the old one is not published any more."""
        self.key, self.kid = rsa.generate_private_key(public_exponent=65537, key_size=2048), kid

    def authorize(self, request):
        """Lets in whoever asks, as `person` and `employee`."""
        asked = request.query
        redirect = asked.get("redirect_uri", "")
        registered = redirect in self.redirects if self.redirects is not None else \
            urllib.parse.urlsplit(redirect).hostname in ("127.0.0.1", "localhost")
        if asked.get("client_id") != CLIENT or not registered or asked.get("response_type") != "code":
            return 400, {"error": "invalid_request", "error_description": "client, redirect address or response type"}
        oidc = request.path.startswith("/oidc/")
        back = {"state": asked.get("state", "")}
        if self.has("swapped_state"):
            back["state"] = b64(secrets.token_bytes(32))
        if oidc:
            back["iss"] = "https://evil.example" if self.has("wrong_iss_parameter") else self.url
        if self.has("access_denied"):
            back["error"] = "access_denied"
        elif asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43 \
                or (oidc and "openid" not in asked.get("scope", "").split()):
            back["error"] = "invalid_request"
        elif not self.has("no_code"):
            code = b64(secrets.token_bytes(24))
            leaks.LEAKS.note(code, "a code of a sign-in elsewhere")
            with self.lock:
                self.codes[code] = {"query": asked, "at": time.monotonic(), "person": dict(self.person),
                                    "employee": dict(self.employee)}
            if self.has("reused_code"):
                with self.lock:
                    self.used[code] = self.codes.pop(code)
            back["code"] = code
        return 302, redirect + ("&" if "?" in redirect else "?") + urllib.parse.urlencode(back)

    def take_code(self, fields):
        """(what the code stands for, None) or (None, why not); a code is taken once."""
        code = fields.get("code", "")
        with self.lock:
            one = self.codes.pop(code, None)
            if one is None:
                return None, "used" if code in self.used else "unknown"
            self.used[code] = one
        if time.monotonic() - one["at"] > self.code_seconds:
            return None, "expired"
        if fields.get("redirect_uri") != one["query"].get("redirect_uri"):
            return None, "redirect"
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        return (one, None) if b64(digest) == one["query"]["code_challenge"] else (None, "pkce")

    def oidc_token(self, request):
        fields = request.fields()
        leaks.LEAKS.note(fields.get("code_verifier"), "the verifier of a sign-in elsewhere")
        basic = request.headers.get("Authorization", "")
        if self.basic_only:
            given = base64.b64decode(basic[6:]).decode() if basic.startswith("Basic ") else ""
            client, _, secret = (urllib.parse.unquote_plus(part) for part in given.partition(":"))
        else:
            client, secret = (fields.get("client_id"), fields.get("client_secret")) if not basic else (None, None)
        if client != CLIENT or secret != SECRET:
            return 401, {"error": "invalid_client"}
        if fields.get("grant_type") != "authorization_code":
            return 400, {"error": "unsupported_grant_type"}
        one, wrong = self.take_code(fields)
        if wrong:
            return 200 if self.has("error_with_status_200") else 400, {"error": "invalid_grant", "error_description": wrong}
        token = "at-" + b64(secrets.token_bytes(24))
        leaks.LEAKS.note(token, "an access token of a sign-in elsewhere")
        self.tokens[token] = one
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 300,
                  "id_token": self.id_token(one["person"], one["query"].get("nonce"))}
        if self.has("no_id_token"):
            del answer["id_token"]
        return 200, answer

    def id_token(self, person, nonce):
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "kid": self.kid}
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **person}
        if self.has("wrong_iss"):
            claims["iss"] = "https://evil.example"
        if self.has("wrong_aud"):
            claims["aud"] = "another-client"
        if self.has("wrong_nonce"):
            claims["nonce"] = b64(secrets.token_bytes(32))
        if self.has("expired"):
            claims |= {"iat": now - 7200, "exp": now - 3600}
        if self.has("future_iat"):
            claims |= {"iat": now + 3600, "exp": now + 7200}
        if self.has("unknown_kid"):
            head["kid"] = "key-unknown"
        key, sign = self.key, None
        if self.has("forged_signature"):
            if self.stranger is None:
                self.stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            key = self.stranger
        if self.has("alg_none"):
            head, sign = {"alg": "none"}, lambda text: b""
        if self.has("hs256_public_key"):
            pem = self.key.public_key().public_bytes(serialization.Encoding.PEM,
                                                     serialization.PublicFormat.SubjectPublicKeyInfo)
            head["alg"], sign = "HS256", lambda text: hmac.new(pem, text, hashlib.sha256).digest()
        text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
        signature = sign(text.encode()) if sign else key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        leaks.LEAKS.note(f"{text}.{b64(signature)}", "a proof of identity")
        return f"{text}.{b64(signature)}"

    def bearer(self, request):
        return self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))

    def oidc_user(self, request):
        one = self.bearer(request)
        return (200, one["person"]) if one else (401, {"error": "invalid_token"})

    # --- Feishu and Lark ---
    def feishu_token(self, request):
        style = 200 if self.has("error_with_status_200") else 400
        v2 = request.path.endswith("/v2/oauth/token")
        kind = request.headers.get("Content-Type", "")

        def wrong(code, error):
            return style, {"code": code, "error": error, "error_description": f"code {code}"}
        if self.has("feishu_rate_limit", request.path):
            return 429, {"code": 99991400, "msg": "request trigger frequency limit"}
        if code := self.has("feishu_error", request.path):
            return wrong(code, "server_error")
        if v2 and not kind.startswith("application/json"):
            return wrong(20063, "invalid_request")
        fields = request.fields()
        for name in ("grant_type", "client_id", "client_secret", "code"):
            if not fields.get(name):
                return wrong(20063, "invalid_request")
        if fields["client_id"] != CLIENT or fields["client_secret"] != SECRET:
            return wrong(20002, "invalid_client")
        one, why = self.take_code(fields)
        if why:
            return wrong({"used": 20065, "unknown": 20003, "expired": 20004, "redirect": 20071, "pkce": 20049}[why],
                         "invalid_grant")
        token = "u-" + b64(secrets.token_bytes(24))
        leaks.LEAKS.note(token, "an access token of a sign-in elsewhere")
        self.tokens[token] = one
        return 200, {"code": 0, "access_token": token, "expires_in": 7200, "token_type": "Bearer",
                     "scope": one["query"].get("scope", "")}

    def feishu_user(self, request):
        one = self.bearer(request)
        style = 200 if self.has("error_with_status_200") else 400
        if self.has("feishu_rate_limit", request.path):
            return 429, {"code": 99991400, "msg": "request trigger frequency limit"}
        if code := self.has("feishu_error", request.path):
            return style, {"code": code, "msg": f"code {code}"}
        if one is None:
            return 400, {"code": 99991668, "msg": "Invalid access token"}
        return 200, {"code": 0, "msg": "success", "data": one["employee"]}
