"""Mail over TLS: at once, by STARTTLS, signed in, and what is refused before a letter leaves in clear."""
import json
import unittest

from notice_places import MailPlace, tls_context
from service import Place, call, wait_until
from test_notices import channels
from test_tls import make

SECRET = "mail-secret-of-tests"


class NoticeMail(unittest.TestCase):
    def begin(self, place, mail, authorities, **more):
        channel = {"name": "mail", "kind": "mail", "server": f"localhost:{mail.port}", "from": "keyportal@example.com", **more}
        return place.portal(place.stand_in(), more=channels(channel), settings={
            "notices.authorities": json.dumps(authorities), "notices.language": '"en"',
            "notices.base_url": '"https://keys.example.com"'})

    def ask(self, portal, path, method="GET", body=None):
        status, _, text = call(portal.url + path, method, None if body is None else json.dumps(body),
                               {"Authorization": "Bearer " + portal.token(), "Content-Type": "application/json"})
        self.assertLess(status, 300, text)
        return json.loads(text)

    def send_test(self, portal):
        return self.ask(portal, "/api/v1/notice-channels/mail/test", "POST", {"address": "ada@example.com"})["id"]

    def notice(self, portal, name):
        return self.ask(portal, "/api/v1/notices/" + name)

    def delivered(self, portal, mail):
        name = self.send_test(portal)
        wait_until(lambda: self.notice(portal, name)["state"] == "delivered", "the mail is delivered")
        self.assertEqual([m.to for m in mail.mails], [["ada@example.com"]])

    def refused(self, portal, mail):
        name = self.send_test(portal)
        wait_until(lambda: self.notice(portal, name)["state"] == "waiting", "it was tried, and waits for better days")
        notice = self.notice(portal, name)
        self.assertEqual(mail.mails, [])
        self.assertNotIn(SECRET, json.dumps(notice))
        return notice["attempts"][-1]

    def test_mail_leaves_by_starttls_signed_in(self):
        with Place() as place:
            certificate, key = make(place.folder, "mail")
            with MailPlace(tls_context(certificate, key), ("portal", SECRET)) as mail:
                portal = self.begin(place, mail, certificate, security="starttls", user="portal", secret=SECRET)
                self.delivered(portal, mail)
                self.assertEqual(mail.logins, 1)
                portal.stop()

    def test_mail_leaves_over_tls_from_the_start(self):
        with Place() as place:
            certificate, key = make(place.folder, "mail")
            with MailPlace(tls_context(certificate, key), implicit=True) as mail:
                portal = self.begin(place, mail, certificate, security="tls")
                self.delivered(portal, mail)
                portal.stop()

    def test_a_server_that_offers_no_starttls_gets_nothing(self):
        with Place() as place, MailPlace() as mail:
            certificate, _ = make(place.folder, "mail")
            portal = self.begin(place, mail, certificate, security="starttls", user="portal", secret=SECRET)
            self.refused(portal, mail)
            portal.stop()

    def test_a_certificate_that_nobody_vouches_for_gets_nothing(self):
        with Place() as place:
            certificate, key = make(place.folder, "mail")
            other, _ = make(place.folder, "other")
            with MailPlace(tls_context(certificate, key), ("portal", SECRET)) as mail:
                portal = self.begin(place, mail, other, security="starttls", user="portal", secret=SECRET)
                self.refused(portal, mail)
                self.assertEqual(mail.logins, 0)
                portal.stop()

    def test_a_wrong_secret_is_said_and_not_shown(self):
        with Place() as place:
            certificate, key = make(place.folder, "mail")
            with MailPlace(tls_context(certificate, key), ("portal", "another")) as mail:
                portal = self.begin(place, mail, certificate, security="starttls", user="portal", secret=SECRET)
                tried = self.refused(portal, mail)
                self.assertTrue(tried["answer"], tried)
                self.assertNotIn(SECRET, json.dumps(tried))
                portal.stop()


if __name__ == "__main__":
    unittest.main()
