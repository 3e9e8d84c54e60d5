"""TLS of the gateway's own: sign-in over it, a certificate that changes while connections stay, and what is refused."""
import json
import os
import re
import socket
import ssl
import subprocess
import unittest
import urllib.parse

from browser import Browser, first_admin
from service import ANY_CERTIFICATE, Place, call, wait_until


def make(folder, name, days=90, key=None):
    """A certificate for localhost and its key, as PEM files."""
    certificate, own = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    str(days), "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", own, "-out", certificate], check=True, capture_output=True)
    os.chmod(own, 0o600)
    return certificate, key or own


def settings(certificate, key):
    return {"gateway.tls.certificate": f'"{certificate}"', "gateway.tls.key": f'"{key}"'}


def presented(portal):
    parts = urllib.parse.urlsplit(portal.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as plain:
        with ANY_CERTIFICATE.wrap_socket(plain) as own:
            return own.getpeercert(True)


def written(path):
    with open(path, encoding="ascii") as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


def metric(portal, name):
    found = re.search(r"^" + re.escape(name) + r" (\S+)$", call(portal.url + "/metrics")[2].decode(), re.M)
    return float(found.group(1)) if found else None


class Kept:
    """One connection that stays, over TLS."""

    def __init__(self, portal, context=ANY_CERTIFICATE):
        parts = urllib.parse.urlsplit(portal.url)
        self.host = parts.netloc
        self.socket = context.wrap_socket(socket.create_connection((parts.hostname, parts.port), timeout=10),
                                          server_hostname="localhost")
        self.file = self.socket.makefile("rb")

    def ask(self, path, *headers):
        self.socket.sendall("\r\n".join([f"GET {path} HTTP/1.1", f"Host: {self.host}", *headers, "", ""]).encode())
        status = int(self.file.readline().split()[1])
        told = {}
        while (line := self.file.readline().strip()):
            name, _, value = line.decode().partition(":")
            told[name.lower()] = value.strip()
        body = self.file.read(int(told.get("content-length", 0))) if status != 101 else b""
        return status, told, body

    def close(self):
        self.file.close()
        self.socket.close()


class Tls(unittest.TestCase):
    def test_people_sign_in_over_tls_with_cookies_that_stay_on_it(self):
        with Place() as place:
            certificate, key = make(place.folder, "one")
            sim = place.stand_in()
            portal = place.portal(sim, settings=settings(certificate, key))
            self.assertTrue(portal.url.startswith("https://"))
            admin = first_admin(portal)
            self.assertIn("__Host-keyportal", admin.cookies)
            self.assertEqual(admin.look()["user"]["role"], "admin")
            self.assertIn("max-age=", admin.last["strict-transport-security"])
            browser = Browser(portal)
            browser.look()
            for flag in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
                self.assertIn(flag, browser.last["set-cookie"])
            # Whoever checks certificates finds it to be that of localhost, and speaks nothing old.
            strict = ssl.create_default_context(cafile=certificate)
            strict.set_alpn_protocols(["h2", "http/1.1"])
            kept = Kept(portal, strict)
            self.assertEqual(kept.socket.selected_alpn_protocol(), "http/1.1")
            self.assertIn(kept.socket.version(), ("TLSv1.2", "TLSv1.3"))
            self.assertEqual(kept.ask("/healthz")[0], 200)
            self.assertFalse(kept.socket.session and kept.socket.session.has_ticket)
            kept.close()
            # What is larger than a record comes whole: in one answer, in pieces, and as a body of ours.
            document = call(portal.url + "/openapi.json")[2]
            self.assertEqual(json.loads(document)["openapi"][:3], "3.1")
            self.assertGreater(len(document), 100_000)
            sim.record(500)
            wait_until(lambda: portal.requests() == 500, "all is taken over")
            status, rows = admin.ask("GET", "/api/v1/exports/records?format=csv")
            self.assertEqual((status, len(rows.splitlines())), (200, 501))
            status, told = admin.ask("POST", "/api/v1/prices/preview", {"format": "litellm", "list": " " * 200_000})
            self.assertEqual((status, told["code"]), (400, "file_malformed"))
            # Our own command line knows the key, whatever its certificate says; also that one came from here.
            self.assertIn("default", portal.command("status")[1])
            self.assertEqual(portal.command("users", "list")[0], 0)
            portal.stop()
            self.assertFalse(os.path.exists(portal.data + "/gateway.pin"))

    def test_who_speaks_no_tls_is_told(self):
        with Place() as place:
            certificate, key = make(place.folder, "one")
            portal = place.portal(place.stand_in(), settings=settings(certificate, key))
            host = portal.url.partition("//")[2]
            status, _, text = call(f"http://{host}/healthz", hostile=True)
            self.assertEqual(status, 400)
            self.assertIn(b"https://", text)
            portal.stop()

    def test_a_new_certificate_is_taken_and_connections_stay(self):
        with Place() as place:
            certificate, key = make(place.folder, "one")
            portal = place.portal(place.stand_in(), settings=settings(certificate, key))
            first = written(certificate)
            self.assertEqual(presented(portal), first)
            kept, socket_ = Kept(portal), Kept(portal)
            self.assertEqual(kept.ask("/healthz")[0], 200)
            self.assertEqual(socket_.ask("/ws", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Origin: {portal.url}")[0], 101)
            self.assertEqual(socket_.file.read(1), b"\x81")  # the overview
            for fresh, old in zip(make(place.folder, "two", days=10), (certificate, key)):
                os.replace(fresh, old)
            second = written(certificate)
            wait_until(lambda: presented(portal) == second, "the new one is shown")
            self.assertNotEqual(first, second)
            self.assertEqual(kept.ask("/healthz")[0], 200)
            self.assertEqual(kept.socket.getpeercert(True), first)
            self.assertEqual(metric(portal, 'keyportal_certificate_reloads_total{result="ok"}'), 1)
            self.assertIn(metric(portal, "keyportal_certificate_days_left"), (9, 10))
            self.assertIn("certificate-ends", portal.log())
            self.assertIn("default", portal.command("status")[1])  # the command line knows of it

            # One that is broken changes nothing, and is told.
            with open(certificate, "w", encoding="ascii") as file:
                file.write("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n")
            wait_until(lambda: metric(portal, 'keyportal_certificate_reloads_total{result="failed"}') == 1, "it is refused")
            self.assertEqual(presented(portal), second)
            self.assertIn("certificate-refused", portal.log())
            self.assertEqual(kept.ask("/healthz")[0], 200)
            kept.close()
            socket_.close()
            portal.stop()

    def test_a_certificate_that_cannot_be_used_is_refused_at_the_start(self):
        with Place() as place:
            certificate, key = make(place.folder, "one")
            _, other = make(place.folder, "two")
            garbage = os.path.join(place.folder, "garbage.pem")
            with open(garbage, "w", encoding="ascii") as file:
                file.write("nothing\n")
            os.chmod(garbage, 0o600)
            for number, (this, its, says) in enumerate(((certificate, other, "not the key of the certificate"),
                                                        (garbage, key, "no certificate"), (certificate, garbage, "no private key"))):
                portal = place.portal(nodes=[], name=f"p{number}", settings=settings(this, its), start=False)
                portal.start(wait=False)
                self.assertEqual(portal.wait_end(20), 1)
                self.assertIn(says, portal.log())
            os.chmod(key, 0o644)
            portal = place.portal(nodes=[], name="open", settings=settings(certificate, key), start=False)
            portal.start(wait=False)
            self.assertEqual(portal.wait_end(20), 1)
            self.assertIn("chmod 600", portal.log())
            portal = place.portal(nodes=[], name="half", settings={"gateway.tls.certificate": f'"{certificate}"'}, start=False)
            code, _, said = portal.command("config", "check", check=False)
            self.assertNotEqual(code, 0)
            self.assertIn("go together", said)


if __name__ == "__main__":
    unittest.main()
