#include <catch2/catch_test_macros.hpp>

#include "config/settings.hpp"

using namespace keyportal;

TEST_CASE("urls of nodes are taken with host, port and path") {
  for (std::string url :
       {"http://127.0.0.1:8317", "https://cpa.example.com", "http://[::1]:8317", "https://a.b/cpa/eu"})
    CHECK(check_node_url(url).empty());
  std::string slashed = "http://host:1/cpa/";
  CHECK(check_node_url(slashed).empty());
  CHECK(slashed == "http://host:1/cpa");
}

TEST_CASE("urls with credentials, queries, path tricks or bad ports are refused") {
  for (std::string url : {"",
                          "host:8317",
                          "ftp://host",
                          "http://",
                          "http:///path",
                          "http://user:pass@host",
                          "http://host:0",
                          "http://host:65536",
                          "http://host:",
                          "http://host/?a=b",
                          "http://host/#a",
                          "http://host/../x",
                          "http://host/a/..",
                          "http://host//x",
                          "http://host/./x",
                          "http://host/%2e%2e/x",
                          "http://ho st",
                          "http://host\\x",
                          "http://[::1",
                          "http://[1.2.3]:1",
                          "http://host\n",
                          "http://host/v0/management"}) {
    INFO(url);
    CHECK_FALSE(check_node_url(url).empty());
  }
}

TEST_CASE("listen addresses are split and checked") {
  std::string address;
  std::uint16_t port = 1;
  CHECK(split_listen("127.0.0.1:8390", address, port).empty());
  CHECK(address == "127.0.0.1");
  CHECK(port == 8390);
  CHECK(split_listen("[::1]:0", address, port).empty());
  CHECK(address == "::1");
  CHECK(port == 0);
  CHECK(split_listen("localhost:80", address, port).empty());
  CHECK(address == "127.0.0.1");
  for (const char* wrong :
       {"", "8390", ":8390", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "example.com:80", "1.2.3:80"}) {
    INFO(wrong);
    CHECK_FALSE(split_listen(wrong, address, port).empty());
  }
}

TEST_CASE("only addresses of this machine alone are loopback") {
  for (const char* yes : {"127.0.0.1", "127.9.9.9", "::1", "localhost"})
    CHECK(is_loopback(yes));
  for (const char* no : {"0.0.0.0", "::", "192.168.1.1", "128.0.0.1", "example.com", "127.0.0.1.example.com"})
    CHECK_FALSE(is_loopback(no));
}

TEST_CASE("names of nodes are 1 to 32 of lower case, digits and dash") {
  CHECK(is_node_name("default"));
  CHECK(is_node_name("eu-1"));
  CHECK(is_node_name(std::string(32, 'a')));
  for (const std::string& no : {std::string(), std::string("EU"), std::string("a.b"), std::string("a b"),
                                std::string("a*"), std::string("ä"), std::string(33, 'a')})
    CHECK_FALSE(is_node_name(no));
}
