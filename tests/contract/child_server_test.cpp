#include "actors/nats/child_server.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/nats/child_files.hpp"
#include "actors/nats/server.hpp"
#include "actors/nats/streams.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace keyportal::nats;

namespace {

natsStatus connects(const secret& url, connection& link) {
  server_settings settings;
  settings.url = url;
  auto opts = make_options(settings);
  REQUIRE(opts);
  return natsConnection_Connect(out(link), opts->get());
}

bool answers(const child_server& server) {
  connection link;
  return connects(server.url(), link) == NATS_OK;
}

int mode_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 0777) : -1;
}

} // namespace

TEST_CASE("The child answers, its files with secrets are private, and it ends with stop") {
  test::temporary_folder folder;
  auto server = child_server::start({.folder = folder.path() / "nats"});
  REQUIRE(server);
  REQUIRE(test::eventually([&] { return answers(**server); }));
  auto pid = (*server)->process();
  CHECK(pid > 0);
  CHECK(mode_of(folder.path() / "nats") == 0700);
  CHECK(mode_of(folder.path() / "nats/nats.conf") == 0600);
  CHECK(mode_of(folder.path() / "nats/nats.password") == 0600);
  CHECK(std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", pid)) == folder.path() / "nats");
  auto password = *read_small(folder.path() / "nats/nats.password");
  CHECK(read_small(folder.path() / "nats/nats.url")->find(password) == std::string::npos);
  CHECK((*server)->reader_url().find('@') == std::string::npos);
  (*server)->stop();
  CHECK_FALSE(mark_of(pid));
  CHECK((*server)->process() == 0);
}

TEST_CASE("A killed child is back on the same port, and a later start takes that port again") {
  test::temporary_folder folder;
  std::uint16_t port = 0;
  {
    auto server = child_server::start({.folder = folder.path()});
    REQUIRE(server);
    REQUIRE(test::eventually([&] { return answers(**server); }));
    port = (*server)->port();
    auto pid = (*server)->process();
    ::kill(pid, SIGKILL);
    REQUIRE(test::eventually([&] { return (*server)->process() > 0 && (*server)->process() != pid; }));
    REQUIRE(test::eventually([&] { return answers(**server); }));
  }
  auto again = child_server::start({.folder = folder.path()});
  REQUIRE(again);
  CHECK((*again)->port() == port);
  CHECK(test::eventually([&] { return answers(**again); }));
}

TEST_CASE("A missing program and a folder in use are errors with their own codes") {
  test::temporary_folder folder;
  auto missing = child_server::start({.folder = folder.path(), .binary = "no-such-nats-server"});
  REQUIRE_FALSE(missing);
  CHECK(code_of(missing.error()) == errc::nats_server_missing);
  auto first = child_server::start({.folder = folder.path()});
  REQUIRE(first);
  REQUIRE(test::eventually([&] { return answers(**first); }));
  auto second = child_server::start({.folder = folder.path()});
  REQUIRE_FALSE(second);
  CHECK(code_of(second.error()) == errc::storage_in_use);
  CHECK(answers(**first));
}

TEST_CASE("A password file that others may read is refused") {
  test::temporary_folder folder;
  std::ofstream(folder.path() / "nats.password") << std::string(64, 'a');
  ::chmod((folder.path() / "nats.password").c_str(), 0644);
  auto server = child_server::start({.folder = folder.path()});
  REQUIRE_FALSE(server);
  CHECK(render(server.error()).find("nats.password") != std::string::npos);
}

// Not a test of its own: the two below run it as a process that they can kill.
TEST_CASE("Keeps a child server until it is killed", "[.keeper]") {
  const char* folder = std::getenv("KEYPORTAL_TEST_FOLDER");
  REQUIRE(folder != nullptr);
  auto server = child_server::start({.folder = folder});
  REQUIRE(server);
  REQUIRE(test::eventually([&] { return answers(**server); }));
  std::ofstream(std::filesystem::path(folder) / "ready") << (*server)->process() << std::endl;
  ::pause();
}

namespace {

/// Another process of this program that keeps a child server.
struct keeper {
  explicit keeper(const std::filesystem::path& folder) {
    ::setenv("KEYPORTAL_TEST_FOLDER", folder.c_str(), 1);
    char name[] = "/proc/self/exe", chosen[] = "[.keeper]";
    char* arguments[] = {name, chosen, nullptr};
    REQUIRE(::posix_spawn(&pid, name, nullptr, nullptr, arguments, environ) == 0);
    REQUIRE(test::eventually([&] { return read_small(folder / "ready").value_or("").ends_with('\n'); }));
    child = std::stoi(*read_small(folder / "ready"));
  }
  ~keeper() { end(); }
  void end() {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    pid = 0;
  }
  pid_t pid = 0;
  int child = 0;
};

} // namespace

TEST_CASE("When we are killed the child ends too, and a start right after that works") {
  test::temporary_folder folder;
  keeper other(folder.path());
  other.end();
  auto server = child_server::start({.folder = folder.path()});
  REQUIRE(server);
  CHECK(test::eventually([&] { return answers(**server); }));
  CHECK_FALSE(mark_of(other.child));
}

TEST_CASE("A child that a killed parent left behind and that does not end by itself is ended") {
  test::temporary_folder folder;
  keeper other(folder.path());
  ::kill(other.child, SIGSTOP); // deaf to SIGTERM
  other.end();
  auto server = child_server::start({.folder = folder.path()});
  REQUIRE(server);
  CHECK(test::eventually([&] { return answers(**server); }));
  CHECK_FALSE(mark_of(other.child));
}

TEST_CASE("Who does not sign in may look but neither publish nor change a stream") {
  test::temporary_folder folder;
  auto server = child_server::start({.folder = folder.path()});
  REQUIRE(server);
  REQUIRE(test::eventually([&] { return answers(**server); }));
  connection owner, reader;
  REQUIRE(connects((*server)->url(), owner) == NATS_OK);
  REQUIRE(connects(secret((*server)->reader_url()), reader) == NATS_OK);
  context by_owner, by_reader;
  jsOptions quick;
  jsOptions_Init(&quick);
  quick.Wait = 500;
  REQUIRE(natsConnection_JetStream(out(by_owner), owner.get(), nullptr) == NATS_OK);
  REQUIRE(natsConnection_JetStream(out(by_reader), reader.get(), &quick) == NATS_OK);
  std::string note;
  for (const auto& stream : default_streams())
    REQUIRE_FALSE(ensure_stream(by_owner.get(), stream, note));
  stream_info info;
  CHECK(js_GetStreamInfo(out(info), by_reader.get(), "KEYPORTAL_USAGE", nullptr, nullptr) == NATS_OK);
  CHECK(js_DeleteStream(by_reader.get(), "KEYPORTAL_USAGE", nullptr, nullptr) != NATS_OK);
  CHECK(js_PurgeStream(by_reader.get(), "KEYPORTAL_USAGE", nullptr, nullptr) != NATS_OK);
  CHECK(js_Publish(nullptr, by_reader.get(), "keyportal.v1.usage.a.k", "{}", 2, nullptr, nullptr) != NATS_OK);
  CHECK(js_GetStreamInfo(out(info), by_owner.get(), "KEYPORTAL_USAGE", nullptr, nullptr) == NATS_OK);
  CHECK(info->State.Msgs == 0);
}

TEST_CASE("A URL is shown without what stands before the @") {
  CHECK(without_credentials("nats://u:p@host:4222") == "nats://host:4222");
  CHECK(without_credentials("tls://a, nats://u:p%40@b:1") == "tls://a,nats://b:1");
  CHECK(without_credentials("u:p@b:1") == "b:1");
  CHECK(without_credentials("").empty());
}
