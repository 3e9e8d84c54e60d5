// One function per command; each returns the exit code. Known to cli.cpp only.
#pragma once

#include "actors/cli/cli.hpp"

namespace keyportal::cli {

struct context {
  const invocation& asked;
  const settings& values;
  const console& io;
};

// commands.cpp: about the running service
int status(const context& here);
int list_snapshots(const context& here);
int show_snapshot(const context& here);
int make_snapshot(const context& here);
int restore(const context& here);
int tail_events(const context& here, const hooks& borrowed);

// letters.cpp: what did not arrive or could not be read
int list_incompletes(const context& here);
int list_letters(const context& here);
int show_letter(const context& here);
int replay_letters(const context& here);
int drop_letters(const context& here);

// transfer.cpp: usage in and out
int export_usage(const context& here);
int export_from_cpa(const context& here);
int import_usage(const context& here);
int import_to_cpa(const context& here);

/// Says what went wrong and gives the exit code for it.
int fail(const context& here, const caf::error& error);
/// The node the command is about: the one named, else the only one.
class service;
caf::expected<node_name> chosen_node(const context& here, const service& portal);
/// Asks before something that cannot be undone; true without asking where nobody sits there or --yes was given.
bool confirmed(const context& here, const std::string& question);

} // namespace keyportal::cli
