#include <catch2/catch_test_macros.hpp>

#include "config/reference.hpp"
#include "sample.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

const std::string company = "[[sign_in.provider]]\n"
                            "client_secret = \"the-client-secret\"\n"
                            "name = \"company\"\n"
                            "kind = \"oidc\"\n"
                            "issuer = \"https://id.example.com/realms/a/\"\n"
                            "client_id = \"keyportal\"\n";
const std::string feishu = "[[sign_in.provider]]\n"
                           "name = \"feishu\"\n"
                           "kind = \"feishu\"\n"
                           "client_id = \"cli_a1\"\n"
                           "client_secret_file = \"feishu.secret\"\n"
                           "tenants = [\"tenant-1\"]\n";

} // namespace

TEST_CASE("places to sign in at are taken in their order, with secrets from files, and print without them") {
  config_folder folder;
  folder.write("feishu.secret", "the-feishu-secret\n");
  auto sources = bare();
  sources.file = folder.write("a.toml", company + "domains = [\"example.com\"]\n" + feishu);
  sources.overrides = {{"sign_in.provider.company.title", "Our own"}};
  const auto loaded = load_settings(sources);
  INFO(all_of_it(loaded.errors));
  REQUIRE(loaded.errors.empty());
  const auto& providers = loaded.values.sign_in.providers;
  REQUIRE(providers.size() == 2);
  CHECK(providers[0].name == "company");
  CHECK(providers[0].title == "Our own");
  CHECK(providers[0].issuer == "https://id.example.com/realms/a/"); // with its slash
  CHECK(providers[0].client_secret.reveal() == "the-client-secret");
  CHECK(providers[0].domains == std::vector<std::string>{"example.com"});
  CHECK(providers[1].client_secret.reveal() == "the-feishu-secret");
  CHECK(providers[1].tenants == std::vector<std::string>{"tenant-1"});
  CHECK(loaded.origins.at("sign_in.provider.feishu.tenants") == sources.file->string() + ":13");
  for (const auto& text : {print_toml(loaded), print_json(loaded)}) {
    CHECK(text.find("keyportal") != std::string::npos);
    CHECK(text.find("the-client-secret") == std::string::npos);
    CHECK(text.find("the-feishu-secret") == std::string::npos);
  }
}

TEST_CASE("places to sign in at that are incomplete or not safe are refused with the line to mend") {
  config_folder folder;
  folder.write("feishu.secret", "the-feishu-secret\n");
  const auto with = [&](const std::string& lines) {
    auto sources = bare();
    sources.file = folder.write("a.toml", lines);
    return load_settings(sources).errors;
  };
  const auto without = [&](std::string text, const std::string& field) {
    const auto at = text.find("\n" + field + " =") + 1;
    return with(text.erase(at, text.find('\n', at) + 1 - at));
  };
  CHECK(with(company + feishu).empty());
  CHECK(mentions(without(company, "name"), "sign_in.provider.1.name: every provider needs a name"));
  CHECK(mentions(without(company, "kind"), "sign_in.provider.company.kind: every [[sign_in.provider]] needs its kind"));
  CHECK(mentions(without(company, "issuer"), "sign_in.provider.company.issuer: an oidc provider needs its issuer"));
  CHECK(mentions(without(company, "client_id"), "sign_in.provider.company.client_id"));
  CHECK(mentions(without(company, "client_secret"), "sign_in.provider.company.client_secret"));
  CHECK(mentions(without(feishu, "tenants"), "sign_in.provider.feishu.tenants: it needs the tenant keys"));
  CHECK(mentions(with(company + company), "two providers have this name"));
  CHECK(mentions(with(company + "tenants = [\"t\"]\n"), "for providers of kind feishu and lark only"));
  CHECK(mentions(with(feishu + "domains = [\"example.com\"]\n"), "for providers of kind oidc only"));
  CHECK(mentions(with(company + "domains = [\"Example.com\"]\n"), "a.toml:7: sign_in.provider.company.domains"));
  CHECK(mentions(with(company + "scopes = [\"email\"]\n"), "openid must be among them"));
  CHECK(mentions(with(company + "client_secret_fil = \"x\"\n"), "did you mean client_secret_file?"));
  CHECK(mentions(with("[sign_in.provider]\nname = \"a\"\n"), "[[sign_in.provider]]"));
  auto sources = bare();
  sources.overrides = {{"sign_in.provider.a.client_secret", "secret-on-the-line"}};
  const auto loaded = load_settings(sources);
  CHECK(mentions(loaded.errors, "no secret is taken from it"));
  CHECK_FALSE(mentions(loaded.errors, "secret-on-the-line"));
}

TEST_CASE("Key Portal asks a provider over https, and over http on this machine only") {
  for (const auto* url : {"https://id.example.com", "https://id.example.com:8443/a/b?c=d", "https://[2001:db8::1]/",
                          "http://127.0.0.1:9999/x", "http://[::1]:9999", "http://localhost:1"})
    CHECK(check_provider_url(url) == "");
  for (const auto* url :
       {"", "id.example.com", "http://id.example.com", "http://127.0.0.1.example.com", "http://localhost.example.com",
        "HTTPS://id.example.com", "ftp://id.example.com", "file:///etc/passwd", "https://", "https:///x",
        "https://a:b@id.example.com", "https://127.0.0.1@id.example.com/", "https://id.example.com/#x",
        "https://id.example.com/a b", "https://id.example.com\\@evil.example", "https://id.example.com:0",
        "https://id.example.com:99999", "https://id.example.com/\n"}) {
    INFO(url);
    CHECK(check_provider_url(url) != "");
  }
  CHECK(check_provider_url("https://" + std::string(2048, 'a')) != "");
}
