#include <catch2/catch_test_macros.hpp>
#include <catch2/catch_template_test_macros.hpp>

#include <algorithm>
#include <limits>
#include <random>
#include <set>

#include "sample.hpp"
#include "storage/encoding.hpp"
#include "storage/keys.hpp"
#include "storage/payloads.hpp"
#include "storage/registry_rows.hpp"
#include "storage/cells.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

using namespace test;

namespace {

const std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
const std::int64_t highest = std::numeric_limits<std::int64_t>::max();

template <class T>
std::string fixed(T value) {
  std::string out;
  put_fixed(out, value);
  return out;
}

} // namespace

TEST_CASE("Fixed-width numbers sort as bytes in the order of the numbers") {
  std::vector<std::int64_t> numbers{lowest, lowest + 1, -65'536, -257, -256, -1, 0, 1, 255, 256, 65'536, highest};
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    CHECK(fixed(numbers[i - 1]) < fixed(numbers[i]));
    CHECK(fixed(static_cast<std::uint64_t>(numbers[i]) ^ (1ULL << 63))
          > fixed(static_cast<std::uint64_t>(numbers[i - 1]) ^ (1ULL << 63)));
  }
  CHECK(fixed(std::int32_t{-1}) < fixed(std::int32_t{0}));
  CHECK(fixed(std::uint32_t{0x01020304}) == std::string("\1\2\3\4"));
}

TEST_CASE("Numbers and texts come back, and short input is refused at every length") {
  for (const std::int64_t number : {lowest, std::int64_t{-64}, std::int64_t{-1}, std::int64_t{0}, std::int64_t{63},
                                    std::int64_t{64}, std::int64_t{300}, highest}) {
    std::string out;
    put_zigzag(out, number);
    put_varint(out, static_cast<std::uint64_t>(number));
    put_fixed(out, number);
    put_text(out, "text");
    const auto read = [&](std::string_view in) {
      std::int64_t zigzag = 0;
      std::uint64_t varint = 0;
      std::int64_t plain = 0;
      std::string text;
      if (!get_zigzag(in, zigzag) || !get_varint(in, varint) || !get_fixed(in, plain) || !get_text(in, text))
        return false;
      CHECK(zigzag == number);
      CHECK(static_cast<std::int64_t>(varint) == number);
      CHECK(plain == number);
      CHECK(text == "text");
      return in.empty();
    };
    CHECK(read(out));
    for (std::size_t size = 0; size < out.size(); ++size)
      CHECK_FALSE(read(std::string_view{out}.substr(0, size)));
  }
}

TEST_CASE("A varint of more than 64 bits and a text longer than what is there are refused") {
  std::uint64_t number = 0;
  std::string text;
  for (const std::string& bad :
       {std::string(10, '\xff') + '\1', std::string(9, '\xff') + '\2', std::string(20, '\x80')}) {
    std::string_view in{bad};
    CHECK_FALSE(get_varint(in, number));
  }
  std::string large;
  put_varint(large, std::uint64_t{1} << 40);
  std::string_view in{large};
  CHECK_FALSE(get_text(in, text));
  in = large;
  std::uint32_t narrow = 0;
  CHECK_FALSE(get_varint(in, narrow));
}

// --- keys ----------------------------------------------------------------------------

TEMPLATE_TEST_CASE("A key comes back from its bytes and from nothing shorter or longer", "", schema_key, position_key,
                   seal_check_key, name_number_key, name_text_key, node_key, mark_key, restart_key, gap_key,
                   incomplete_key, credential_key, audit_key, dead_letter_key, consumer_key, record_key, outbox_key,
                   arrivals_key, inbox_key, cells_key, sieve_key, snapshot_key, snapshot_piece_key, registry_key,
                   entry_key, command_key) {
  // Any bytes of the right length, with the tag in front, are some key.
  auto bytes = encode_key(TestType{});
  for (std::size_t i = 1; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(i == 1 ? 2 : i * 37);
  TestType key;
  REQUIRE(decode_key(bytes, key));
  CHECK(encode_key(key) == bytes);
  TestType again;
  REQUIRE(decode_key(encode_key(key), again));
  CHECK(again == key);
  CHECK_FALSE(decode_key(bytes + "x", again));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_key(std::string_view{bytes}.substr(0, size), again));
  bytes[0] = '\x7f';
  CHECK_FALSE(decode_key(bytes, again));
}

TEST_CASE("Texts in keys come back as they are, and those of one node lie together") {
  config_key key;
  const std::string longest(longest_key_text_bytes, 'x');
  for (const auto& node : {std::string{}, std::string{"alpha"}, std::string{"a\0b", 3}, longest}) {
    const auto bytes = encode_key(config_key{node, 0x0102030405060708});
    REQUIRE(decode_key(bytes, key));
    CHECK(key == config_key{node, 0x0102030405060708});
    CHECK(bytes.starts_with(key_prefix<config_key>(node)));
    CHECK_FALSE(bytes.starts_with(key_prefix<config_key>(node + "l")));
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK_FALSE(decode_key(std::string_view{bytes}.substr(0, size), key));
    CHECK_FALSE(decode_key(bytes + "x", key));
  }
  CHECK_FALSE(encode_key(config_key{"alphabet", 1}).starts_with(key_prefix<config_key>("alpha")));
  user_key person;
  REQUIRE(decode_key(encode_key(user_key{"u1"}), person));
  CHECK(person.id == "u1");
}

TEST_CASE("Tags differ, so no prefix of one kind of key matches a key of another") {
  const std::vector<std::string> smallest{
    encode_key(schema_key{}),     encode_key(position_key{}),
    encode_key(seal_check_key{}), encode_key(name_number_key{name_kind::node, {}}),
    encode_key(name_text_key{}),  encode_key(node_key{}),
    encode_key(mark_key{}),       encode_key(restart_key{}),
    encode_key(gap_key{}),        encode_key(record_key{}),
    encode_key(incomplete_key{}), encode_key(credential_key{}),
    encode_key(audit_key{}),      encode_key(dead_letter_key{}),
    encode_key(consumer_key{}),   encode_key(arrivals_key{}),
    encode_key(inbox_key{}),      encode_key(outbox_key{}),
    encode_key(cells_key{}),      encode_key(sieve_key{}),
    encode_key(snapshot_key{}),   encode_key(snapshot_piece_key{}),
    encode_key(registry_key{}),   encode_key(user_key{}),
    encode_key(client_key_key{}), encode_key(policy_key{}),
    encode_key(entry_key{}),      encode_key(command_key{}),
    encode_key(config_key{})};
  std::set<char> tags;
  for (const auto& key : smallest)
    tags.insert(key[0]);
  CHECK(tags.size() == smallest.size());
  for (const auto& prefix : {key_prefix<record_key>(), key_prefix<cells_key>(), key_prefix<mark_key>()})
    CHECK(std::count_if(smallest.begin(), smallest.end(), [&](const auto& key) { return key.starts_with(prefix); })
          == 1);
}

TEST_CASE("Record keys sort by node, then time, then id") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  std::vector<record_key> keys(500);
  for (auto& key : keys) {
    key.node = static_cast<std::uint32_t>(random() % 3) * 255;
    key.at_ns = static_cast<std::int64_t>(random()) >> (random() % 60);
    for (auto& byte : key.id.bytes)
      byte = static_cast<std::uint8_t>(random() % 2 * 255);
  }
  auto by_bytes = keys;
  std::sort(by_bytes.begin(), by_bytes.end(),
            [](const auto& a, const auto& b) { return encode_key(a) < encode_key(b); });
  std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) {
    return std::tie(a.node, a.at_ns, a.id) < std::tie(b.node, b.at_ns, b.id);
  });
  CHECK(by_bytes == keys);
}

TEST_CASE("The end of a prefix lies behind all that begin with it and before all that follow") {
  CHECK(prefix_end("ab") == "ac");
  CHECK(prefix_end("a\xff") == "b");
  CHECK(prefix_end(key_prefix<record_key>(0xffffffffu)) == std::string(1, '\x11'));
  const auto end = prefix_end(key_prefix<mark_key>(7u));
  CHECK(encode_key(mark_key{7, UINT32_MAX, UINT32_MAX}) < end);
  CHECK(encode_key(mark_key{8, 0, 0}) >= end);
  CHECK(encode_key(mark_key{7, 0, 0}) >= key_prefix<mark_key>(7u));
}

// --- values ----------------------------------------------------------------------------

namespace {

const totals some_totals{5, 4, 1, {highest, lowest, 3, -4, 5}, {1, -2, highest, lowest, 5, 6}, 12'345};

// Checks that a value comes back, and nothing but it is taken for one.
template <class Value, class Same>
void check_value(const Value& value, Same same) {
  const auto bytes = encode(value);
  Value back;
  REQUIRE(decode(bytes, back));
  CHECK(same(back, value));
  CHECK(encode(back) == bytes);
  CHECK_FALSE(decode(bytes + "x", back));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    INFO("cut to " << size << " of " << bytes.size());
    CHECK_FALSE(decode(std::string_view{bytes}.substr(0, size), back));
  }
  auto later = bytes;
  later[0] = 9;
  CHECK_FALSE(decode(later, back));
}

const auto equal = [](const auto& a, const auto& b) { return a == b; };
const auto by_bytes_only = [](const auto&, const auto&) { return true; };

} // namespace

TEST_CASE("A value comes back from its bytes and from nothing shorter, longer or of another version") {
  check_value(position_value{highest, 2, 3, UINT32_MAX, 5, 6, 7, 300}, equal);
  check_value(record_value{7, 1, 2, 0, UINT32_MAX, -720, true, 1234, {1, -2, 3, highest, lowest}, {}, {}}, equal);
  check_value(record_value{7,
                           1,
                           2,
                           0,
                           UINT32_MAX,
                           -720,
                           false,
                           1234,
                           {1, -2, 3, highest, lowest},
                           facts_value{1, 2, UINT32_MAX, -3, INT32_MIN, {1, 2, 3, highest, lowest, -6}, 9, 10},
                           -5},
              equal);
  check_value(record_value{7, 1, 2, 0, 4, 0, true, 5, {}, facts_value{}, {}, true}, equal);
  // What follows from the parts, and what does not; sequences of every length; costs with zeros at their end.
  const token_parts parts{5, 30, 7, 11, 13, 17};
  for (const auto& tokens : {token_counts{42, 24, 13, 30, 83}, token_counts{12, 24, 13, 30, 53}, token_counts{}})
    for (const auto seq : {sequence{0}, sequence{255}, sequence{256}, sequence{1} << 40, UINT64_MAX})
      for (const auto cost : {std::int64_t{0}, std::int64_t{7}, std::int64_t{70}, std::int64_t{-7'000}, highest, lowest,
                              highest / 1000 * 1000, std::int64_t{700'000}})
        check_value(
          record_value{seq, 300, 2, 3, 4, 480, false, 5, tokens, facts_value{1, 2, 3, 4, 200, parts, 5, 6}, cost},
          equal);
  check_value(arrivals_value{3, {{5, -5}, {6, highest}, {UINT64_MAX, lowest}}, "sealed"}, equal);
  check_value(outbox_value{event_kind::usage, {{5, 5}, {7, 300}, {UINT64_MAX - 1, UINT64_MAX}}, 0, 0, {}, {}}, equal);
  check_value(outbox_value{event_kind::gap, {}, 4, lowest, "{\"a\":1}", {}}, equal);
  check_value(outbox_value{event_kind::user_deleted, {}, 0, lowest, "{}", "u17"}, equal);
  check_value(node_value{true, 17, {1, 2, 3, -4}, some_totals, 9, 300, 4, {2, lowest, highest}, {}, {}, INT32_MIN},
              equal);
  check_value(node_value{true, 17, {}, some_totals, 9, 300, 4, {2, lowest, highest}, {}, {1, 5, 5}, 7}, equal);
  check_value(history_value{1, -2, 3, highest, lowest, 0}, equal);
  check_value(credential_value{1, highest}, equal);
  check_value(audit_value{3, lowest, highest, "7.2.140", {{1, 2, -3, 4, lowest}, {UINT32_MAX, 0, 0, 0, 0}}}, equal);
  check_value(inbox_value{-5, inbox_channel::errors, "sealed"}, equal);
  check_value(dead_letter_value{2, 5, inbox_channel::http_pop, "no timestamp", 17, "sealed"}, equal);
  check_value(consumer_value{300}, equal);
  incomplete_record incomplete{"", 0, "0123456789abcdef", moment_of(1), moment_of(2), 3, 4, {}};
  check_value(incomplete, by_bytes_only);
  incomplete.closed_at = moment_of(-7);
  check_value(incomplete, by_bytes_only);
  check_value(mark_value{1, 1 << 20, {1, 2}, {3, 4}, -1}, equal);
  restart_record restart;
  restart.evidence = {"counters fell", ""};
  restart.before = {4, 3, 2, 1};
  restart.state = restore_state::incomplete;
  check_value(restart, by_bytes_only);
  restart.restored_at = moment_of(-5);
  check_value(restart, by_bytes_only);
  check_value(gap_record{"", 0, moment_of(1), moment_of(2), 3, "why"}, by_bytes_only);
  check_value(registry_value{highest, {1, 2}, 3, 4, 5, 6, 300}, equal);
  check_value(command_value{lowest, "assign-17"}, equal);
  check_value(config_value{-5, 100, std::string(64, 'f'), "sealed"}, equal);
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  registry_entry entry{0, at_seconds(1), "cli", "local", "command-1", "key.assign", {}, {}, {}, {}, {}, {1, 2, 3}};
  const auto without_name = [](auto image) {
    name_of(image).clear();
    return image;
  };
  for (std::uint64_t form = 0; form < 8; ++form) {
    const auto person = numbered_user(form, form);
    const auto key = numbered_key(*books, form, form);
    const auto rules = numbered_policy(form, form);
    check_value(without_name(person), equal);
    check_value(without_name(key), equal);
    check_value(without_name(rules), equal);
    entry.users.push_back({std::nullopt, person});
    entry.keys.push_back({key, numbered_key(*books, form, form + 1)});
    entry.policies.push_back({rules, std::nullopt});
  }
  const auto same_entry = [](const registry_entry& a, const registry_entry& b) {
    return a.at == b.at && a.who == b.who && a.from == b.from && a.command == b.command && a.what == b.what
           && a.users == b.users && a.keys == b.keys && a.policies == b.policies && a.prices == b.prices
           && a.access == b.access && a.hash == b.hash;
  };
  check_value(entry, same_entry);
  CHECK(encode(entry)[0] == 1);
  price cost;
  cost.model = "gpt-*";
  cost.from = moment_of(-7'000'000'000);
  cost.source = price_source::models_dev;
  cost.rates = {1, highest, {}, 0, {}, 6, lowest};
  cost.steps = {{"flex", 0, {}}, {"", lowest, {.output = 5}}};
  check_value(cost, equal);
  check_value(price{}, equal);
  cost.id = "models_dev//-7/gpt-*";
  entry.prices = {{std::nullopt, cost}, {cost, std::nullopt}};
  check_value(entry, same_entry);
  CHECK(encode(entry)[0] == 2);
  check_value(registry_value{highest, {1, 2}, 3, 4, 5, 6, 300, 7}, equal);
  const access_record password{"", "someone", std::string("\0sealed", 7)};
  check_value(password, equal);
  check_value(access_record{}, equal);
  entry.access = {{std::nullopt, password}, {password, std::nullopt}};
  check_value(entry, same_entry);
  CHECK(encode(entry)[0] == 3);
  entry.prices.clear();
  check_value(entry, same_entry);
  check_value(registry_value{highest, {1, 2}, 3, 4, 5, 6, 300, 0, 9}, equal);
  snapshot_value snapshot;
  snapshot.info = {0, "alpha", moment_of(5), "interval", 17, some_totals, 100, 50, std::string(64, 'f')};
  snapshot.pieces = 2;
  check_value(snapshot, by_bytes_only);
}

TEST_CASE("Random bytes crash no decoder") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 60, '\0');
    for (auto& byte : bytes)
      byte = static_cast<char>(random() % 4 == 0 ? random() : random() % 3);
    record_value record;
    outbox_value outbox;
    arrivals_value arrivals;
    audit_value audit;
    dead_letter_value letter;
    payload_batch payloads;
    restart_record restart;
    snapshot_value snapshot;
    user person;
    client_key key;
    policy rules;
    registry_entry entry;
    price cost;
    (void)decode(bytes, cost);
    registry_value registry;
    config_value config;
    (void)decode(bytes, person);
    (void)decode(bytes, key);
    (void)decode(bytes, rules);
    (void)decode(bytes, entry);
    (void)decode(bytes, registry);
    (void)decode(bytes, config);
    (void)decode(bytes, record);
    (void)decode(bytes, outbox);
    (void)decode(bytes, arrivals);
    (void)decode(bytes, audit);
    (void)decode(bytes, letter);
    (void)decode(bytes, payloads);
    (void)decode(bytes, restart);
    (void)decode(bytes, snapshot);
  }
}

TEST_CASE("Minutes, hours and days before 1970 are counted downwards") {
  constexpr auto hour_ns = std::int64_t{3'600'000'000'000};
  CHECK(start_of(granularity::hour, 0) == 0);
  CHECK(start_of(granularity::hour, hour_ns - 1) == 0);
  CHECK(start_of(granularity::hour, hour_ns) == 1);
  CHECK(start_of(granularity::hour, -1) == -1);
  CHECK(start_of(granularity::hour, -hour_ns) == -1);
  CHECK(start_of(granularity::hour, -hour_ns - 1) == -2);
  CHECK(start_of(granularity::minute, hour_ns) == 60);
  CHECK(start_of(granularity::day, 24 * hour_ns * 20'000 + 5) == 20'000);
  CHECK(start_of(granularity::day, -1) == -1);
  CHECK(start_of(granularity::day, lowest) == -106'752);
}

} // namespace keyportal::storage
