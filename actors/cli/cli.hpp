// Every command but `serve`.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include <caf/expected.hpp>
#include <nlohmann/json_fwd.hpp>

#include "config/command_line.hpp"
#include "config/load.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"

namespace keyportal::cli {

/// Where a command reads and writes. Results go to `out`, all else (progress, questions, errors) to `err`.
struct console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool err_is_terminal = false;
  bool out_is_terminal = false;
};
/// Standard input, output and error of the process.
console process_console();

struct tail_request {
  std::string url;   ///< of the NATS server; never empty
  bool ours = false; ///< the server of the configuration (with its credentials), not one of --nats or of our own child
  std::string from;  ///< as in `invocation`
  std::string subject; ///< empty: all
};
struct tailed_event {
  sequence seq = 0; ///< 0: unknown
  std::string time; ///< RFC 3339
  std::string subject;
  std::string id;
  std::string type;
  std::string body; ///< JSON
};

/// What the command line borrows from parts it does not know.
struct hooks {
  /// Calls the function with every event until it returns false. Empty: `events tail` is not there.
  std::function<caf::error(const tail_request&, const std::function<bool(const tailed_event&)>&)> tail;
  /// Compares roll-ups with records in the data folder, where no service runs, and mends them or not; tells after each
  /// day how many of how many are done. The answer is that of `GET /api/v1/ledger/check`. Empty: only the service can.
  std::function<caf::expected<nlohmann::json>(const settings&, bool mends,
                                              const std::function<void(std::uint64_t done, std::uint64_t days)>&)>
    check_ledger;
};

/// Does what the command line asks for and returns the exit code: 0 done, 1 failed, 2 wrong usage, 3 not reachable.
/// `loaded` is what `load_settings` made of it; its errors end every command that needs the settings.
/// Not for `command::serve`.
int run(const invocation& asked, const loaded_settings& loaded, const console& io, const hooks& borrowed);

} // namespace keyportal::cli
