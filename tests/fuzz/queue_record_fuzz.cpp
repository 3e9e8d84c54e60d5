// Decoding never fails badly, and what it accepts is JSON with one spelling and one id.
#include <nlohmann/json.hpp>

#include "actors/cpa/queue_record.hpp"
#include "actors/cpa/spelling.hpp"
#include "messages/errors.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace keyportal;
using namespace keyportal::cpa;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  static speller spell;
  spelt object;
  const bool accepted = spell.spell(text, object).empty();
  const std::string spelling{object.text};

  const decode_rule rule{"node", decode_rule::identity::as_queue_record};
  const auto item = decode_queue_record(text, rule);
  const auto problem = decode_account_error(text, "node");
  const auto answer = split_queue_answer(text);
  for (const auto element : answer.elements)
    must(!element.empty() && element.data() >= text.data() && element.data() + element.size() <= text.data() + size,
         "elements lie in the answer");
  if (!accepted) {
    must(!item && code_of(item.error()) == errc::record_malformed, "what cannot be spelt is no record");
    must(!problem, "what cannot be spelt is no error of an account");
    return 0;
  }
  must(nlohmann::json::accept(text), "what is spelt is JSON");
  must(nlohmann::json::accept(spelling), "the spelling is JSON");
  must(spell.spell(spelling, object).empty() && object.text == spelling, "the spelling of the spelling is itself");
  const auto list = "[" + std::string{text} + "]";
  const auto split = split_queue_answer(list);
  must(!split.error && split.elements.size() == 1, "an object in a list is one element");
  must(spell.spell(split.elements[0], object).empty() && object.text == spelling, "and the same one");

  if (!item || !std::holds_alternative<queue_record>(*item))
    return 0;
  const auto& record = std::get<queue_record>(*item);
  const auto again = decode_queue_record(spelling, rule);
  must(again && std::holds_alternative<queue_record>(*again), "the spelling is a record too");
  const auto& same = std::get<queue_record>(*again);
  must(same.what.id == record.what.id && same.what.facts->extra == record.what.facts->extra,
       "with the same id and the same extra");
  must(same.what.parts == record.what.parts && same.what.tokens == record.what.tokens, "and the same tokens");
  must(nlohmann::json::accept(record.what.facts->extra), "extra is JSON");
  must(record.what.facts->extra.size() < 512U << 10, "extra is bounded");
  return 0;
}
