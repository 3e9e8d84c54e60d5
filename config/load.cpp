#include "config/load.hpp"

#include <algorithm>
#include <fstream>

#include <unistd.h>

#include <fmt/format.h>

#include "config/options.hpp"
#include "config/toml_file.hpp"

extern char** environ;

namespace keyportal {

namespace {

namespace fs = std::filesystem;

/// Higher wins.
enum class rank { by_default, file, environment, command_line };

struct origin {
  rank from = rank::by_default;
  std::string where;
};

constexpr std::string_view node_prefix = "node.";
constexpr std::string_view consumer_prefix = "compat.consumer.";
constexpr std::string_view provider_prefix = "sign_in.provider.";
constexpr std::string_view channel_prefix = "notices.channel.";
constexpr std::string_view rule_prefix = "notices.rule.";

/// "<prefix><name>.<field>" in its parts; nothing for other keys.
struct item_key {
  std::string name;
  std::string field;
};
std::optional<item_key> split_key(std::string_view key, std::string_view prefix) {
  const auto last = key.rfind('.');
  if (!key.starts_with(prefix) || last <= prefix.size())
    return std::nullopt;
  return item_key{std::string(key.substr(prefix.size(), last - prefix.size())), std::string(key.substr(last + 1))};
}

template <typename Owner>
const option_row<Owner>* find_row(std::span<const option_row<Owner>> rows, std::string_view key) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.key == key; });
  return found == rows.end() ? nullptr : &*found;
}

/// Reads a secret's file: one line, at most 4 KiB. Empty when that worked, else why not.
std::string read_secret(const fs::path& file, secret& to, bool& open_to_others) {
  constexpr std::size_t limit = 4096;
  std::error_code none;
  const auto status = fs::status(file, none);
  if (!fs::is_regular_file(status))
    return fmt::format("there is no file {}", file.string());
  std::ifstream stream(file, std::ios::binary);
  std::string text(limit + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad())
    return fmt::format("{} cannot be read; check its permissions", file.string());
  text.resize(static_cast<std::size_t>(stream.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  if (text.empty() || text.size() > limit || text.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos)
    return fmt::format("{} must hold the secret alone, on one line", file.string());
  to = secret{std::move(text)};
  open_to_others = (status.permissions() & fs::perms::others_read) != fs::perms::none;
  return {};
}

class loader {
public:
  explicit loader(const setting_sources& sources) : sources_(sources) {}

  loaded_settings run() {
    for (const auto& row : options())
      if (!row.fallback.empty())
        assign(row.place(out_.values), {written_value::form::any, std::string(row.fallback), {}}, row.limits);
    take_file();
    take_environment();
    for (const auto& [key, value] : sources_.overrides)
      take_override(key, value);
    take_secret_files();
    choose_data_dir();
    std::vector<finding> errors, warnings;
    check(out_.values, errors, warnings);
    const auto before =
      static_cast<std::ptrdiff_t>(out_.errors.size()); // a value that was not taken needs no second error
    for (auto& e : errors)
      if (std::none_of(out_.errors.begin(), out_.errors.begin() + before,
                       [&](const auto& known) { return known.key == e.key; }))
        complain(e.key, std::move(e.what));
    for (auto& w : warnings)
      warn(w.key, std::move(w.what));
    for (const auto& [key, from] : origins_)
      out_.origins[key] = from.where;
    return std::move(out_);
  }

private:
  void complain(const std::string& key, std::string what) { out_.errors.push_back({where(key), key, std::move(what)}); }
  void complain_at(std::string place, const std::string& key, std::string what) {
    out_.errors.push_back({std::move(place), key, std::move(what)});
  }
  void warn(const std::string& key, std::string what) { out_.warnings.push_back({where(key), key, std::move(what)}); }
  std::string where(const std::string& key) const {
    const auto found = origins_.find(key);
    return found == origins_.end() ? std::string{} : found->second.where;
  }

  template <typename Owner>
  void put(const option_row<Owner>& row, Owner& owner, const std::string& key, const written_value& value,
           origin from) {
    const auto place = row.place(owner);
    if (auto wrong = assign(place, value, row.limits); !wrong.empty()) {
      complain_at(from.where, key, std::move(wrong));
      return;
    }
    if (const auto* path = std::get_if<fs::path*>(&place); path && from.from == rank::file && !(*path)->empty())
      **path = out_.file->parent_path() / **path; // relative to the file that names it
    origins_[key] = std::move(from);
  }

  void put_option(const std::string& key, const written_value& value, origin from) {
    if (const auto* row = find_row(options(), key))
      put(*row, out_.values, key, value, std::move(from));
    else
      complain_unknown(std::move(from.where), key, key);
  }

  /// A list of the settings, with what stands in each of its items.
  template <typename Owner>
  struct listing {
    std::string_view prefix; ///< of the keys
    std::span<const option_row<Owner>> rows;
    std::vector<Owner>& items;

    /// An item by its name, or by its place where it has no proper one; as `check` calls it.
    std::string label(const Owner& one) const {
      return is_node_name(one.name) ? one.name : std::to_string(&one - items.data() + 1);
    }
    Owner& named(const std::string& name) const {
      const auto found = std::find_if(items.begin(), items.end(), [&](const auto& one) { return one.name == name; });
      if (found != items.end())
        return *found;
      items.emplace_back().name = name;
      return items.back();
    }
  };
  listing<node_settings> nodes() { return {node_prefix, node_options(), out_.values.nodes}; }
  listing<consumer_settings> consumers() { return {consumer_prefix, consumer_options(), out_.values.compat.consumers}; }
  listing<provider_settings> providers() {
    return {provider_prefix, provider_options(), out_.values.sign_in.providers};
  }
  listing<channel_settings> channels() { return {channel_prefix, channel_options(), out_.values.notices.channels}; }
  listing<rule_settings> rules() { return {rule_prefix, rule_options(), out_.values.notices.rules}; }

  template <typename Owner>
  void put_item(const listing<Owner>& in, Owner& one, const std::string& field, const written_value& value,
                origin from) {
    const auto key = fmt::format("{}{}.{}", in.prefix, in.label(one), field);
    if (const auto* row = find_row(in.rows, field))
      put(*row, one, key, value, std::move(from));
    else
      complain_unknown(std::move(from.where), key, fmt::format("{}x.{}", in.prefix, field));
  }

  void complain_unknown(std::string place, const std::string& key, const std::string& like) {
    auto nearest = nearest_key(like);
    for (const auto prefix : {node_prefix, consumer_prefix, provider_prefix, channel_prefix, rule_prefix})
      if (const auto item = split_key(nearest, prefix))
        nearest = item->field;
    complain_at(std::move(place), key,
                nearest.empty() ? "there is no such option"
                                : fmt::format("there is no such option; did you mean {}?", nearest));
  }

  void take_file() {
    auto file = sources_.file;
    if (const auto named = sources_.environment.find("KEYPORTAL_CONFIG");
        !file && named != sources_.environment.end() && !named->second.empty())
      file = named->second;
    std::error_code none;
    for (auto usual = sources_.usual_files.begin(); !file && usual != sources_.usual_files.end(); ++usual)
      if (fs::exists(*usual, none))
        file = *usual;
    if (!file)
      return;
    out_.file = *file;
    auto content = read_toml(*file);
    if (!content.error.empty()) {
      complain_at(content.error_line > 0 ? fmt::format("{}:{}", file->string(), content.error_line) : file->string(),
                  "", content.error);
      return;
    }
    // As a person reads the file, so that errors come in that order.
    std::stable_sort(content.entries.begin(), content.entries.end(),
                     [](const auto& a, const auto& b) { return a.line < b.line; });
    out_.values.nodes.resize(content.nodes);
    out_.values.compat.consumers.resize(content.consumers);
    out_.values.sign_in.providers.resize(content.providers);
    out_.values.notices.channels.resize(content.channels);
    out_.values.notices.rules.resize(content.rules);
    for (const bool names : {true, false}) // names first: the other fields are called after them
      for (const auto& entry : content.entries)
        take_entry(entry, names);
  }

  void take_entry(const toml_entry& entry, bool names) {
    const origin from{rank::file, fmt::format("{}:{}", out_.file->string(), entry.line)};
    if (take_item(nodes(), entry, names, from) || take_item(consumers(), entry, names, from)
        || take_item(providers(), entry, names, from) || take_item(channels(), entry, names, from)
        || take_item(rules(), entry, names, from) || names)
      return;
    if (section_of(entry.key) == "node" || entry.key == "node")
      complain_at(from.where, "node", "nodes are written with two brackets: [[node]]");
    else if (entry.key == "compat.consumer")
      complain_at(from.where, entry.key, "consumers are written with two brackets: [[compat.consumer]]");
    else if (entry.key == "sign_in.provider")
      complain_at(from.where, entry.key, "providers are written with two brackets: [[sign_in.provider]]");
    else if (entry.key == "notices.channel" || entry.key == "notices.rule")
      complain_at(from.where, entry.key, fmt::format("these are written with two brackets: [[{}]]", entry.key));
    else
      put_option(entry.key, entry.value, from);
  }

  /// Whether the entry belongs to an item of that list.
  template <typename Owner>
  bool take_item(const listing<Owner>& in, const toml_entry& entry, bool names, const origin& from) {
    const auto item = split_key(entry.key, in.prefix);
    if (!item)
      return false;
    if (names == (item->field == "name")) {
      auto& owner = in.items[std::stoul(item->name)];
      put_item(in, owner, item->field, entry.value, from);
      if (names) // what it is called is known only now
        origins_[fmt::format("{}{}.name", in.prefix, in.label(owner))] = from;
    }
    return true;
  }

  void take_environment() {
    const std::pair<std::string_view, std::string_view> short_names[] = {
      {"KEYPORTAL_CPA_URL", "url"},
      {"KEYPORTAL_CPA_KEY", "management_key"},
      {"KEYPORTAL_CPA_KEY_FILE", "management_key_file"}};
    for (const auto& variable : sources_.environment) {
      const auto &name = variable.first, &text = variable.second;
      if (!name.starts_with("KEYPORTAL_") || name == "KEYPORTAL_CONFIG" || name == "KEYPORTAL_END_AT" || text.empty())
        continue;
      const origin from{rank::environment, "environment " + name};
      const written_value value{written_value::form::any, text, {}};
      const auto all = options();
      const auto row =
        std::find_if(all.begin(), all.end(), [&](const auto& o) { return environment_name(o.key) == name; });
      const auto shortened =
        std::find_if(std::begin(short_names), std::end(short_names), [&](const auto& s) { return s.first == name; });
      if (row != all.end())
        put(*row, out_.values, std::string(row->key), value, from);
      else if (shortened != std::end(short_names))
        put_item(nodes(), nodes().named("default"), std::string(shortened->second), value, from);
      else if (name.find("_SERVICE_") == std::string::npos && name.find("_PORT") == std::string::npos)
        // Not an error: others may use the prefix as well. Kubernetes does, and is passed over in silence.
        out_.warnings.push_back({from.where, "", "no option has this name in the environment; it is ignored"});
    }
  }

  void take_override(const std::string& key, const std::string& text) {
    const origin from{rank::command_line, "command line"};
    const written_value value{written_value::form::any, text, {}};
    if (override_item(nodes(), key, value, from) || override_item(consumers(), key, value, from)
        || override_item(providers(), key, value, from) || override_item(channels(), key, value, from)
        || override_item(rules(), key, value, from))
      return;
    const auto* row = find_row(options(), key);
    if (row && std::holds_alternative<secret*>(row->place(out_.values)))
      complain_at(from.where, key,
                  fmt::format("every program sees the command line, so no secret is taken from it; use {}_file", key));
    else
      put_option(key, value, from);
  }

  template <typename Owner>
  bool override_item(const listing<Owner>& in, const std::string& key, const written_value& value, const origin& from) {
    const auto item = split_key(key, in.prefix);
    if (!item)
      return false;
    const auto* row = find_row(in.rows, item->field);
    Owner scratch;
    if (row && std::holds_alternative<secret*>(row->place(scratch)))
      complain_at(from.where, key,
                  fmt::format("every program sees the command line, so no secret is taken from it; use {}_file", key));
    else if (!is_node_name(item->name))
      complain_at(from.where, key,
                  fmt::format("write {}<name>.<field>; a name is 1 to 32 of a-z, 0-9 and -", in.prefix));
    else if (item->field == "name")
      complain_at(from.where, key,
                  fmt::format("the name stands in the middle already: {}<name>.{}", in.prefix, in.rows[1].key));
    else
      put_item(in, in.named(item->name), item->field, value, from);
    return true;
  }

  void take_secret_files() {
    auto& nats = out_.values.nats;
    take_secret_file("nats.password", nats.password, nats.password_file);
    take_secret_file("nats.token", nats.token, nats.token_file);
    take_secret_file("cluster.key", out_.values.cluster.key, out_.values.cluster.key_file);
    auto& compat = out_.values.compat;
    take_secret_file("compat.management_key", compat.management_key, compat.management_key_file);
    for (auto& one : compat.consumers)
      take_secret_file(fmt::format("{}{}.key", consumer_prefix, consumers().label(one)), one.key, one.key_file);
    for (auto& one : out_.values.sign_in.providers)
      take_secret_file(fmt::format("{}{}.client_secret", provider_prefix, providers().label(one)), one.client_secret,
                       one.client_secret_file);
    for (auto& one : out_.values.notices.channels) {
      take_secret_file(fmt::format("{}{}.url", channel_prefix, channels().label(one)), one.url, one.url_file);
      take_secret_file(fmt::format("{}{}.secret", channel_prefix, channels().label(one)), one.secret_text,
                       one.secret_file);
    }
    for (auto& node : out_.values.nodes)
      take_secret_file(fmt::format("{}{}.management_key", node_prefix, nodes().label(node)), node.management_key,
                       node.management_key_file);
  }

  void take_secret_file(const std::string& key, secret& value, const fs::path& file) {
    const auto file_key = key + "_file";
    if (file.empty())
      return;
    if (!value.empty()) {
      const auto by_value = origins_[key].from, by_file = origins_[file_key].from;
      if (by_value > by_file)
        return;
      if (by_value == by_file) {
        complain(file_key, fmt::format("both {} and {} are set; keep one", key, file_key));
        return;
      }
    }
    bool open_to_others = false;
    if (auto wrong = read_secret(file, value, open_to_others); !wrong.empty())
      complain(file_key, std::move(wrong));
    else if (open_to_others)
      warn(file_key, fmt::format("everybody on this machine can read {}; chmod 600 mends it", file.string()));
  }

  void choose_data_dir() {
    auto& folder = out_.values.data_dir;
    const auto variable = [&](const char* name) {
      const auto found = sources_.environment.find(name);
      return found == sources_.environment.end() ? std::string{} : found->second;
    };
    if (folder.empty()) {
      if (const auto state = variable("STATE_DIRECTORY"); !state.empty())
        folder = state.substr(0, state.find(':')); // systemd gives several with colons
      else if (sources_.is_root)
        folder = "/var/lib/keyportal";
      else if (const auto data = variable("XDG_DATA_HOME"); data.starts_with("/"))
        folder = fs::path(data) / "keyportal";
      else if (const auto home = variable("HOME"); home.starts_with("/"))
        folder = fs::path(home) / ".local/share/keyportal";
      else
        complain("data_dir", "there is no home folder to keep things in; set data_dir");
    }
    std::error_code none;
    if (!folder.empty())
      folder = fs::absolute(folder, none).lexically_normal();
  }

  const setting_sources& sources_;
  loaded_settings out_;
  std::map<std::string, origin> origins_;
};

} // namespace

setting_sources process_sources() {
  setting_sources sources;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos)
      sources.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  sources.is_root = geteuid() == 0;
  const auto& environment = sources.environment;
  if (const auto xdg = environment.find("XDG_CONFIG_HOME"); xdg != environment.end() && xdg->second.starts_with("/"))
    sources.usual_files.push_back(fs::path(xdg->second) / "keyportal/keyportal.toml");
  else if (const auto home = environment.find("HOME"); home != environment.end() && home->second.starts_with("/"))
    sources.usual_files.push_back(fs::path(home->second) / ".config/keyportal/keyportal.toml");
  sources.usual_files.emplace_back("/etc/keyportal/keyportal.toml");
  return sources;
}

loaded_settings load_settings(const setting_sources& sources) {
  try {
    return loader(sources).run();
  } catch (const std::exception& error) { // out of memory, a file system that lies
    loaded_settings failed;
    failed.errors.push_back({"", "", fmt::format("the configuration could not be read: {}", error.what())});
    return failed;
  }
}

std::string describe(const placed_finding& finding) {
  std::string line;
  for (const auto* part : {&finding.where, &finding.key})
    if (!part->empty())
      line += *part + ": ";
  return line + finding.what;
}

} // namespace keyportal
