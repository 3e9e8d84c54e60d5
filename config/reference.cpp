#include "config/reference.hpp"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/options.hpp"

namespace keyportal {

namespace {

/// Breaks a text into comment lines of at most 110 columns.
std::string as_comment(std::string_view text) {
  std::string out, line;
  const auto flush = [&] {
    out += "# " + line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const auto space = text.find(' ');
    const auto word = text.substr(0, space);
    text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
    if (!line.empty() && line.size() + word.size() > 108)
      flush();
    line += line.empty() ? std::string(word) : " " + std::string(word);
  }
  flush();
  return out;
}

std::string bounds(const value_limits& limits) {
  if (!limits.choices.empty()) {
    std::string all(limits.choices);
    for (std::size_t at = 0; (at = all.find('|', at)) != std::string::npos; at += 2)
      all.replace(at, 1, ", ");
    return all;
  }
  return limits.least.empty() ? std::string{} : fmt::format("{} to {}", limits.least, limits.most);
}

/// The default as it stands in a file.
std::string default_toml(const option& row) {
  settings scratch;
  assign(row.place(scratch), {written_value::form::any, std::string(row.fallback), {}}, {});
  return show(row.place(scratch));
}

bool is_secret(const value_place& place) { return std::holds_alternative<secret*>(place); }

/// What stands in the example, as TOML: an issuer that is complete.
std::string_view provider_example(std::string_view key) {
  constexpr std::pair<std::string_view, std::string_view> examples[] = {
    {"name", R"("company")"},
    {"kind", R"("oidc")"},
    {"title", R"("Company account")"},
    {"issuer", R"("https://accounts.example.com")"},
    {"client_id", R"("keyportal")"},
    {"client_secret_file", R"("company.secret")"},
    {"scopes", "[]"},
    {"tenants", "[]"},
    {"domains", R"(["example.com"])"},
    {"token_encoding", R"("auto")"},
  };
  for (const auto& [name, example] : examples)
    if (name == key)
      return example;
  return R"("")";
}

std::string_view channel_example(std::string_view key) {
  constexpr std::pair<std::string_view, std::string_view> examples[] = {
    {"name", R"("mail")"},
    {"kind", R"("mail")"},
    {"server", R"("mail.example.com:587")"},
    {"security", R"("starttls")"},
    {"user", R"("keyportal")"},
    {"secret_file", R"("mail.secret")"},
    {"from", R"("keyportal@example.com")"},
    {"find_by", R"("email")"},
    {"language", R"("en")"},
    {"allow_private", "false"},
    {"per_second", "0"},
    {"per_minute", "0"},
  };
  for (const auto& [name, example] : examples)
    if (name == key)
      return example;
  return R"("")";
}

std::string_view rule_example(std::string_view key) {
  return key == "name" ? R"("nodes")" : key == "kinds" ? R"(["node.*"])" : key == "to" ? R"(["admins"])" : "[]";
}

/// Nothing is none of the choices of these.
template <typename Owner>
bool is_set_or_free(const option_row<Owner>& row, Owner& owner) {
  const auto place = row.place(owner);
  const auto* text = std::get_if<std::string*>(&place);
  return row.limits.choices.empty() || text == nullptr || !(*text)->empty();
}

template <typename Owner>
std::string markdown_row(const option_row<Owner>& row, const std::string& fallback, const std::string& variable) {
  Owner scratch;
  const auto allowed = bounds(row.limits);
  return fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", name_in_section(row.key), type_name(row.place(scratch)),
                     fallback, allowed.empty() ? "" : allowed, variable, row.help);
}

} // namespace

std::string reference_markdown() {
  std::string out =
    "# Every option\n\n"
    "Made by `keyportal config reference` from the table in `config/options.cpp`.\n\n"
    "An option is taken from the command line (`--set section.name=value`), else from the environment, else from the\n"
    "configuration file, else it has its default. The file is the one of `--config` or `$KEYPORTAL_CONFIG`, else\n"
    "`~/.config/keyportal/keyportal.toml`, else `/etc/keyportal/keyportal.toml`. Unknown options are refused. A secret "
    "is\n"
    "never taken from the command line and never printed.\n\n"
    "Durations are written `500ms`, `3s`, `5min`, `2h`, `30d`; sizes `64KiB`, `256MiB`, `2GiB`; lists in the "
    "environment\n"
    "with commas. Paths in the file are relative to the file.\n";
  constexpr std::string_view head =
    "| Option | Type | Default | Allowed | Environment | Meaning |\n|---|---|---|---|---|---|\n";
  std::string_view section = "none yet";
  for (const auto& row : options()) {
    if (section_of(row.key) != section) {
      section = section_of(row.key);
      out += fmt::format("\n## {}\n\n{}\n\n{}", section.empty() ? "Top of the file" : fmt::format("[{}]", section),
                         section_help(section), head);
    }
    const auto fallback = row.fallback.empty() ? std::string{} : fmt::format("`{}`", row.fallback);
    out += markdown_row(row, fallback, fmt::format("`{}`", environment_name(row.key)));
  }
  out += fmt::format(
    "\n## [[node]]\n\n{} `KEYPORTAL_CPA_URL` with `KEYPORTAL_CPA_KEY` or\n`KEYPORTAL_CPA_KEY_FILE` is a node named "
    "`default`; `--set node.<name>.url=…` sets a field of any node.\n\n{}",
    section_help("node"), head);
  for (const auto& row : node_options())
    out += markdown_row(row, "",
                        row.key == "url"                   ? "`KEYPORTAL_CPA_URL`"
                        : row.key == "management_key"      ? "`KEYPORTAL_CPA_KEY`"
                        : row.key == "management_key_file" ? "`KEYPORTAL_CPA_KEY_FILE`"
                                                           : "");
  out += fmt::format("\n## [[compat.consumer]]\n\n{} `--set\ncompat.consumer.<name>.key_file=…` sets a field of any "
                     "consumer.\n\n{}",
                     section_help("consumer"), head);
  for (const auto& row : consumer_options())
    out += markdown_row(row, "", "");
  out +=
    fmt::format("\n## [[sign_in.provider]]\n\n{} `--set\nsign_in.provider.<name>.client_secret_file=…` sets a field of "
                "any provider.\n\n{}",
                section_help("provider"), head);
  for (const auto& row : provider_options())
    out += markdown_row(row, "", "");
  out += fmt::format("\n## [[notices.channel]]\n\n{} `--set\nnotices.channel.<name>.secret_file=…` sets a field of any "
                     "channel.\n\n{}",
                     section_help("channel"), head);
  for (const auto& row : channel_options())
    out += markdown_row(row, "", "");
  out += fmt::format("\n## [[notices.rule]]\n\n{}\n\n{}", section_help("rule"), head);
  for (const auto& row : rule_options())
    out += markdown_row(row, "", "");
  return out;
}

std::string example_toml() {
  std::string out = "# Configuration of Key Portal: every option, commented out, with its default. Remove the # before "
                    "what you change.\n"
                    "# `keyportal config check` says what is wrong, `keyportal config print` what is in force.\n";
  const auto commented = [&](std::string_view help, const std::string& allowed, const std::string& line) {
    out += "\n" + as_comment(help);
    if (!allowed.empty())
      out += as_comment("Allowed: " + allowed + ".");
    out += "#" + line + "\n";
  };
  std::string_view section;
  for (const auto& row : options()) {
    if (section_of(row.key) != section) {
      section = section_of(row.key);
      out += fmt::format("\n\n[{}]\n{}", section, as_comment(section_help(section)));
    }
    commented(row.help, bounds(row.limits), fmt::format("{} = {}", name_in_section(row.key), default_toml(row)));
  }
  out += "\n\n" + as_comment(section_help("node"));
  out += "#[[node]]\n";
  for (const auto& row : node_options())
    commented(row.help, {},
              fmt::format("{} = {}", row.key,
                          row.key == "name"                  ? R"("default")"
                          : row.key == "url"                 ? R"("http://127.0.0.1:8317")"
                          : row.key == "management_key_file" ? R"("cpa.key")"
                          : row.key == "groups"              ? "[]"
                                                             : R"("")"));
  out += "\n\n" + as_comment(section_help("consumer"));
  out += "#[[compat.consumer]]\n";
  constexpr std::string_view consumer_examples[] = {"keeper", "", "keeper.key", "", "end"};
  for (std::size_t i = 0; const auto& row : consumer_options())
    commented(row.help, {}, fmt::format("{} = {}", row.key, toml_quoted(consumer_examples[i++])));
  out += "\n\n" + as_comment(section_help("provider"));
  out += "#[[sign_in.provider]]\n";
  for (const auto& row : provider_options())
    commented(row.help, bounds(row.limits), fmt::format("{} = {}", row.key, provider_example(row.key)));
  out += "\n\n" + as_comment(section_help("channel"));
  out += "#[[notices.channel]]\n";
  for (const auto& row : channel_options())
    commented(row.help, bounds(row.limits), fmt::format("{} = {}", row.key, channel_example(row.key)));
  out += "\n\n" + as_comment(section_help("rule"));
  out += "#[[notices.rule]]\n";
  for (const auto& row : rule_options())
    commented(row.help, bounds(row.limits), fmt::format("{} = {}", row.key, rule_example(row.key)));
  return out;
}

std::string print_toml(const loaded_settings& loaded) {
  settings values = loaded.values;
  std::string out;
  const auto line = [&](const std::string& key, std::string_view name, const value_place& place) {
    const auto from = loaded.origins.find(key);
    out += fmt::format("{} = {}{}\n", name, show(place), from == loaded.origins.end() ? "" : "  # " + from->second);
  };
  std::string_view section;
  for (const auto& row : options()) {
    if (section_of(row.key) != section) {
      section = section_of(row.key);
      out += fmt::format("\n[{}]\n", section);
    }
    line(std::string(row.key), name_in_section(row.key), row.place(values));
  }
  for (auto& node : values.nodes) {
    out += "\n[[node]]\n";
    for (const auto& row : node_options())
      line(fmt::format("node.{}.{}", node.name, row.key), row.key, row.place(node));
  }
  for (auto& consumer : values.compat.consumers) {
    out += "\n[[compat.consumer]]\n";
    for (const auto& row : consumer_options())
      if (row.key != "from" || !consumer.from.empty()) // nothing is none of its choices
        line(fmt::format("compat.consumer.{}.{}", consumer.name, row.key), row.key, row.place(consumer));
  }
  for (auto& provider : values.sign_in.providers) {
    out += "\n[[sign_in.provider]]\n";
    for (const auto& row : provider_options())
      if (row.key != "token_encoding" || !provider.token_encoding.empty()) // nothing is none of its choices
        line(fmt::format("sign_in.provider.{}.{}", provider.name, row.key), row.key, row.place(provider));
  }
  for (auto& channel : values.notices.channels) {
    out += "\n[[notices.channel]]\n";
    for (const auto& row : channel_options())
      if (is_set_or_free(row, channel))
        line(fmt::format("notices.channel.{}.{}", channel.name, row.key), row.key, row.place(channel));
  }
  for (auto& rule : values.notices.rules) {
    out += "\n[[notices.rule]]\n";
    for (const auto& row : rule_options())
      line(fmt::format("notices.rule.{}.{}", rule.name, row.key), row.key, row.place(rule));
  }
  return out;
}

std::string print_json(const loaded_settings& loaded) {
  using nlohmann::json;
  settings values = loaded.values;
  const auto value_of = [](const value_place& place) -> json {
    if (is_secret(place))
      return !std::get<secret*>(place)->empty(); // only whether it is set
    if (const auto* flag = std::get_if<bool*>(&place))
      return **flag;
    if (const auto* number = std::get_if<int*>(&place))
      return **number;
    if (const auto* list = std::get_if<std::vector<std::string>*>(&place))
      return **list;
    if (const auto* text = std::get_if<std::string*>(&place))
      return **text;
    if (const auto* path = std::get_if<std::filesystem::path*>(&place))
      return (*path)->string();
    const auto shown = show(place); // sizes and durations, in quotes
    return shown.substr(1, shown.size() - 2);
  };
  json all = json::object(), nodes = json::array();
  for (const auto& row : options())
    all[std::string(row.key)] = value_of(row.place(values));
  for (auto& node : values.nodes) {
    json one = json::object();
    for (const auto& row : node_options())
      one[std::string(row.key)] = value_of(row.place(node));
    nodes.push_back(std::move(one));
  }
  json consumers = json::array();
  for (auto& consumer : values.compat.consumers) {
    json one = json::object();
    for (const auto& row : consumer_options())
      one[std::string(row.key)] = value_of(row.place(consumer));
    consumers.push_back(std::move(one));
  }
  json providers = json::array();
  for (auto& provider : values.sign_in.providers) {
    json one = json::object();
    for (const auto& row : provider_options())
      one[std::string(row.key)] = value_of(row.place(provider));
    providers.push_back(std::move(one));
  }
  json channels = json::array(), rules = json::array();
  for (auto& channel : values.notices.channels) {
    json one = json::object();
    for (const auto& row : channel_options())
      one[std::string(row.key)] = value_of(row.place(channel));
    channels.push_back(std::move(one));
  }
  for (auto& rule : values.notices.rules) {
    json one = json::object();
    for (const auto& row : rule_options())
      one[std::string(row.key)] = value_of(row.place(rule));
    rules.push_back(std::move(one));
  }
  const json out = {{"file", loaded.file ? json(loaded.file->string()) : json(nullptr)},
                    {"settings", std::move(all)},
                    {"nodes", std::move(nodes)},
                    {"consumers", std::move(consumers)},
                    {"providers", std::move(providers)},
                    {"channels", std::move(channels)},
                    {"rules", std::move(rules)},
                    {"origins", loaded.origins}};
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace keyportal
