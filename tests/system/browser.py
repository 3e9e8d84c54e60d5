"""A browser as far as signing in needs one: it keeps cookies and sends the CSRF token with whatever changes something."""
import json
import os
import re
import time

import leaks
from service import call, wait_until

PASSWORD = "correct horse battery staple"


class Browser:
    def __init__(self, portal):
        self.portal, self.cookies, self.csrf = portal, {}, ""
        self.last = {}  # headers of the last answer

    def ask(self, method, path, body=None, headers=None, hostile=False):
        """(status, what came as JSON, or its text)"""
        sent = {"User-Agent": "system test"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        if method not in ("GET", "HEAD"):
            sent["X-CSRF-Token"] = self.csrf
        sent.update(headers or {})
        status, self.last, text = call(self.portal.url + path, method, None if body is None else json.dumps(body),
                                       {k: v for k, v in sent.items() if v is not None}, hostile=hostile)
        # http.client joins headers of one name with commas; none of our values but Max-Age's neighbours has one.
        for name, value in re.findall(r"(?:^|, )([\w-]+)=([^;,]*);", self.last.get("set-cookie", "")):
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return status, json.loads(text) if "json" in self.last.get("content-type", "") and text else text

    def get(self, path):
        status, answer = self.ask("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def look(self):
        """Who one is; with the CSRF token for what follows."""
        told = self.get("/api/v1/session")
        self.csrf = told["csrf"]
        return told

    def entered(self, status, answer):
        if status == 201 and answer.get("csrf"):
            self.csrf = answer["csrf"]
        return status, answer

    def sign_in(self, email, password=PASSWORD):
        self.look()
        return self.entered(*self.ask("POST", "/api/v1/session", {"email": email, "password": password}))

    def register(self, **form):
        self.look()
        return self.entered(*self.ask("POST", "/api/v1/registration", form))

    def cookie(self):
        """What a WebSocket sends."""
        return [("Cookie", "; ".join(f"{name}={text}" for name, text in self.cookies.items()))]


def first_token(portal):
    """Whoever signs people in writes it a moment after the service is ready."""
    path = portal.data + "/first-admin.token"
    wait_until(lambda: os.path.exists(path) and os.path.getsize(path), "the first admin's token is there")
    with open(path, encoding="ascii") as file:
        return file.read().split()[0]


def first_admin(portal, email="root@example.com"):
    """A browser of the first admin, who is made by the token in the data folder."""
    token = first_token(portal)
    leaks.LEAKS.note(token, "the first admin's token")
    browser = Browser(portal)
    status, answer = browser.register(email=email, name="Root", password=PASSWORD, invitation=token)
    assert status == 201, (status, answer)
    status, answer = browser.sign_in(email)
    assert status == 201, (status, answer)
    return browser


def member(portal, admin, email, role="user"):
    """A browser of a person whom the admin adds, signed in by the code that the admin passed on."""
    status, done = admin.ask("POST", "/api/v1/users", {"email": email, "name": email.partition("@")[0], "role": role})
    assert status == 201, (status, done)
    who = done["users"][0]["id"]
    status, made = admin.ask("POST", f"/api/v1/users/{who}/password-code")
    assert status == 201, (status, made)
    browser = Browser(portal)
    browser.look()
    status, answer = browser.ask("POST", "/api/v1/password/set", {"email": email, "code": made["code"], "password": PASSWORD})
    assert status == 204, (status, answer)
    status, answer = browser.sign_in(email)
    assert status == 201, (status, answer)
    browser.id = who
    return browser
