#include <istream>

#include <fmt/format.h>

#include "gateway/compat/go_text.hpp"
#include "gateway/compat/http_head.hpp"
#include "gateway/compat/http_reader.hpp"
#include "gateway/compat/import_reader.hpp"
#include "gateway/compat/talk.hpp"
#include "gateway/compat/usage_sheet.hpp"
#include "messages/errors.hpp"

namespace keyportal::compat {

namespace {

constexpr std::string_view json_type = "application/json; charset=utf-8";
constexpr std::string_view prefix = "/v0/management";
constexpr std::string_view merged_version = "6.9.49"; ///< the last one that had all that we serve
constexpr auto patience = std::chrono::seconds(30);
constexpr std::uint64_t largest_import = std::uint64_t{4} << 30;
constexpr std::uint64_t largest_passed = std::uint64_t{16} << 20;
/// A file of up to that many records is taken whole or not at all.
constexpr std::size_t records_at_once = 200'000;
constexpr std::size_t most_markers = 1000;

enum class route : std::uint8_t { home, health, usage, export_file, import_file, queue, other_management, unknown };

std::string_view name_of(route r) {
  switch (r) {
    case route::home: return "/";
    case route::health: return "/healthz";
    case route::usage: return "usage";
    case route::export_file: return "usage/export";
    case route::import_file: return "usage/import";
    case route::queue: return "usage-queue";
    case route::other_management: return "other";
    case route::unknown: break;
  }
  return "unknown";
}

/// One request and where it goes.
class conversation {
public:
  conversation(common_ground& ground, line& with, std::string first)
    : ground_(ground), line_(with), reader_(with, std::move(first)) {}

  void run() {
    for (go_on_ = true; go_on_ && !ground_.stopping;) {
      switch (reader_.head(request_)) {
        case http_reader::outcome::request: break;
        case http_reader::outcome::end: return;
        case http_reader::outcome::malformed: return refuse_plainly(400, "Bad Request");
        case http_reader::outcome::too_large: return refuse_plainly(431, "Request Header Fields Too Large");
      }
      go_on_ = reader_.keep_alive();
      node_.clear();
      who_ = nullptr;
      handle();
      go_on_ = go_on_ && reader_.body_read();
    }
    line_.close_gently();
  }

private:
  // --- answers ------------------------------------------------------------------------

  void refuse_plainly(int status, std::string_view text) {
    ground_.told("unknown", status);
    line_.write(fmt::format("HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
                            "{} {}",
                            status, text, status, text),
                patience);
    line_.close_gently();
  }

  [[nodiscard]] bool is_head() const { return request_.method == "HEAD"; }

  answer_head begin(int status, std::string_view type, bool management) {
    answer_head head;
    head.status = status;
    head.content_type = type;
    if (management)
      head.version = version();
    // What is left of a body that nobody wants would be taken for the next request.
    head.keep_alive = go_on_ = go_on_ && !ground_.stopping && reader_.body_read();
    head.http_1_0 = reader_.http_1_0();
    return head;
  }

  void answer(int status, std::string_view body, std::string_view type = json_type, bool management = true) {
    ground_.told(name_of(route_), status);
    auto head = begin(status, body.empty() ? std::string_view{} : type, management);
    head.length = body.size();
    auto out = write_head(head, ground_.back.now());
    if (!is_head())
      out += body;
    go_on_ = line_.write(out, patience) && go_on_;
  }
  void fail(int status, std::string_view text) { answer(status, error_body(text)); }
  /// Something of ours went wrong.
  void fail(const caf::error& why) {
    const auto status = row_of(code_of(why)).http_status;
    fail(status < 500 ? 500 : status, render(why));
  }

  /// Text of unknown length: in chunks; for HTTP/1.0, up to the end of the connection.
  template <class Write>
  void stream(Write&& write) {
    ground_.told(name_of(route_), 200);
    auto head = begin(200, json_type, true);
    if (head.http_1_0)
      head.keep_alive = go_on_ = false;
    const bool chunked = !head.http_1_0;
    bool open = line_.write(write_head(head, ground_.back.now()), patience);
    const bool whole = open && write([&](std::string_view text) {
                         if (chunked)
                           open = line_.write(fmt::format("{:x}\r\n", text.size()), patience)
                                  && line_.write(text, patience) && line_.write("\r\n", patience);
                         else
                           open = line_.write(text, patience);
                         return open && !ground_.stopping;
                       });
    go_on_ = whole && (!chunked || line_.write("0\r\n\r\n", patience)) && go_on_;
  }

  void not_found() {
    if (who_ || judges_unknown_paths(version()))
      return answer(404, {}, {}, who_ != nullptr);
    answer(404, "404 page not found", "text/plain", false);
  }

  // --- who and where ------------------------------------------------------------------

  /// What the nodes asked for call themselves.
  std::string version() {
    const auto nodes = ground_.back.nodes();
    auto of = node_.empty() && nodes.size() == 1 ? nodes.front() : node_;
    auto text = of.empty() ? std::string{} : ground_.back.version_of(of);
    const bool plain = !text.empty() && text.size() <= 64
                       && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
    return plain ? text : std::string(merged_version);
  }

  /// Cuts "/node/<name>" off the path.
  std::string_view take_node(std::string_view path) {
    constexpr std::string_view begin = "/node/";
    if (!path.starts_with(begin))
      return path;
    const auto rest = path.substr(begin.size());
    const auto slash = rest.find('/');
    if (slash == 0 || slash == std::string_view::npos)
      return path;
    node_ = rest.substr(0, slash);
    return rest.substr(slash);
  }

  [[nodiscard]] bool is_node(const node_name& name) const {
    const auto nodes = ground_.back.nodes();
    return std::find(nodes.begin(), nodes.end(), name) != nodes.end();
  }

  [[nodiscard]] route route_of(std::string_view path) const {
    const auto& method = request_.method;
    const bool get = method == "GET";
    if (path == "/" && get)
      return route::home;
    if (path == "/healthz" && (get || is_head()))
      return route::health;
    if (!path.starts_with(prefix) || (path.size() > prefix.size() && path[prefix.size()] != '/'))
      return route::unknown;
    path.remove_prefix(prefix.size());
    if (path == "/usage" && get)
      return route::usage;
    if (path == "/usage/export" && get)
      return route::export_file;
    if (path == "/usage/import" && method == "POST")
      return route::import_file;
    if (path == "/usage-queue" && get)
      return route::queue;
    return route::other_management;
  }

  bool enter() {
    const auto verdict = ground_.guard.judge(presented_key(request_), line_.peer(), key_guard::clock::now());
    if (!verdict.who) {
      fail(verdict.status, verdict.why);
      return false;
    }
    who_ = verdict.who;
    if (!who_->node.empty()) {
      if (!node_.empty() && node_ != who_->node) {
        not_found();
        return false;
      }
      node_ = who_->node;
    }
    if (!node_.empty() && !is_node(node_)) {
      node_.clear();
      not_found();
      return false;
    }
    return true;
  }

  // --- routes ---------------------------------------------------------------------------

  void handle() {
    route_ = route::unknown;
    const auto hosts = std::count_if(request_.headers.begin(), request_.headers.end(),
                                     [](const auto& header) { return header.first == "host"; });
    if (hosts > 1 || (hosts == 0 && !reader_.http_1_0())) {
      go_on_ = false;
      return refuse_plainly(400, "Bad Request");
    }
    if (hosts == 1 && !ground_.hosts.takes(header_of(request_, "host"))) {
      go_on_ = false;
      return answer(421, error_body("this name is not one of compat.hosts"), json_type, false);
    }
    if (request_.method == "OPTIONS")
      return answer(204, {}, {}, false);
    const auto path = take_node(request_.path);
    route_ = route_of(path);
    switch (route_) {
      case route::home:
        return answer(200,
                      R"({"endpoints":["POST /v1/chat/completions","POST /v1/completions","GET /v1/models"],)"
                      R"("message":"CLI Proxy API Server"})",
                      json_type, false);
      case route::health: return answer(200, is_head() ? "" : R"({"status":"ok"})", json_type, false);
      case route::unknown: return answer_unknown();
      case route::other_management: return other_management(path);
      default: break;
    }
    if (!enter())
      return;
    switch (route_) {
      case route::usage: return usage(false);
      case route::export_file: return usage(true);
      case route::import_file: return import_file();
      default: return queue();
    }
  }

  void answer_unknown() {
    if (judges_unknown_paths(version()))
      return answer(404, {}, {}, false);
    answer(404, "404 page not found", "text/plain", false);
  }

  void usage(bool as_export) {
    if (!ground_.sheets.try_acquire_for(patience))
      return fail(503, "too many ask for everything at once");
    struct returned {
      std::counting_semaphore<>& to;
      ~returned() { to.release(); }
    } const at_the_end{ground_.sheets};
    usage_sheet sheet;
    {
      const std::lock_guard lock(ground_.markers_mutex);
      for (const auto& [node, names] : ground_.markers)
        if (node_.empty() || node_ == node)
          for (const auto& name : names)
            sheet.add_entry(name);
    }
    const auto last = ground_.back.last(); // what comes meanwhile waits for the next time
    read_arrivals what;
    what.limit = 10'000;
    what.whole = true;
    if (!node_.empty())
      what.node = node_;
    for (bool more = true; more;) {
      const auto found = ground_.back.arrivals(what);
      if (!found)
        return fail(found.error());
      for (const auto& one : *found) {
        if (one.record.seq > last)
          break;
        sheet.add(one);
      }
      more = found->size() == what.limit && found->back().record.seq < last && !ground_.stopping;
      if (more)
        what.after = found->back().record.seq;
    }
    if (as_export)
      stream([&](const text_sink& to) { return std::move(sheet).write_export(ground_.back.now(), to); });
    else
      stream([&](const text_sink& to) { return std::move(sheet).write_usage(to); });
  }

  bool go_ahead() { return !reader_.expects_continue() || line_.write("HTTP/1.1 100 Continue\r\n\r\n", patience); }

  void import_file() {
    const auto nodes = ground_.back.nodes();
    if (node_.empty() && nodes.size() != 1)
      return fail(400, nodes.empty() ? "no node is configured"
                                     : "several nodes are configured: post to /node/<name>/v0/management/usage/import");
    const auto node = node_.empty() ? nodes.front() : node_;
    if (!go_ahead())
      return;
    reader_.limit_body(largest_import);
    body_stream body{reader_};
    std::istream in{&body};
    std::vector<std::string> entries;
    import_report report;
    caf::error problem;
    const auto take = [&](std::vector<record_group> groups) {
      auto taken = ground_.back.take_records(node, std::move(groups));
      if (!taken) {
        problem = std::move(taken.error());
        return false;
      }
      report.records += taken->records;
      report.added += taken->added;
      return !ground_.stopping;
    };
    const auto outcome = in.peek() == '[' ? import_list(in, node, take)
                                          : read_import(in, {node, ground_.back.now(), records_at_once}, take, entries);
    if (report.added > 0)
      ground_.back.restore(node);
    if (problem)
      return fail(problem);
    if (body.how() == http_reader::piece::too_large)
      return fail(413, "the file is larger than 4 GiB");
    if (body.how() == http_reader::piece::broken)
      return fail(400, "failed to read request body");
    switch (outcome) {
      case import_outcome::done: break;
      case import_outcome::unknown_version: return fail(400, "unsupported version");
      case import_outcome::malformed: return fail(400, "invalid json");
      case import_outcome::stopped: return fail(503, "stopping");
    }
    {
      const std::lock_guard lock(ground_.markers_mutex);
      auto& known = ground_.markers[node];
      for (auto& name : entries)
        if (known.size() < most_markers)
          known.insert(std::move(name));
    }
    const auto sums = ground_.back.sums(node);
    answer(200, fmt::format(R"({{"added":{},"failed_requests":{},"skipped":{},"total_requests":{}}})", report.added,
                            sums.failed, report.records - report.added, sums.requests));
  }

  /// What somebody popped and kept.
  template <class Take>
  import_outcome import_list(std::istream& in, const node_name& node, const Take& take) {
    std::vector<record_group> groups;
    std::size_t records = 0;
    bool taken = true;
    const auto outcome = read_record_list(in, [&](std::string_view text) {
      auto one = ground_.back.decode(node, text);
      if (!one)
        return false;
      if (one->details.empty())
        return true;
      if (!groups.empty() && groups.back().model == one->model && groups.back().client_key == one->client_key)
        groups.back().details.push_back(std::move(one->details.front()));
      else
        groups.push_back(std::move(*one));
      if (++records < records_at_once)
        return true;
      records = 0;
      return taken = take(std::exchange(groups, {}));
    });
    if (!taken)
      return import_outcome::stopped;
    return outcome != import_outcome::done || take(std::move(groups)) ? outcome : import_outcome::stopped;
  }

  void queue() {
    std::string_view text;
    for (const auto& [name, value] : request_.query)
      if (name == "count") {
        text = value;
        break;
      }
    const auto count = trimmed(text).empty() ? 1 : positive_number(text);
    if (count == 0)
      return fail(400, "count must be a positive integer");
    const auto place = ground_.all_places.of(*who_, node_);
    if (!place)
      return fail(place.error());
    const auto records = (*place)->pop(static_cast<std::size_t>(count));
    if (!records)
      return fail(records.error());
    std::string body = "[";
    for (const auto& record : *records) {
      if (body.size() > 1)
        body += ',';
      body += record;
    }
    body += ']';
    answer(200, body);
  }

  void other_management(std::string_view path) {
    if (!ground_.pass_through && !judges_unknown_paths(version()))
      return answer_unknown();
    if (!enter())
      return;
    const auto nodes = ground_.back.nodes();
    if (!ground_.pass_through || is_head() || (node_.empty() && nodes.size() != 1))
      return not_found();
    if (!go_ahead())
      return;
    reader_.limit_body(largest_passed);
    char block[16 << 10];
    std::size_t n = 0;
    for (auto how = http_reader::piece::bytes; how != http_reader::piece::end;) {
      how = reader_.body(block, sizeof block, n);
      if (how == http_reader::piece::too_large)
        return fail(413, "larger than 16 MiB");
      if (how == http_reader::piece::broken) {
        go_on_ = false;
        return;
      }
      request_.body.append(block, n);
    }
    if (path.ends_with("/config.yaml") && request_.method == "PUT" && trimmed(request_.body).empty())
      return fail(400, "an empty configuration would leave CLIProxyAPI without keys and out of reach");
    const auto begins = reader_.target().find(prefix);
    if (begins == std::string::npos) // written with escapes
      return not_found();
    auto passed =
      ground_.back.forward(node_.empty() ? nodes.front() : node_, request_, reader_.target().substr(begins));
    if (!passed)
      return fail(passed.error());
    answer(passed->status, *passed->body, passed->content_type);
  }

  common_ground& ground_;
  line& line_;
  http_reader reader_;
  http_request request_;
  route route_ = route::unknown;
  node_name node_; ///< asked for; empty: all
  const consumer* who_ = nullptr;
  bool go_on_ = true;
};

} // namespace

void talk_http(common_ground& ground, line& with, std::string first) {
  conversation{ground, with, std::move(first)}.run();
}

} // namespace keyportal::compat
