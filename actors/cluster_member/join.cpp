#include "actors/cluster_member/join.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <unistd.h>

#include "actors/data_folder.hpp"
#include "actors/service.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"
#include "messages/subjects.hpp"

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto installation_key = "installation";
constexpr std::size_t key_bytes = 64;
constexpr int rounds = 200'000;

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}
std::optional<std::string> of_hex(std::string_view text) {
  if (text.size() % 2 != 0 || text.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  return out;
}
std::string drawn(std::size_t bytes) {
  std::string out(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(bytes)) != 1)
    throw std::runtime_error("the system gives no random bytes");
  return out;
}

/// Seals with what all processes share.
caf::expected<storage::sealer> shared_sealer(const settings& s) {
  std::string bytes(key_bytes, '\0');
  const auto& text = s.cluster.key.reveal();
  const auto salt = "keyportal cluster " + s.cluster.name;
  PKCS5_PBKDF2_HMAC(text.data(), static_cast<int>(text.size()), reinterpret_cast<const unsigned char*>(salt.data()),
                    static_cast<int>(salt.size()), rounds, EVP_sha512(), static_cast<int>(bytes.size()),
                    reinterpret_cast<unsigned char*>(bytes.data()));
  auto out = storage::sealer::of(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return out;
}

std::filesystem::path key_file(const settings& s) { return s.data_dir / "ledger" / "seal.key"; }

std::string read_all(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string member_name() {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  std::string out;
  for (const char* c = host; *c != '\0' && out.size() < 40; ++c)
    out += (std::isalnum(static_cast<unsigned char>(*c)) != 0) ? *c : '-';
  return fmt::format("{}-{}-{}", out.empty() ? "host" : out, ::getpid(), hex(drawn(4)));
}

struct row {
  std::string cluster;
  std::string key; ///< the installation's, in clear
  bool begins_with_checkpoint = false;
};

caf::expected<row> read_row(const storage::sealer& with, const std::string& text, const std::string& name) {
  const auto j = json::parse(text, nullptr, false);
  if (!j.is_object() || !j.value("cluster", json()).is_string() || !j.value("key", json()).is_string())
    return make_error(errc::file_malformed, "the cluster's row at NATS");
  row out{j["cluster"], {}, j.value("begins_with_checkpoint", false)};
  const auto sealed = of_hex(j["key"].get<std::string>());
  auto opened = sealed ? with.open(*sealed, "keyportal.cluster." + name)
                       : caf::expected<std::string>{make_error(errc::seal_broken)};
  if (!opened || opened->size() != key_bytes)
    return make_error(errc::cluster_secret_wrong, name);
  out.key = std::move(*opened);
  return out;
}

caf::expected<std::string> write_row(const storage::sealer& with, const row& what, const std::string& name) {
  auto sealed = with.seal(what.key, "keyportal.cluster." + name);
  if (!sealed)
    return sealed.error();
  return dump(
    {{"cluster", what.cluster}, {"key", hex(*sealed)}, {"begins_with_checkpoint", what.begins_with_checkpoint}});
}

/// The row of the cluster, made when there is none; NATS answered.
caf::expected<row> one_try(const settings& s, const storage::sealer& with) {
  nats::kv_table table{places_of(s).table};
  if (auto failed = table.open())
    return failed;
  for (int attempt = 0; attempt < 5; ++attempt) {
    auto there = table.look(installation_key);
    if (!there)
      return there.error();
    if (!there->value.empty())
      return read_row(with, there->value, s.cluster.name);
    std::error_code ignored;
    std::filesystem::create_directories(s.data_dir / "ledger", ignored);
    if (auto made = storage::sealer::load(key_file(s), true); !made)
      return made.error();
    row fresh{hex(drawn(16)), read_all(key_file(s)), false};
    auto text = write_row(with, fresh, s.cluster.name);
    if (!text)
      return text.error();
    if (table.put(installation_key, *text, 0).how == cluster::write_outcome::done) {
      log::info("cluster", "made", "The cluster {} is made", s.cluster.name);
      return fresh;
    }
  }
  return make_error(errc::nats_unavailable, "the cluster's row at NATS");
}

} // namespace

cluster_places places_of(const settings& s) {
  const auto server = nats_server(s);
  auto upper = s.cluster.name;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto subject = fmt::format("{}.cluster.{}", subjects::root, s.cluster.name);
  const auto replicas = s.cluster.replicas;
  return {{server, "keyportal-" + s.cluster.name, replicas},
          {server, "KEYPORTAL_LOG_" + upper, subject + ".log", replicas},
          {server, "KEYPORTAL_CHECKPOINT_" + upper, subject + ".checkpoint", replicas},
          subject};
}

caf::expected<cluster_identity> join(const settings& s, const std::function<bool()>& stopped) {
  const auto with = shared_sealer(s);
  if (!with)
    return with.error();
  for (std::string said;;) {
    auto found = one_try(s, *with);
    if (found) {
      std::error_code ignored;
      std::filesystem::create_directories(s.data_dir / "ledger", ignored);
      if (!std::filesystem::exists(key_file(s), ignored)) {
        if (auto failed = write_file(key_file(s), found->key))
          return failed;
      } else if (read_all(key_file(s)) != found->key)
        return make_error(errc::cluster_foreign, s.data_dir.string());
      auto seal = storage::sealer::load(key_file(s), false);
      OPENSSL_cleanse(found->key.data(), found->key.size());
      if (!seal)
        return seal.error();
      return cluster_identity{member_name(), found->cluster, std::make_shared<const storage::sealer>(std::move(*seal)),
                              found->begins_with_checkpoint};
    }
    const auto code = code_of(found.error());
    if (code != errc::nats_unavailable && code != errc::nats_refused)
      return found.error();
    if (auto text = render(found.error()); text != said) {
      log::warn("cluster", "waiting", "Waiting for the NATS servers of the cluster: {}", text);
      said = std::move(text);
    }
    for (int i = 0; i < 10; ++i) {
      if (stopped())
        return make_error(errc::shutting_down);
      std::this_thread::sleep_for(100ms);
    }
  }
}

caf::expected<joining> check_history(const storage::ledger& store, const cluster_identity& who, const settings& s) {
  const auto progress = store.shared();
  if (!progress)
    return progress.error();
  if (*progress) {
    if ((*progress)->cluster != who.cluster)
      return make_error(errc::cluster_foreign, s.data_dir.string());
    return joining{};
  }
  const auto reach = nats::reach_of_log(places_of(s).log);
  if (!reach)
    return reach.error();
  if (store.registry_position() == 0 && store.state().last == 0)
    return joining{false, who.begins_with_checkpoint || reach->first > 1};
  if (reach->last > 0 || who.begins_with_checkpoint)
    return make_error(errc::cluster_foreign, s.data_dir.string());
  return joining{true, false};
}

caf::error say_begins_with_checkpoint(const settings& s) {
  const auto with = shared_sealer(s);
  if (!with)
    return with.error();
  nats::kv_table table{places_of(s).table};
  if (auto failed = table.open())
    return failed;
  auto there = table.look(installation_key);
  if (!there)
    return there.error();
  auto now = read_row(*with, there->value, s.cluster.name);
  if (!now)
    return now.error();
  now->begins_with_checkpoint = true;
  auto text = write_row(*with, *now, s.cluster.name);
  if (!text)
    return text.error();
  return table.put(installation_key, *text, there->revision).how == cluster::write_outcome::done
           ? caf::error{}
           : make_error(errc::nats_unavailable, "the cluster's row at NATS");
}

} // namespace keyportal
