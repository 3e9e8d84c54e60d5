"""Several processes are one Key Portal."""
import unittest

from cluster_place import ClusterPlace, ask, equal
from service import wait_until


class Cluster(unittest.TestCase):
    def test_records_and_people_are_everybodys(self):
        with ClusterPlace() as place:
            alpha, beta = place.stand_in("alpha", seed=1, preload=300), place.stand_in("beta", seed=2)
            first, second = place.member("one", alpha, beta), place.member("two", alpha, beta)
            equal([first, second], "alpha", 300)
            beta.record(70)
            equal([first, second], "beta", 70)
            for node, sim in (("alpha", alpha), ("beta", beta)):
                self.assertEqual(first.ledger(node), sim.export())
                self.assertEqual(second.ledger(node), sim.export())

            status, person = ask(first, "/api/v1/users", "POST", {"email": "ada@example.org", "name": "Ada"})
            self.assertEqual(status, 201, person)
            wait_until(lambda: ask(second, f"/api/v1/users/{person['id']}")[0] == 200, "the other one knows Ada")
            status, key = ask(second, "/api/v1/keys", "POST", {"owner": person["id"], "label": "laptop"})
            self.assertEqual(status, 201, key)
            wait_until(lambda: ask(first, f"/api/v1/keys/{key['id']}")[1].get("state") == "active",
                       lambda: f"the key works: {ask(first, '/api/v1/keys/' + key['id'])}")
            third = place.member("three", alpha, beta)
            equal([third], "alpha", 300)
            self.assertEqual(third.ledger("beta"), beta.export())
            wait_until(lambda: ask(third, f"/api/v1/users/{person['id']}")[0] == 200, "the third one knows Ada")


if __name__ == "__main__":
    unittest.main()
