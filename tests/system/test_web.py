"""The pages in Debian's Chromium, against the shipped program: every one as everybody, below a path, in a frame."""
import json
import os
import shutil
import subprocess
import unittest
import urllib.request

from browser import PASSWORD, first_admin, member
from filled import fill
from service import ROOT, Place

WEB = os.path.join(ROOT, "gateway", "web")


@unittest.skipIf(os.environ.get("KEYPORTAL_PATIENCE"), "sanitizers look at the program, not at the pages")
class Web(unittest.TestCase):
    def people(self, portal):
        admin = first_admin(portal)
        self.assertEqual(admin.ask("POST", "/api/v1/pool", {"count": 3})[0], 201)
        user = member(portal, admin, "ann@example.com")
        member(portal, admin, "eve@example.com", "auditor")
        self.assertEqual(user.ask("POST", "/api/v1/me/keys", {"label": "laptop"})[0], 201)
        return {"admin": {"email": "root@example.com", "password": PASSWORD},
                "auditor": {"email": "eve@example.com", "password": PASSWORD},
                "user": {"email": "ann@example.com", "password": PASSWORD}}

    def pages(self, url, people, program="pages", **more):
        self.assertTrue(shutil.which("node"), "node is needed")
        done = subprocess.run(["node", f"e2e/{program}.mjs"], cwd=WEB, capture_output=True, text=True, check=False, timeout=1500,
                              env={**os.environ, "KEYPORTAL_URL": url, "KEYPORTAL_PEOPLE": json.dumps(people), **more})
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(lines and program in lines[-1], done.stderr[-3000:] + done.stdout[-2000:])
        self.assertEqual(lines[-1]["faults"], 0, "\n".join(f"{one['where']}: {one['what']}" for one in lines[:-1]))
        return lines[-1][program]

    def test_every_page_is_whole_for_everybody_and_asks_nobody_else(self):
        with Place() as place:
            sim = place.stand_in()
            portal = place.portal(sim)
            people = self.people(portal)
            every = {"KEYPORTAL_ALL": "1"} if os.environ.get("KEYPORTAL_KILLS") else {}
            self.assertGreater(self.pages(portal.url, people, **every), 60)
            portal.stop()

    def test_pages_stand_below_a_path_and_in_frames_that_are_allowed(self):
        settings = {"gateway.base_path": '"/team"', "gateway.frame_ancestors": '["https://intranet.example.com"]'}
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=settings)
            people = self.people(portal)
            # Not by call(): the contract knows no path before its own.
            with urllib.request.urlopen(portal.url + "/team/admin/keys", timeout=20) as answer:
                self.assertIn("frame-ancestors 'self' https://intranet.example.com", answer.headers["Content-Security-Policy"])
                self.assertIn('="/team/assets/', answer.read().decode())
            self.pages(portal.url + "/team", people, KEYPORTAL_ONLY="/,/overview,/admin/keys")
            portal.stop()

    @unittest.skipUnless(os.environ.get("KEYPORTAL_SHOTS"), "KEYPORTAL_SHOTS names no folder for pictures")
    def test_pictures_of_each_page(self):
        with Place() as place:
            portal = place.portal(place.stand_in("tokyo", rate=2),
                                  place.stand_in("frankfurt", rate=1, more=["--version", "7.2.140", "--statistics", "1"]),
                                  settings={"display.time_zone": '"Asia/Shanghai"'})
            self.assertGreater(self.pages(portal.url, fill(portal, ["tokyo", "frankfurt"]), "pictures"), 20)
            portal.stop()


if __name__ == "__main__":
    unittest.main()
