#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <random>
#include <set>

#include <sys/stat.h>

#include "sample.hpp"
#include "storage/packing.hpp"
#include "storage/seal.hpp"

namespace keyportal::storage::test {
namespace {

errc code_of_load(const std::filesystem::path& file, bool may_create) {
  const auto loaded = sealer::load(file, may_create);
  return loaded ? errc::none : code_of(loaded.error());
}

} // namespace

TEST_CASE("A key file is made once, for its owner only, and opens what was sealed before") {
  const scratch_folder folder;
  const auto file = folder.path() / "seal.key";
  CHECK(code_of_load(file, false) == errc::seal_key_unusable);
  const auto seal = must(sealer::load(file, true));
  struct stat facts {};
  REQUIRE(::stat(file.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0600);
  CHECK(facts.st_size == 64);
  const auto sealed = must(seal.seal("a client key", "row"));
  const auto again = must(sealer::load(file, true));
  CHECK(must(again.open(sealed, "row")) == "a client key");
  CHECK(again.id_of_key("a client key") == seal.id_of_key("a client key"));
  CHECK(again.fingerprint() == seal.fingerprint());
}

TEST_CASE("A key file that others may read, of another size, or that is no file is refused") {
  const scratch_folder folder;
  const auto file = folder.path() / "seal.key";
  must(sealer::load(file, true));
  for (const mode_t mode : {0640, 0604, 0660, 0700, 0644, 04600}) {
    REQUIRE(::chmod(file.c_str(), mode) == 0);
    CHECK(code_of_load(file, true) == errc::seal_key_unusable);
  }
  REQUIRE(::chmod(file.c_str(), 0400) == 0);
  CHECK(code_of_load(file, true) == errc::none);
  std::filesystem::create_symlink(file, folder.path() / "link");
  CHECK(code_of_load(folder.path() / "link", true) == errc::seal_key_unusable);
  std::filesystem::create_directory(folder.path() / "folder");
  CHECK(code_of_load(folder.path() / "folder", true) == errc::seal_key_unusable);
  for (const std::size_t size : {0, 63, 65}) {
    const auto other = folder.path() / std::to_string(size);
    std::ofstream{other} << std::string(size, 'k');
    REQUIRE(::chmod(other.c_str(), 0600) == 0);
    CHECK(code_of_load(other, true) == errc::seal_key_unusable);
  }
}

TEST_CASE("Sealed text opens in its own row only, and not when a bit has changed") {
  const scratch_folder folder;
  const auto seal = must(sealer::load(folder.path() / "seal.key", true));
  for (const std::string& plain : {std::string{}, std::string("secret"), std::string(5000, 'x')}) {
    const auto sealed = must(seal.seal(plain, "row 1"));
    CHECK(sealed.size() == plain.size() + sealer::overhead_bytes);
    CHECK((plain.empty() || sealed.find(plain) == std::string::npos));
    CHECK(must(seal.open(sealed, "row 1")) == plain);
    const auto moved = seal.open(sealed, "row 2");
    REQUIRE_FALSE(moved);
    CHECK(code_of(moved.error()) == errc::seal_broken);
    for (std::size_t i = 0; i < sealed.size(); i += 1 + sealed.size() / 50) {
      auto changed = sealed;
      changed[i] = static_cast<char>(changed[i] ^ 0x10);
      CHECK_FALSE(seal.open(changed, "row 1"));
    }
    for (std::size_t size = 0; size < sealed.size(); size += 1 + sealed.size() / 50)
      CHECK_FALSE(seal.open(std::string_view{sealed}.substr(0, size), "row 1"));
  }
  CHECK(must(seal.seal("same", "row")) != must(seal.seal("same", "row"))); // another nonce each time
}

TEST_CASE("The id of a key is k and 26 base32 characters, differs between keys and between installations") {
  const scratch_folder folder;
  const auto one = must(sealer::load(folder.path() / "one.key", true));
  const auto other = must(sealer::load(folder.path() / "other.key", true));
  std::set<key_id> ids;
  for (int i = 0; i < 1000; ++i) {
    const auto id = one.id_of_key("sk-" + std::to_string(i));
    CHECK(id.size() == 27);
    CHECK(id[0] == 'k');
    CHECK(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 1) == std::string::npos);
    ids.insert(id);
  }
  CHECK(ids.size() == 1000);
  CHECK(one.id_of_key("sk-1") != other.id_of_key("sk-1"));
  CHECK(one.lookup_hash(name_kind::source, "x") != one.lookup_hash(name_kind::client_key, "x"));
}

TEST_CASE("A database is refused without its key file and with that of another database") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  const auto other = small_settings(folder.path() / "other");
  std::filesystem::create_directory(folder.path() / "other");
  must_open(how);
  must_open(other);
  const auto refused = [&] {
    const auto books = ledger::open(how);
    return !books && code_of(books.error()) == errc::seal_key_unusable;
  };
  const auto kept = folder.path() / "kept.key";
  std::filesystem::rename(how.folder / "seal.key", kept);
  CHECK(refused());
  CHECK_FALSE(std::filesystem::exists(how.folder / "seal.key"));
  std::filesystem::copy(other.folder / "seal.key", how.folder / "seal.key");
  CHECK(refused());
  std::filesystem::rename(kept, how.folder / "seal.key");
  must_open(how);
}

TEST_CASE("No file below the data folder holds a client key, a source or a snapshot in clear") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  for (const bool compacted : {false, true}) {
    const auto books = must_open(how);
    auto poll = polled("alpha", numbered_groups("alpha", compacted ? 1000 : 0, 500));
    poll.marks.push_back({secret{"sk-client-secret-of-a-mark"}, "model-0", 1, 2, {}, {}, 3});
    must_commit(*books, poll);
    must(books->keep_snapshot({0, "alpha", at_seconds(9), "request", 1, {}, 0, 0, {}},
                              "{\"api_key\":\"sk-client-secret-1\"}"));
    if (compacted)
      must(books->compact());
    const auto bytes = all_bytes(how.folder);
    CHECK(bytes.find("sk-client-secret") == std::string::npos);
    CHECK(bytes.find("@example.com") == std::string::npos);
    CHECK(bytes.find("api_key") == std::string::npos);
    CHECK(bytes.find("alpha") != std::string::npos); // the search does find what is in clear
  }
}

// --- packed -------------------------------------------------------------------------

TEST_CASE("What was packed comes back at any size, and from nothing but the whole of it in its own row") {
  const scratch_folder folder;
  const auto seal = must(sealer::load(folder.path() / "seal.key", true));
  std::mt19937_64 random{7};
  std::string noise(200'000, '\0');
  for (auto& byte : noise)
    byte = static_cast<char>(random());
  for (const std::size_t size : {0, 1, 100, 16'384, 16'385, 200'000})
    for (const auto& text : {std::string(size, 'x'), noise.substr(0, size)}) {
      auto packed = must(pack(seal, text, "row"));
      CHECK(must(unpack(seal, packed, "row")) == text);
      CHECK(packed.size() <= text.size() + 1 + sealer::overhead_bytes);
      CHECK(code_of(unpack(seal, packed, "other row").error()) == errc::seal_broken);
      CHECK(code_of(unpack(seal, packed.substr(0, packed.size() - 1), "row").error()) == errc::seal_broken);
      packed[packed.size() / 2] = static_cast<char>(packed[packed.size() / 2] ^ 1);
      CHECK(code_of(unpack(seal, packed, "row").error()) == errc::seal_broken);
    }
  // Sealed well, but not packed: of an unknown form, or not what it says.
  for (const auto& form : {std::string{}, std::string("\x7f"), std::string("\1"), std::string("\1\5abc"),
                           std::string("\2\xff\xff\xff\xff\xff\xff\x7f"
                                       "abc"),
                           std::string("\2\5abc")})
    CHECK(code_of(unpack(seal, must(seal.seal(form, "row")), "row").error()) == errc::seal_broken);
}

TEST_CASE("A text of which the phrases are known gets small also alone") {
  const scratch_folder folder;
  const auto seal = must(sealer::load(folder.path() / "seal.key", true));
  const std::string extra =
    R"({"auth_type":"oauth","executor_type":"CodexExecutor","fail":{"body":"","status_code":200},"generate":true,)"
    R"("reasoning_effort":"high","request_id":"9f3c01ab","service_tier":"auto","user_agent":"codex_cli_rs/0.1"})";
  CHECK(must(pack(seal, extra, "row")).size() < extra.size() / 2);
}

TEST_CASE("What was packed by earlier programs can be read for ever") {
  const scratch_folder folder;
  const auto file = folder.path() / "seal.key";
  std::ofstream{file} << std::string(64, 'k');
  std::filesystem::permissions(file, std::filesystem::perms{0600});
  const auto seal = must(sealer::load(file, false));
  const std::string_view hex =
    "01f1aac422710b0c7e86c3f47762ed238afbcb7644c4480e8a34bb666c97c7bdf309b9336aafa773946d5b3d07"
    "7c984e1da05fb2dc8a3220971a93680ca0e40268ef04ae7199545d3ea2dd89da185c0b6b0592c0";
  std::string packed;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    packed.push_back(static_cast<char>(std::stoi(std::string{hex.substr(i, 2)}, nullptr, 16)));
  CHECK(must(unpack(seal, packed, "row"))
        == R"({"auth_type":"oauth","executor_type":"CodexExecutor","fail":{"body":"","status_code":200},)"
           R"("request_id":"9f3c01ab","user_agent":"codex_cli_rs/0.1"})");
}

} // namespace keyportal::storage::test
