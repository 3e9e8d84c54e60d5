// Runs a fuzzing target with mutations of its seeds: the same course for the same KEYPORTAL_SEED.
// KEYPORTAL_FUZZ_SECONDS says how long, 3 by default. A failure prints the input.
#include <chrono>
#include <csignal>
#include <random>

#include <unistd.h>

#include "tests/fuzz/fuzz.hpp"

namespace {

std::string input; // the one under way, for the last words

extern "C" void last_words(int signal) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text = "fuzz: the input as hex: ";
  for (const unsigned char c : input)
    (text += digits[c >> 4]) += digits[c & 15];
  text += '\n';
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, text.data(), text.size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

class mutator {
public:
  explicit mutator(std::uint64_t seed) : random_(seed) {}

  void mutate(std::string& text, const std::vector<std::string>& seeds) {
    for (auto rounds = 1 + below(4); rounds > 0; --rounds)
      once(text, seeds);
    if (text.size() > 65'536)
      text.resize(65'536);
  }
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }

private:
  void once(std::string& text, const std::vector<std::string>& seeds) {
    static const std::string_view words[] = {"\r\n",
                                             "\"",
                                             "\\",
                                             "{",
                                             "}",
                                             "[",
                                             "]",
                                             ",",
                                             ":",
                                             "*3\r\n",
                                             "$7\r\n",
                                             "$-1\r\n",
                                             "$5\r\n",
                                             "*0\r\n",
                                             "-1",
                                             "0",
                                             "1e9",
                                             "\\u0000",
                                             "null",
                                             "true",
                                             "false",
                                             "\\ud800",
                                             "9223372036854775807",
                                             "-9223372036854775808",
                                             "18446744073709551616",
                                             "1.5",
                                             "\xc3\xa9",
                                             "\xff"};
    const auto at = below(text.size() + 1);
    const auto some = below(std::min<std::size_t>(text.size() - at, 64) + 1);
    switch (below(9)) {
      case 0:
        if (at < text.size())
          text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1: text.insert(at, 1, static_cast<char>(below(256))); break;
      case 2: text.erase(at, some); break;
      case 3: text.insert(below(text.size() + 1), text.substr(at, some)); break;
      case 4: text.insert(at, words[below(std::size(words))]); break;
      case 5: text.replace(at, some, words[below(std::size(words))]); break;
      case 6: {
        const auto& other = seeds[below(seeds.size())];
        text = text.substr(0, at) + other.substr(below(other.size() + 1));
        break;
      }
      case 7: {
        const auto digit = text.find_first_of("0123456789", at);
        if (digit != std::string::npos)
          text[digit] = static_cast<char>('0' + below(10));
        break;
      }
      default: text.resize(at); break;
    }
  }

  std::mt19937_64 random_;
};

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

} // namespace

int main() {
  const auto seed = number_from("KEYPORTAL_SEED", std::random_device{}());
  const std::chrono::seconds length{number_from("KEYPORTAL_FUZZ_SECONDS", 3)};
  std::printf("KEYPORTAL_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  std::signal(SIGABRT, last_words);
  std::signal(SIGSEGV, last_words);

  const auto run = [] { LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()); };
  const auto seeds = fuzz_seeds();
  for (const auto& s : seeds) {
    input = s;
    run();
  }
  mutator change{seed};
  auto pool = seeds; // grows by mutations of mutations
  std::uint64_t runs = 0;
  const auto end = std::chrono::steady_clock::now() + length;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 100; ++i, ++runs) {
      input = pool[change.below(pool.size())];
      change.mutate(input, seeds);
      run();
      if (change.below(50) == 0) {
        if (pool.size() < 500)
          pool.push_back(input);
        else
          pool[seeds.size() + change.below(pool.size() - seeds.size())] = input;
      }
    }
  }
  std::printf("%llu inputs\n", static_cast<unsigned long long>(runs));
}
