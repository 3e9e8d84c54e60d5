// driver CORPUS [DICTIONARY]: runs a fuzzing target with every file of the folder, then with mutations of them: the same
// course for the same KEYPORTAL_SEED. KEYPORTAL_FUZZ_SECONDS says how long, 3 by default. A failure prints the input. The
// dictionary is written as libFuzzer reads it.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

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
  mutator(std::uint64_t seed, std::vector<std::string> words) : random_(seed), words_(std::move(words)) {}

  void mutate(std::string& text, const std::vector<std::string>& seeds) {
    for (auto rounds = 1 + below(4); rounds > 0; --rounds)
      once(text, seeds);
    if (text.size() > 65'536)
      text.resize(65'536);
  }
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }

private:
  void once(std::string& text, const std::vector<std::string>& seeds) {
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
      case 4: text.insert(at, words_[below(words_.size())]); break;
      case 5: text.replace(at, some, words_[below(words_.size())]); break;
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
  std::vector<std::string> words_;
};

std::vector<std::string> common_words() {
  return {"\r\n",
          "\"",
          "\\",
          "{",
          "}",
          "[",
          "]",
          ",",
          ":",
          "=",
          "&",
          "%2f",
          "-1",
          "0",
          "1e9",
          "/",
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
          "\xff",
          std::string(1, '\0')};
}

std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// `name="text"` a line, with \\, \" and \xNN.
void add_words(const std::filesystem::path& dictionary, std::vector<std::string>& to) {
  std::istringstream lines(file_text(dictionary));
  for (std::string line; std::getline(lines, line);) {
    const auto from = line.find('"'), until = line.rfind('"');
    if (line.starts_with('#') || from == until)
      continue;
    std::string word;
    for (auto at = from + 1; at < until; ++at) {
      if (line[at] != '\\') {
        word += line[at];
      } else if (line[at + 1] == 'x') {
        word += static_cast<char>(std::stoi(line.substr(at + 2, 2), nullptr, 16));
        at += 3;
      } else {
        word += line[++at];
      }
    }
    to.push_back(std::move(word));
  }
}

/// In the order of their names, so that a seed of random numbers stands for one course.
std::vector<std::string> files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> out;
  for (const auto& path : paths)
    out.push_back(file_text(path));
  return out;
}

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS [DICTIONARY]\n", argv[0]);
    return 2;
  }
  const auto seed = number_from("KEYPORTAL_SEED", std::random_device{}());
  const std::chrono::seconds length{number_from("KEYPORTAL_FUZZ_SECONDS", 3)};
  std::printf("KEYPORTAL_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  std::signal(SIGABRT, last_words);
  std::signal(SIGSEGV, last_words);

  const auto run = [] { LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()); };
  const auto seeds = files_of(argv[1]);
  must(!seeds.empty(), "there are inputs to begin with");
  for (const auto& s : seeds) {
    input = s;
    run();
  }
  auto words = common_words();
  if (argc > 2)
    add_words(argv[2], words);
  mutator change{seed, std::move(words)};
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
