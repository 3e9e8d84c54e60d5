// What is pasted after a login with a provider, what nodes say of their accounts, and what providers say of quota.
#include <algorithm>
#include <cmath>

#include "actors/account_keeper/account_fold.hpp"
#include "actors/account_keeper/callback_text.hpp"
#include "actors/account_keeper/login_book.hpp"
#include "actors/account_keeper/quota_reader.hpp"
#include "actors/account_keeper/window_book.hpp"
#include "actors/cpa/account_files.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace keyportal;

namespace {

const moment now = moment_of(1'800'000'000'000'000'000);

void look_at_callback(std::string_view text) {
  const auto got = read_callback(text);
  if (!got) {
    must(code_of(got.error()) == errc::callback_unreadable || code_of(got.error()) == errc::callback_incomplete,
         "it is unreadable or cut");
    return;
  }
  must(!got->state.empty() && got->state.size() <= 128, "a state is one that CPA may have given");
  must(got->code.empty() != got->refused.empty() || !got->code.empty(), "there is a code, or a refusal");
  const auto plain = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  must(std::all_of(got->code.begin(), got->code.end(), plain), "a code has nothing that ends a line");
}

void look_at_quota(std::string_view provider, std::string_view text) {
  auto got = read_quota(provider, text, now);
  if (!got) {
    must(code_of(got.error()) == errc::quota_unknown, "it is not understood");
    return;
  }
  must(!got->windows.empty() && got->windows.size() <= 32, "there are windows");
  for (const auto& w : got->windows)
    must(std::isfinite(w.used) && w.used >= 0 && w.used <= 1000 && w.name.size() < 64, "each is one that can be shown");
  window_book book;
  (void)book.take(got->windows, now);
  window_book back;
  must(back.read(book.write()) && back.write() == book.write(), "it is the same after it was kept");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr const char* of[] = {"claude", "codex", "antigravity", "gemini-cli", "kimi", "xai"};
  const auto which = choice(text, 10);
  switch (which) {
    case 0: look_at_callback(text); break;
    default: look_at_quota(of[which - 1], text); break;
    case 7: {
      (void)cpa::read_auth_files("n", text);
      (void)cpa::read_token_times(text);
      (void)cpa::read_moment(text);
      break;
    }
    case 8: {
      login_entry one;
      if (read_login(text, one)) {
        login_entry back;
        must(read_login(write_login(one), back) && write_login(back) == write_login(one), "a login is what it was");
      }
      window_book book;
      (void)book.read(text);
      break;
    }
    case 9: must(shown_error(text).size() < 400, "what is shown is short"); break;
  }
  return 0;
}
