// Commits numbered records one collection after the other and tells each on standard output once it is on disk, until
// it is killed. Usage: storage_crash_writer FOLDER FIRST
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

#include "sample.hpp"

int main(int count, char** arguments) {
  using namespace keyportal::storage;
  if (count != 3)
    return 2;
  auto how = test::small_settings(arguments[1]);
  how.write_buffer_bytes = std::size_t{256} << 10; // so that the kill also meets flushes and merges
  const auto books = test::must_open(how);
  constexpr std::uint64_t each = 40;
  for (std::uint64_t number = std::strtoull(arguments[2], nullptr, 10);; number += each) {
    auto poll = test::polled("alpha", test::numbered_groups("alpha", number, each));
    poll.counters.requests = static_cast<std::int64_t>(number + each);
    test::must_commit(*books, std::move(poll));
    const auto line = std::to_string(number + each) + "\n";
    if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      return 1;
    if (number % 200 == 0)
      test::must(books->forget_outbox({number, number + 1, number + 2}));
    if (number > 10'000'000)
      return 1; // nobody kills us
  }
}
