#include "actors/cpa/usage_document.hpp"

#include <cstring>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "messages/errors.hpp"

namespace keyportal::cpa {

namespace {

namespace od = simdjson::ondemand;
using hash16 = std::array<std::uint8_t, 16>;

/// Thrown inside this file only, caught at its two entrances: simdjson's own errors arrive the same way.
struct malformed {
  std::string where;
};

struct unsupported_version {};

hash16 to_bytes(XXH128_hash_t h) {
  XXH128_canonical_t c;
  XXH128_canonicalFromHash(&c, h);
  hash16 out;
  std::memcpy(out.data(), c.digest, out.size());
  return out;
}

/// Order and identity of a list's records in 16 bytes that can be carried on without the list.
hash16 chain(const hash16& so_far, const record_id& id) {
  std::uint8_t both[32];
  std::memcpy(both, so_far.data(), 16);
  std::memcpy(both + 16, id.bytes.data(), 16);
  return to_bytes(XXH3_128bits(both, sizeof both));
}

std::int64_t integer(od::value v, std::string_view field) {
  std::int64_t n;
  if (v.get_int64().get(n) != simdjson::SUCCESS)
    throw malformed{fmt::format("{} is not an integer", field)};
  return n;
}

std::string_view text(od::value v, std::string_view field) {
  std::string_view s;
  if (v.get_string().get(s) != simdjson::SUCCESS)
    throw malformed{field == "auth_index" ? "auth_index is not a string (a CLIProxyAPI older than 6.6.56?)"
                                          : fmt::format("{} is not a string", field)};
  return s;
}

token_counts tokens(od::object object) {
  token_counts t;
  for (auto field : object) {
    const std::string_view name = field.unescaped_key();
    if (name == "input_tokens")
      t.input = integer(field.value(), name);
    else if (name == "output_tokens")
      t.output = integer(field.value(), name);
    else if (name == "reasoning_tokens")
      t.reasoning = integer(field.value(), name);
    else if (name == "cached_tokens")
      t.cached = integer(field.value(), name);
    else if (name == "total_tokens")
      t.total = integer(field.value(), name);
  }
  return t;
}

detail one_detail(od::object object) {
  detail d;
  bool has_time = false;
  for (auto field : object) {
    const std::string_view name = field.unescaped_key();
    if (name == "timestamp") {
      const auto written = text(field.value(), name);
      const auto at = parse_rfc3339(written);
      if (!at)
        throw malformed{"timestamp is not an RFC 3339 time of the years 1678 to 2261"};
      d.at = *at;
      has_time = true;
    } else if (name == "latency_ms")
      d.latency_ms = integer(field.value(), name);
    else if (name == "source")
      d.source = text(field.value(), name);
    else if (name == "auth_index")
      d.auth_index = text(field.value(), name);
    else if (name == "tokens")
      d.tokens = tokens(field.value().get_object());
    else if (name == "failed") {
      if (field.value().get_bool().get(d.failed) != simdjson::SUCCESS)
        throw malformed{"failed is not a boolean"};
    }
  }
  // A detail without a time would get "now" at every import and so never be the same twice.
  if (!has_time)
    throw malformed{"a detail has no timestamp"};
  return d;
}

/// Decodes "[{…},{…}]" in place. `array` must be followed by SIMDJSON_PADDING readable bytes.
template <class OnDetail>
void each_detail(od::parser& parser, std::string_view array, OnDetail&& on_detail) {
  auto document = parser.iterate(simdjson::padded_string_view(array, array.size() + simdjson::SIMDJSON_PADDING));
  for (auto element : document.get_array())
    on_detail(one_detail(element.get_object()));
}

bool is_null(od::value v) { return v.type() == od::json_type::null; }

/// Walks `{"usage":{…,"apis":{key:{"models":{model:{"total_requests":n,"details":[…]}}}}}}`; calls
/// `on_key(key)` and `on_list(key, model, total_requests, text of the array with its brackets)`. Returns the counters.
template <class OnKey, class OnList>
node_counters walk(od::object root, std::int64_t* version, OnKey&& on_key, OnList&& on_list) {
  node_counters counters;
  bool has_usage = false;
  std::string key, model; // copies: simdjson reuses the buffer behind a key
  for (auto top : root) {
    const std::string_view top_name = top.unescaped_key();
    if (top_name == "version" && version) {
      *version = integer(top.value(), "version");
      continue;
    }
    if (top_name != "usage")
      continue;
    if (is_null(top.value()))
      continue;
    has_usage = true;
    for (auto part : top.value().get_object()) {
      const std::string_view name = part.unescaped_key();
      if (name == "total_requests")
        counters.requests = integer(part.value(), name);
      else if (name == "success_count")
        counters.ok = integer(part.value(), name);
      else if (name == "failure_count")
        counters.failed = integer(part.value(), name);
      else if (name == "total_tokens")
        counters.tokens = integer(part.value(), name);
      else if (name == "apis") {
        od::value apis = part.value();
        if (is_null(apis))
          continue;
        for (auto api : apis.get_object()) {
          key = std::string_view{api.unescaped_key()};
          on_key(key);
          for (auto api_part : api.value().get_object()) {
            if (std::string_view{api_part.unescaped_key()} != "models")
              continue;
            od::value models = api_part.value();
            if (is_null(models))
              continue;
            for (auto m : models.get_object()) {
              model = std::string_view{m.unescaped_key()};
              std::int64_t total_requests = 0;
              for (auto model_part : m.value().get_object()) {
                const std::string_view what = model_part.unescaped_key();
                if (what == "total_requests")
                  total_requests = integer(model_part.value(), what);
                else if (what == "details") {
                  od::value details = model_part.value();
                  if (!is_null(details)) {
                    od::array list = details.get_array();
                    on_list(key, model, total_requests, std::string_view{list.raw_json()});
                  }
                }
              }
            }
          }
        }
      }
    }
  }
  if (!has_usage && !version)
    throw malformed{"there is no \"usage\" in it"};
  return counters;
}

void expect_end(od::document& document) {
  const char* rest;
  if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS)
    throw malformed{"something follows the document"};
}

/// Text between the brackets of an array.
std::string_view inside(std::string_view array) {
  array.remove_prefix(1);
  array = array.substr(0, array.rfind(']'));
  while (!array.empty()
         && (array.back() == ' ' || array.back() == '\n' || array.back() == '\r' || array.back() == '\t'))
    array.remove_suffix(1);
  return array;
}

/// Runs `what`, turning every way in which a document can be wrong into one error.
template <class What>
auto guarded(errc code, const std::string& node, What&& what) -> caf::expected<decltype(what())> {
  try {
    return what();
  } catch (const malformed& m) {
    return make_error(code, fmt::format("{}: {}", node, m.where));
  } catch (const unsupported_version&) {
    return make_error(errc::file_version, node);
  } catch (const simdjson::simdjson_error& e) {
    return make_error(code, fmt::format("{}: {}", node, e.what()));
  } catch (const std::bad_alloc&) {
    return make_error(errc::node_answer_too_large, node);
  }
}

} // namespace

struct usage_book::impl {
  node_name node;
  struct remembered {
    list_mark mark;
    std::uint64_t met = 0; ///< number of the reading that met it last
  };
  std::unordered_map<std::string, remembered> marks; ///< by client key + '\0' + model
  std::uint64_t readings = 0;
  od::parser outer, inner;
  std::string tail; ///< padded copy of the new end of a list

  static std::string name_of(std::string_view key, std::string_view model) {
    std::string name;
    name.reserve(key.size() + 1 + model.size());
    return name.append(key).append(1, '\0').append(model);
  }

  void read_key(usage_reading& out, const std::string& key, std::uint64_t& met);
  void read_list(usage_reading& out, std::string_view key, std::string_view model, std::int64_t total_requests,
                 std::string_view array, const list_mark* known);
};

usage_book::usage_book(node_name node) : impl_(std::make_unique<impl>()) { impl_->node = std::move(node); }
usage_book::~usage_book() = default;
usage_book::usage_book(usage_book&&) noexcept = default;
usage_book& usage_book::operator=(usage_book&&) noexcept = default;

void usage_book::recall(const std::vector<list_mark>& marks) {
  impl_->marks.clear();
  for (const auto& m : marks)
    impl_->marks.try_emplace(impl::name_of(m.client_key.reveal(), m.model), impl::remembered{m});
}

void usage_book::accept(const usage_reading& reading, bool anew) {
  if (anew)
    impl_->marks.clear();
  for (const auto& m : reading.marks)
    impl_->marks.insert_or_assign(impl::name_of(m.client_key.reveal(), m.model), impl::remembered{m});
}

/// A boot marker is remembered as a list without a model, which no real list is.
void usage_book::impl::read_key(usage_reading& out, const std::string& key, std::uint64_t& met) {
  if (!key.starts_with(boot_marker_prefix))
    return;
  const auto known = marks.find(name_of(key, {}));
  if (known != marks.end()) {
    ++met;
    out.marker_here = true;
  } else if (!out.marker_here) {
    list_mark mark;
    mark.client_key = secret{key};
    out.marks.push_back(std::move(mark));
    out.marker_here = true;
  }
}

void usage_book::impl::read_list(usage_reading& out, std::string_view key, std::string_view model,
                                 std::int64_t total_requests, std::string_view array, const list_mark* known) {
  const auto content = inside(array);
  XXH3_state_t state; // on the stack: this runs for every list of every poll
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset(&state);

  bool intact = false;
  if (known && known->raw_bytes <= content.size()) {
    XXH3_128bits_update(&state, content.data(), known->raw_bytes);
    intact = to_bytes(XXH3_128bits_digest(&state)) == known->raw_hash
             && (content.size() == known->raw_bytes || known->raw_bytes == 0 || content[known->raw_bytes] == ',');
    if (intact && content.size() == known->raw_bytes) {
      out.details += known->count;
      return;
    }
    XXH3_128bits_update(&state, content.data() + known->raw_bytes, content.size() - known->raw_bytes);
  } else {
    XXH3_128bits_update(&state, content.data(), content.size());
  }

  list_mark mark;
  mark.client_key = secret{std::string{key}};
  mark.model = model;
  mark.raw_bytes = content.size();
  mark.raw_hash = to_bytes(XXH3_128bits_digest(&state));
  mark.total_requests = total_requests;
  if (intact) {
    mark.count = known->count;
    mark.ids_hash = known->ids_hash;
    tail.assign(1, '[');
    tail.append(content.substr(known->raw_bytes == 0 ? 0 : known->raw_bytes + 1));
    tail.append(1, ']');
    tail.reserve(tail.size() + simdjson::SIMDJSON_PADDING);
    array = tail;
  }

  record_group group;
  group.client_key = secret{std::string{trimmed(key)}};
  group.model = normal_model(model);
  hash16 ids_at_known_count{};
  each_detail(inner, array, [&](detail d) {
    normalise(d);
    d.id = make_record_id(node, group.client_key.reveal(), group.model, d);
    mark.ids_hash = chain(mark.ids_hash, d.id);
    if (++mark.count == (known ? known->count : 0))
      ids_at_known_count = mark.ids_hash;
    group.details.push_back(std::move(d));
  });
  out.details += mark.count;

  if (known && !intact) {
    const bool only_respelt =
      known->count == 0 || (mark.count >= known->count && ids_at_known_count == known->ids_hash);
    const bool capped =
      total_requests > static_cast<std::int64_t>(mark.count) && total_requests >= known->total_requests;
    if (only_respelt) {
      group.details.erase(group.details.begin(), group.details.begin() + static_cast<std::ptrdiff_t>(known->count));
    } else if (capped) {
      ++out.lists_capped;
    } else {
      ++out.lists_broken;
      out.details_gone += known->count;
    }
  }
  if (!group.details.empty())
    out.fresh.push_back(std::move(group));
  out.marks.push_back(std::move(mark));
}

caf::expected<usage_reading> usage_book::read(const std::string& body) {
  auto& book = *impl_;
  auto reading = guarded(errc::node_answer_malformed, book.node, [&] {
    if (body.empty())
      throw malformed{"it is empty"};
    if (body.capacity() - body.size() < simdjson::SIMDJSON_PADDING)
      throw malformed{"internal: no room behind the answer"};
    usage_reading out;
    out.lists_known = book.marks.size();
    std::uint64_t met = 0;
    std::unordered_set<std::string> unknown;
    const auto now = ++book.readings;
    od::document document = book.outer.iterate(simdjson::padded_string_view(body, body.capacity()));
    out.counters = walk(
      document.get_object(), nullptr, [&](const std::string& key) { book.read_key(out, key, met); },
      [&](const std::string& key, const std::string& model, std::int64_t requests, std::string_view array) {
        ++out.lists;
        auto name = impl::name_of(key, model);
        const auto known = book.marks.find(name);
        // The second of two with one name would look like a list that was begun anew, at every reading.
        const bool twice = known == book.marks.end() ? !unknown.insert(std::move(name)).second
                                                     : std::exchange(known->second.met, now) == now;
        if (twice)
          throw malformed{fmt::format("the list of a key and \"{}\" is there twice", model)};
        met += known != book.marks.end();
        book.read_list(out, key, model, requests, array, known == book.marks.end() ? nullptr : &known->second.mark);
      });
    expect_end(document);
    if (met < book.marks.size()) { // some are gone altogether: rare, so look which only then
      std::unordered_map<std::string, bool> here;
      auto again = book.outer.iterate(simdjson::padded_string_view(body, body.capacity()));
      walk(
        again.get_object(), nullptr, [](const std::string&) {},
        [&](const std::string& key, const std::string& model, std::int64_t, std::string_view) {
          here.emplace(impl::name_of(key, model), true);
        });
      for (const auto& [name, one] : book.marks) {
        const auto& mark = one.mark;
        out.marker_gone |= mark.model.empty() && !out.marker_here;
        if (mark.count > 0 && !here.contains(name)) {
          ++out.lists_broken;
          out.details_gone += mark.count;
        }
      }
    }
    return out;
  });
  // The parsers keep room for the largest answer they met; after a big one that would be most of the process.
  if (body.size() > (8U << 20)) {
    book.outer = od::parser{};
    book.inner = od::parser{};
  }
  if (book.tail.capacity() > (1U << 20))
    book.tail = {};
  return reading;
}

caf::expected<std::vector<record_group>> read_export(node_name node, std::string json) {
  auto groups = guarded(errc::file_malformed, "the file", [&] {
    json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    if (json.empty())
      throw malformed{"it is empty"};
    std::vector<record_group> out;
    std::int64_t version = 1;
    od::parser outer, inner;
    od::document document = outer.iterate(simdjson::padded_string_view(json, json.capacity()));
    walk(
      document.get_object(), &version, [](const std::string&) {},
      [&](const std::string& key, const std::string& model, std::int64_t, std::string_view array) {
        if (trimmed(key).empty())
          return; // CPA's import skips these too
        record_group group;
        group.client_key = secret{std::string{trimmed(key)}};
        group.model = normal_model(model);
        each_detail(inner, array, [&](detail d) {
          normalise(d);
          d.id = make_record_id(node, group.client_key.reveal(), group.model, d);
          group.details.push_back(std::move(d));
        });
        out.push_back(std::move(group));
      });
    expect_end(document);
    if (version != 0 && version != 1)
      throw unsupported_version{};
    return out;
  });
  return groups;
}

} // namespace keyportal::cpa
