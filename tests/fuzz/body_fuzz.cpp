// JSON bodies, one reader for each first letter: what is taken is an object of known fields, what is not is refused in a
// few words of ours.
#include <nlohmann/json.hpp>

#include "gateway/access_bodies.hpp"
#include "gateway/copies.hpp"
#include "gateway/handlers.hpp"
#include "gateway/problem.hpp"
#include "gateway/registry_bodies.hpp"
#include "messages/errors.hpp"
#include "messages/exports_json.hpp"
#include "messages/registry_json.hpp"
#include "messages/usage_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {

/// What was wrong; unset: it was taken.
using reader = caf::error (*)(std::string_view body);

template <auto read>
caf::error outcome(std::string_view body) {
  auto got = read(body);
  return got ? caf::error{} : got.error();
}

caf::error policy_body(std::string_view body) {
  const auto got = read_policy(body, "group");
  if (!got)
    return got.error();
  must(got->name == "group", "a policy is that of the address");
  const auto shown = to_json(*got);
  const auto again = policy_from(shown);
  must(again && to_json(*again) == shown, "a policy that was read can be shown and read again");
  return {};
}
caf::error import_body(std::string_view body) {
  const auto got = read_import_keys(body);
  must(!got || got->keys.size() <= most_imported, "an import is bounded");
  return got ? caf::error{} : got.error();
}
caf::error copies_body(std::string_view body) {
  const auto got = read_copies(body, "cpa");
  if (!got)
    return got.error();
  std::size_t records = 0;
  for (const auto& group : got->groups)
    records += group.details.size();
  must(records <= most_copied, "records are bounded");
  return {};
}
caf::error days_body(std::string_view body) {
  const auto got = read_days(body, "cpa");
  must(!got || got->days.size() <= most_copied, "days are bounded");
  return got ? caf::error{} : got.error();
}
caf::error usage_body_of(std::string_view body) {
  const auto got = read_usage_question(body);
  return got ? caf::error{} : got.error();
}
caf::error records_body(std::string_view body) {
  const auto got = read_record_question(body);
  return got ? caf::error{} : got.error();
}
caf::error export_body(std::string_view body) {
  const auto got = read_export_question(body);
  return got ? caf::error{} : got.error();
}
caf::error sign_in_body(std::string_view body) {
  const auto got = read_sign_in(body);
  if (!got)
    return got.error();
  if (const auto* by_password = std::get_if<sign_in_with_password>(&*got))
    must(by_password->password.reveal().size() <= 2048 && by_password->email.size() <= 512,
         "what is hashed is bounded");
  return {};
}
caf::error prices_body(std::string_view body) {
  const auto got = read_put_prices(body);
  must(!got || got->prices.size() <= 100'000, "prices are bounded");
  return got ? caf::error{} : got.error();
}

constexpr reader readers[] = {
  outcome<read_add_user>,
  outcome<read_change_user>,
  outcome<read_user_state>,
  outcome<read_assign_key>,
  outcome<read_renew_key>,
  outcome<read_rotate_key>,
  outcome<read_adopt_key>,
  outcome<read_ask_renewal>,
  outcome<read_answer_renewal>,
  outcome<read_change_key>,
  outcome<read_find_key>,
  import_body,
  outcome<read_make_keys>,
  policy_body,
  prices_body,
  outcome<read_drop_prices>,
  outcome<read_reprice_order>,
  outcome<read_mend>,
  sign_in_body,
  outcome<read_second_factor>,
  outcome<read_registration>,
  outcome<read_password_change>,
  outcome<read_password_wish>,
  outcome<read_new_password>,
  outcome<read_identity>,
  outcome<read_password_again>,
  outcome<read_totp_code>,
  outcome<read_token_wish>,
  outcome<read_invitation>,
  outcome<read_label>,
  copies_body,
  days_body,
  usage_body_of,
  records_body,
  export_body,
  outcome<read_replay>,
  read_nothing,
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body{reinterpret_cast<const char*>(data), size};
  const auto read = readers[choice(body, std::size(readers))];
  if (const auto wrong = read(body)) {
    const auto code = code_of(wrong);
    must(row_of(code).http_status >= 400 && row_of(code).http_status < 500, "the mistake is the one's who asks");
    must(about_of(wrong).size() < 1000, "a refusal is short");
    must(nlohmann::json::accept(*problem(wrong).body), "and can be told");
    return 0;
  }
  if (body.empty())
    return 0;
  const auto object = nlohmann::json::parse(body, nullptr, false);
  must(object.is_object(), "what is taken is an object");
  auto more = object;
  more["zzz-unknown"] = 1;
  must(bool{read(more.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))}, "an unknown field is refused");
  return 0;
}
