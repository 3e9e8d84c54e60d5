#include <catch2/catch_test_macros.hpp>

#include "gateway/host_rules.hpp"

using keyportal::gateway::host_rules;
using keyportal::gateway::same_origin;

TEST_CASE("the names of this machine are taken with and without port, in any case") {
  const host_rules rules("127.0.0.1", {});
  for (const char* good : {"127.0.0.1", "127.0.0.1:8390", "localhost", "LocalHost:1", "[::1]", "[::1]:8390"}) {
    CAPTURE(good);
    CHECK(rules.takes(good));
  }
}

TEST_CASE("a name that nobody gave us is refused, however near it comes") {
  const host_rules rules("127.0.0.1", {"portal.example"});
  for (const char* bad :
       {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost", "localhost.",
        "evil.example:80", "localhost:", "localhost:80x", "localhost:999999", "::1", "[::1", "[::1]x",
        "localhost@evil.example", "evil.example#localhost", " localhost", "portal.example.evil"}) {
    CAPTURE(bad);
    CHECK_FALSE(rules.takes(bad));
  }
}

TEST_CASE("configured names and the address listened on are taken") {
  CHECK(host_rules("0.0.0.0", {"Portal.example:8443"}).takes("portal.example"));
  CHECK(host_rules("192.0.2.7", {}).takes("192.0.2.7:8390"));
  CHECK(host_rules("2001:db8::7", {}).takes("[2001:db8::7]:8390"));
  CHECK(host_rules("127.0.0.1", {"2001:db8::8"}).takes("[2001:db8::8]"));
}

TEST_CASE("a wildcard address is no name") {
  CHECK_FALSE(host_rules("0.0.0.0", {}).takes("0.0.0.0"));
  CHECK_FALSE(host_rules("::", {}).takes("[::]"));
}

TEST_CASE("an origin is ours only if name and port are those of the Host header") {
  CHECK(same_origin("http://localhost:8390", "localhost:8390"));
  CHECK(same_origin("http://LOCALHOST", "localhost:80"));
  CHECK(same_origin("https://portal.example", "portal.example:443"));
  CHECK(same_origin("https://portal.example", "portal.example:443"));
  CHECK(same_origin("http://[::1]:8390", "[::1]:8390"));
  for (const char* bad : {"null", "", "http://", "localhost:8390", "http://localhost", "http://localhost:8391",
                          "http://evil.example:8390", "http://localhost:8390.evil.example", "ftp://localhost:8390",
                          "http://localhost:8390/", "http://evil@localhost:8390"}) {
    CAPTURE(bad);
    CHECK_FALSE(same_origin(bad, "localhost:8390"));
  }
}
