"""Backups of a running service, and what is left when the machine is not: everything, with the backup folder and its key."""
import glob
import json
import os
import re
import shutil
import signal
import unittest

from queue_node import QueueTest
from service import ROOT, Place, call, wait_until


def runbook_commands(heading):
    """The lines of the runbook below a heading that a person would type."""
    with open(os.path.join(ROOT, "docs", "runbook.md"), encoding="utf-8") as file:
        text = file.read()
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    block = re.search(r"```\n(.*?)```", section, re.S).group(1)
    return [line for line in block.splitlines() if line.startswith("keyportal ")]


class BackupPlace(Place):
    """A place with a folder for backups and their key, which outlive the data folder."""

    def __init__(self):
        super().__init__()
        self.backups = os.path.join(self.folder, "mnt", "backups")
        self.key = os.path.join(self.folder, "mnt", "backup.key")
        os.makedirs(os.path.dirname(self.key))
        with open(self.key, "w", encoding="ascii") as file:
            file.write("5a" * 32 + "\n")
        os.chmod(self.key, 0o600)

    def settings(self, **more):
        plain = {"backup.folder": f'"{self.backups}"', "backup.key_file": f'"{self.key}"', "backup.interval": '"0s"'}
        plain.update({key.replace("__", "."): value for key, value in more.items()})
        return plain

    def objects(self):
        return sorted(glob.glob(os.path.join(self.backups, "objects", "*", "*")))


def backups(portal):
    _, out, _ = portal.command("backup", "list", "--json")
    return json.loads(out)["items"]


class Backup(unittest.TestCase):
    def test_after_the_loss_of_the_machine_the_runbook_brings_everything_back(self):
        with BackupPlace() as place:
            sim = place.stand_in(preload=300)
            portal = place.portal(sim, settings=place.settings())
            wait_until(lambda: portal.requests() == 300, "300 records")
            portal.command("users", "add", "ada@example.com", "--name", "Ada")
            sim.set_rate(200)  # while it is being written to
            _, out, _ = portal.command("backup", "create")
            self.assertIn("is made", out)
            first = backups(portal)[0]
            sim.record(150)
            portal.command("backup", "create")
            sim.record(50)
            sim.set_rate(0)
            wait_until(lambda: portal.ledger() == sim.export(), "all of it is here")
            made = backups(portal)
            self.assertEqual(len(made), 2)
            self.assertEqual(made[1]["id"], first["id"])
            portal.command("backup", "verify", "--restore")
            portal.kill()
            os.kill(portal.nats_pid(), signal.SIGKILL)
            shutil.rmtree(portal.data)

            # As it is written, but for the places.
            commands = runbook_commands("The machine is lost")
            self.assertTrue(any(" restore " in c for c in commands), commands)
            for line in commands:
                line = line.replace("/mnt/backups", place.backups).replace("/mnt/backup.key", place.key)
                line = line.replace("/var/lib/keyportal", portal.data)
                portal.command(*line.split()[1:])
            portal.start()
            wait_until(lambda: portal.ledger() == sim.export(), lambda: f"{portal.requests()} records came again")
            self.assertEqual(portal.requests(), sum(sim.export().values()))
            self.assertEqual(set(portal.ledger().values()), {1})
            self.assertEqual(portal.restarts(), [])
            _, out, _ = portal.command("users", "list")
            self.assertIn("ada@example.com", out)
            portal.command("audit", "verify")
            _, out, _ = portal.command("events", "tail", "--from", "all", "--subject", "keyportal.v1.store.backup.recovered",
                                       "--count", "1", "--json")
            self.assertEqual(json.loads(out)["data"]["backup"], made[0]["id"])
            portal.command("backup", "create")
            portal.command("backup", "verify", "--restore")

    def test_an_older_backup_makes_nothing_shorter(self):
        with BackupPlace() as place:
            sim = place.stand_in(preload=100)
            portal = place.portal(sim, settings=place.settings())
            wait_until(lambda: portal.requests() == 100, "100 records")
            portal.command("backup", "create")
            first = backups(portal)[0]["id"]
            sim.record(200)
            wait_until(lambda: portal.requests() == 300, "300 records")
            portal.command("backup", "create")
            portal.stop()
            code, _, err = portal.command("backup", "restore", first, check=False)
            self.assertEqual((code, "--replace" in err), (1, True), err)
            _, out, _ = portal.command("backup", "restore", first, "--replace", "--yes")
            self.assertIn("what was there is in", out)
            portal.start()
            wait_until(lambda: portal.ledger() == sim.export(), lambda: f"{portal.requests()} of 300")
            self.assertEqual(portal.requests(), 300)
            # The node restarts after that: it gets back all 300.
            sim.kill()
            sim.preload = 0
            sim.start()
            wait_until(lambda: portal.restarts() and portal.restarts()[0]["restore"]["state"] == "complete", "restored")
            self.assertEqual(sum(sim.export().values()), 300)
            # Backups go on from here, and rest on no table of the other time.
            portal.command("backup", "create")
            portal.command("backup", "verify", "--restore")

    def test_a_folder_in_use_and_a_wrong_key_are_refused(self):
        with BackupPlace() as place:
            sim = place.stand_in(preload=10)
            portal = place.portal(sim, settings=place.settings())
            portal.command("backup", "create")
            code, _, err = portal.command("backup", "restore", "--replace", "--yes", check=False)
            self.assertEqual((code, "another process" in err), (1, True), err)
            wrong = os.path.join(place.folder, "wrong.key")
            with open(wrong, "w", encoding="ascii") as file:
                file.write("00" * 32)
            os.chmod(wrong, 0o600)
            code, _, err = portal.command("backup", "list", "--folder", place.backups, "--key-file", wrong, check=False)
            self.assertEqual((code, "not the key" in err), (1, True), err)
            self.assertEqual(call(portal.url + "/api/v1/backups")[0], 401)
            self.assertEqual(call(portal.url + "/api/v1/backups", "POST")[0], 401)
            with open(os.path.join(portal.data, "seal.key"), "rb") as file:
                secret = file.read()
            for path in place.objects():
                with open(path, "rb") as file:
                    self.assertNotIn(secret[:16], file.read())

    def test_a_kill_at_any_file_leaves_the_earlier_backups_and_no_half_one(self):
        with BackupPlace() as place:
            sim = place.stand_in(preload=200)
            portal = place.portal(sim, settings=place.settings())
            wait_until(lambda: portal.requests() == 200, "200 records")
            portal.command("backup", "create")
            for passing in (1, 2, 4, 7):
                sim.record(50)
                portal.stop()
                portal.environment["KEYPORTAL_END_AT"] = f"copied:{passing}"
                portal.start()
                del portal.environment["KEYPORTAL_END_AT"]
                portal.command("backup", "create", "--full", check=False)
                self.assertEqual(portal.wait_end(30), -signal.SIGKILL, portal.log()[-2000:])
                portal.start()
                self.assertEqual(len(backups(portal)), 1)
                portal.command("backup", "verify", "--restore")
                self.assertFalse(os.path.exists(os.path.join(portal.data, "backup.staging")))
            portal.command("backup", "create")
            self.assertEqual(len(backups(portal)), 2)
            portal.command("backup", "verify", "--restore")
            wait_until(lambda: portal.ledger() == sim.export(), "the service did not notice")

    def test_a_changed_bit_is_found_and_told(self):
        with BackupPlace() as place:
            sim = place.stand_in(preload=50)
            portal = place.portal(sim, settings=place.settings())
            wait_until(lambda: portal.requests() == 50, "50 records")
            portal.command("backup", "create")
            largest = max(place.objects(), key=os.path.getsize)
            with open(largest, "r+b") as file:
                file.seek(os.path.getsize(largest) // 2)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))
            code, _, err = portal.command("backup", "verify", check=False)
            self.assertEqual((code, "was changed" in err), (1, True), err)
            self.assertTrue(portal.get("/api/v1/summary")["alarms"])
            code, _, _ = portal.command("backup", "restore", "--to", os.path.join(place.folder, "to"), check=False)
            self.assertEqual(code, 1)
            self.assertFalse(os.path.exists(os.path.join(place.folder, "to")))
            portal.command("backup", "create", "--full")
            newest = backups(portal)[0]["id"]
            portal.command("backup", "verify", newest, "--restore")

    def test_they_are_made_by_themselves_thinned_out_and_a_failure_is_an_alarm(self):
        with BackupPlace() as place:
            sim = place.stand_in(preload=20)
            portal = place.portal(sim, settings=place.settings(backup__interval='"1s"', backup__keep="2",
                                                               backup__keep_daily="0", backup__keep_weekly="0"))
            def state():
                status, _, text = call(portal.url + "/api/v1/backups",
                                       headers={"Authorization": "Bearer " + portal.token()})
                return json.loads(text)["state"] if status == 200 else {}
            wait_until(lambda: state().get("jobs", 0) >= 4, "four backups")
            self.assertEqual(state()["last"]["ok"], True)
            self.assertLessEqual(len(backups(portal)), 3)
            _, _, metrics = call(portal.url + "/metrics")
            self.assertIn(b"keyportal_backup_failing 0", metrics)
            self.assertNotIn(b"keyportal_backup_made_timestamp_seconds 0", metrics)
            # The disk of the backups is gone.
            os.rename(place.backups, place.backups + ".away")
            with open(place.backups, "w", encoding="ascii"):
                pass
            wait_until(lambda: portal.get("/api/v1/summary")["alarms"], "an alarm")
            _, out, _ = portal.command("status")
            self.assertIn("making a backup failed", out)
            _, _, metrics = call(portal.url + "/metrics")
            self.assertIn(b"keyportal_backup_failing 1", metrics)
            _, out, _ = portal.command("events", "tail", "--from", "all", "--subject", "keyportal.v1.store.backup.failed",
                                       "--count", "1", "--json")
            self.assertEqual(json.loads(out)["data"]["doing"], "making")
            os.remove(place.backups)
            os.rename(place.backups + ".away", place.backups)
            wait_until(lambda: not portal.get("/api/v1/summary")["alarms"], "all is well again")

    def test_a_stopped_service_is_backed_up_as_well(self):
        with BackupPlace() as place:
            sim = place.stand_in(preload=60)
            portal = place.portal(sim, settings=place.settings())
            wait_until(lambda: portal.requests() == 60, "60 records")
            portal.stop()
            portal.command("backup", "create")
            portal.command("backup", "create")
            self.assertEqual(len(backups(portal)), 2)
            portal.command("backup", "verify", "--restore")
            portal.command("backup", "prune", "--set", "backup.keep=1", "--set", "backup.keep_daily=0",
                           "--set", "backup.keep_weekly=0")
            self.assertEqual(len(backups(portal)), 1)
            portal.command("backup", "verify", "--restore")


class QueueBackup(QueueTest):
    def test_what_a_queue_gave_after_the_backup_is_told_as_missing(self):
        with BackupPlace() as place:
            sim, portal = self.start(place, "7.2.140")
            sim.record(30)
            wait_until(lambda: portal.requests() == 30, "30 records")
            key, folder = place.key, place.backups
            portal.stop()
            portal.command("backup", "create", "--folder", folder, "--key-file", key)
            portal.start()
            self.wait_collecting(portal, "7.2.140")
            sim.record(20)
            wait_until(lambda: portal.requests() == 50, "50 records")
            portal.stop()
            portal.command("backup", "restore", "--replace", "--yes", "--folder", folder, "--key-file", key)
            portal.start()
            # Nobody has those 20 any more but the node's counters: they say so.
            wait_until(lambda: self.missing(portal) == 20, lambda: f"20 missing, not {self.incompletes(portal)}", 30)
            self.assertEqual(portal.requests(), 30)


if __name__ == "__main__":
    unittest.main()
