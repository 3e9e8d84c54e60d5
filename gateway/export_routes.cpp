#include "gateway/export_routes.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <caf/send.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gateway/handlers.hpp"
#include "messages/exports_json.hpp"

namespace keyportal::gateway {

namespace {

/// Stands for the end that nobody knows yet (RFC 8673): the largest number that every program can hold.
constexpr std::uint64_t unknown_end = 9'007'199'254'740'991;

constexpr std::size_t most_remembered = 1024;

/// What reading all of that takes.
right right_for(const export_question& question) {
  if (question.format == export_format::cpa)
    return right::read_secrets;
  switch (question.what) {
    case export_what::users: return right::read_people;
    case export_what::keys: return right::read_keys;
    case export_what::audit: return right::read_audit;
    default: return right::read_usage;
  }
}

bool may(const visit& here, const export_question& question) {
  const auto needed = right_for(question);
  if (here.by->who.rights.has(needed))
    return true;
  here.note(access_event::right_missing, errc::right_missing);
  here.fail(make_error(errc::right_missing, std::string(to_text(needed))));
  return false;
}

/// Who begins one alone reads it: for others it is not there.
void remember(const visit& here, const std::string& id) {
  auto& all = here.self->state.exports;
  all.emplace_back(id, here.who());
  if (all.size() > most_remembered)
    all.pop_front();
}
bool is_anothers(const visit& here, const std::string& id) {
  if (here.by->who.kind == caller_kind::control)
    return false;
  const auto& all = here.self->state.exports;
  return std::none_of(all.begin(), all.end(),
                      [&](const auto& one) { return one.first == id && one.second == here.who(); });
}

struct byte_range {
  std::uint64_t first = 0;
  std::uint64_t last = unknown_end; ///< included
};

/// "bytes=N-" or "bytes=N-M"; anything else (several ranges, the last so many bytes) may be ignored, and is.
std::optional<byte_range> range_of(const http_request& request) {
  auto text = header_of(request, "range");
  if (!text.starts_with("bytes="))
    return std::nullopt;
  text.remove_prefix(6);
  byte_range out;
  const auto read = [&](std::uint64_t& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return error == std::errc{};
  };
  if (!read(out.first) || !text.starts_with("-"))
    return std::nullopt;
  text.remove_prefix(1);
  if (!text.empty() && (!read(out.last) || !text.empty() || out.last < out.first))
    return std::nullopt;
  return out;
}

/// Pieces one after the other up to the last byte that was asked for, the first of which is there already.
class export_stream {
public:
  export_stream(exporter_actor exporter, std::string id, const byte_range& range, export_piece first)
    : exporter_(std::move(exporter)), id_(std::move(id)), next_(range.first), last_(range.last),
      first_(std::move(first)) {}

  static body_source source(std::shared_ptr<export_stream> stream) {
    return [stream = std::move(stream)](std::function<void(body_piece)> give) { ask(stream, std::move(give)); };
  }

private:
  static void ask(const std::shared_ptr<export_stream>& stream, std::function<void(body_piece)> give) {
    if (auto first = std::exchange(stream->first_, std::nullopt))
      return give(stream->take(std::move(*first)));
    // An exporter that is gone drops the message, and with it what would give the piece.
    caf::anon_send(
      stream->exporter_,
      pull_export{{stream->id_, stream->next_}, [stream, give = std::move(give)](caf::expected<export_piece> piece) {
                    give(piece ? stream->take(std::move(*piece)) : body_piece{nullptr, true});
                  }});
  }

  /// Pieces are asked for one after the other, so this is never called twice at once.
  body_piece take(export_piece piece) {
    const auto left = last_ - next_;
    if (piece.text->size() > left) {
      next_ = last_ + 1;
      return {std::make_shared<const std::string>(*piece.text, 0, static_cast<std::size_t>(left) + 1), true};
    }
    next_ += piece.text->size();
    return {std::move(piece.text), piece.last};
  }

  exporter_actor exporter_;
  std::string id_;
  std::uint64_t next_;
  std::uint64_t last_;
  std::optional<export_piece> first_;
};

/// Answers with all of an export from where it is asked for.
void stream(const visit& here, const std::string& id, const byte_range& range, bool is_part) {
  const auto exporter = here.self->state.handles.exporter;
  here.ask_or<export_piece>(
    exporter, read_export{id, range.first}, file_wait,
    [here, exporter, id, range, is_part](const export_piece& first) {
      if (is_part && first.last && first.text->empty()) {
        auto refusal = problem(make_error(errc::bad_request, "the export ends there"), 416);
        refusal.headers.emplace_back("Content-Range", fmt::format("bytes */{}", range.first));
        return here.answer(std::move(refusal));
      }
      http_response out;
      out.status = is_part ? 206 : 200;
      out.content_type = first.content_type;
      out.headers = {{"Content-Disposition", fmt::format("attachment; filename=\"{}\"", first.file_name)},
                     {"Content-Location", "/api/v1/exports/" + id},
                     {"Accept-Ranges", "bytes"},
                     {"ETag", fmt::format("\"{}\"", id)}};
      if (is_part)
        out.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/*", range.first, range.last));
      out.pieces = export_stream::source(std::make_shared<export_stream>(exporter, id, range, first));
      here.answer(std::move(out));
    },
    [here](const caf::error& error) { here.answer(problem(error, code_of(error) == errc::bad_request ? 416 : 0)); });
}

void open(const visit& here, export_question question, std::function<void(const opened_export&)> then) {
  here.ask<opened_export>(here.self->state.handles.exporter, open_export{std::move(question)}, long_wait,
                          std::move(then));
}

void read(const visit& here) {
  const auto& name = here.asked.name;
  const auto what = export_what_of(name);
  if (!what) {
    if (is_anothers(here, name))
      return here.fail(make_error(errc::export_gone));
    const auto range = range_of(here.exchange->request);
    // A part of another export would not fit what is there.
    const auto wanted = header_of(here.exchange->request, "if-range");
    const bool fits = wanted.empty() || wanted == fmt::format("\"{}\"", name);
    return stream(here, name, range && fits ? *range : byte_range{}, range && fits);
  }
  auto question = read_export_question(*what, here.exchange->request.query);
  if (!question)
    return here.fail(question.error());
  if (!may(here, *question))
    return;
  if (here.exchange->request.method == "HEAD")
    return here.answer({});
  open(here, std::move(*question), [here](const opened_export& opened) {
    remember(here, opened.id);
    stream(here, opened.id, {}, false);
  });
}

} // namespace

void about_exports(const visit& here) {
  switch (here.asked.row->about) {
    case topic::open_export: {
      auto question = read_export_question(here.exchange->request.body);
      if (!question)
        return here.fail(question.error());
      if (!may(here, *question))
        return;
      return open(here, std::move(*question), [here](const opened_export& opened) {
        remember(here, opened.id);
        auto out = json_answer(to_json(opened), 201);
        out.headers.emplace_back("Location", "/api/v1/exports/" + opened.id);
        here.answer(std::move(out));
      });
    }
    case topic::close_export: {
      const auto& exporter = here.self->state.handles.exporter;
      if (!exporter)
        return here.fail(make_error(errc::shutting_down, "not started yet"));
      if (!is_anothers(here, here.asked.name))
        caf::anon_send(exporter, close_export{here.asked.name});
      http_response out;
      out.status = 204;
      return here.answer(std::move(out));
    }
    default: return read(here);
  }
}

} // namespace keyportal::gateway
