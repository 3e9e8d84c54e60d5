#include "actors/account_keeper/window_book.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/json.hpp"

namespace keyportal {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

double minutes(std::chrono::nanoseconds d) { return std::chrono::duration<double, std::ratio<60>>(d).count(); }

std::string in_words(std::chrono::nanoseconds d) {
  const auto m = static_cast<std::int64_t>(minutes(d));
  if (m < 60)
    return fmt::format("{} min", std::max<std::int64_t>(m, 1));
  return m < 48 * 60 ? fmt::format("{} h {} min", m / 60, m % 60) : fmt::format("{} days", m / (24 * 60));
}

/// Another window than before: it begins anew later than it did, or much of it is free again.
bool is_another(const quota_window& before, const quota_window& now, moment at) {
  if (before.begins_anew && *before.begins_anew <= at)
    return true;
  if (before.begins_anew && now.begins_anew)
    return *now.begins_anew - *before.begins_anew > 10min && now.used < before.used;
  return now.used + 20 < before.used;
}

} // namespace

exhaustion forecast(const std::vector<std::pair<moment, double>>& samples, std::optional<moment> begins_anew,
                    moment now) {
  exhaustion out;
  if (!samples.empty() && samples.back().second >= 100) {
    out.at = samples.back().first;
    out.sure = true;
    out.words = "it is used up";
    return out;
  }
  const auto span = samples.empty() ? 0min : samples.back().first - samples.front().first;
  if (samples.size() < 3 || span < 10min) {
    out.words = "too little was seen of this window to say";
    return out;
  }
  // Least squares, in minutes since the last sample.
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
  for (const auto& [at, used] : samples) {
    const double x = minutes(at - samples.back().first);
    n += 1, sx += x, sy += used, sxx += x * x, sxy += x * used, syy += used * used;
  }
  const double across = n * sxx - sx * sx, rise = n * sxy - sx * sy, up = n * syy - sy * sy;
  const double slope = across > 0 ? rise / across : 0;
  if (!(slope > 1e-6)) {
    out.words = "it does not fill up at present";
    out.sure = samples.size() >= 4 && span >= 30min;
    return out;
  }
  const double fit = up > 0 ? rise * rise / (across * up) : 0;
  const double left = std::max(100 - samples.back().second, 0.0) / slope; // minutes
  const bool sure = fit >= 0.9 && samples.size() >= 4 && span >= 30min;
  if (left > 366.0 * 24 * 60) {
    out.words = "it does not fill up at present";
    return out;
  }
  const auto at =
    samples.back().first
    + std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double, std::ratio<60>>(left));
  out.sure = sure;
  const char* maybe = sure ? "" : "perhaps ";
  if (begins_anew && at >= *begins_anew) {
    const double then = samples.back().second + slope * minutes(*begins_anew - samples.back().first);
    out.words = fmt::format("it begins anew before it is used up, {}at {:.0f} %", maybe, std::min(then, 100.0));
    return out;
  }
  out.at = std::max(at, now);
  out.words = fmt::format("at this pace it is {}used up in {}", maybe, in_words(*out.at - now));
  return out;
}

std::vector<window_book::mark> window_book::take(std::vector<quota_window>& windows, moment now) {
  std::vector<mark> out;
  taken_at_ = now;
  for (auto& told : windows) {
    auto at = std::find_if(windows_.begin(), windows_.end(), [&](const window& w) { return w.now.name == told.name; });
    if (at == windows_.end()) {
      if (windows_.size() >= most_windows)
        continue;
      windows_.push_back({told, {}, {}, 0, 0});
      at = std::prev(windows_.end());
    } else if (is_another(at->now, told, now)) {
      at->ended.push_back({at->now.begins_anew && *at->now.begins_anew <= now ? *at->now.begins_anew : now, at->most});
      if (at->ended.size() > most_ended)
        at->ended.erase(at->ended.begin());
      at->samples.clear();
      at->told = 0;
      at->most = 0;
    }
    auto& w = *at;
    if (w.samples.empty() || now - w.samples.back().first >= between_samples
        || std::abs(w.samples.back().second - told.used) >= 1)
      w.samples.emplace_back(now, told.used);
    if (w.samples.size() > most_samples) { // every other of the older half
      std::vector<std::pair<moment, double>> fewer;
      for (std::size_t i = 0; i < w.samples.size(); ++i)
        if (i % 2 == 0 || i > w.samples.size() / 2)
          fewer.push_back(w.samples[i]);
      w.samples = std::move(fewer);
    }
    w.now = told;
    w.most = std::max(w.most, told.used);
    told.forecast = forecast(w.samples, told.begins_anew, now);
    const int reached = told.used >= 100 ? 100 : told.used >= 95 ? 95 : told.used >= 80 ? 80 : 0;
    if (reached > w.told) {
      w.told = reached;
      out.push_back({told.name, reached, told.used, told.begins_anew});
    }
  }
  return out;
}

account_windows window_book::history() const {
  account_windows out;
  for (const auto& w : windows_)
    out.push_back({w.now.name, w.samples, w.ended});
  return out;
}

std::vector<quota_window> window_book::last(moment now) const {
  std::vector<quota_window> out;
  for (const auto& w : windows_) {
    if (w.now.begins_anew && *w.now.begins_anew <= now)
      continue; // how it is now nobody has said
    out.push_back(w.now);
    out.back().forecast = forecast(w.samples, w.now.begins_anew, now);
  }
  return out;
}

std::string window_book::write() const {
  auto all = json::array();
  for (const auto& w : windows_) {
    auto samples = json::array(), ended = json::array();
    for (const auto& [at, used] : w.samples)
      samples.push_back({unix_ns(at) / 1'000'000, used});
    for (const auto& e : w.ended)
      ended.push_back({unix_ns(e.ended) / 1'000'000, e.most});
    all.push_back({{"name", w.now.name},
                   {"used", w.now.used},
                   {"spans", w.now.spans_s},
                   {"anew", w.now.begins_anew ? json(unix_ns(*w.now.begins_anew) / 1'000'000) : json(nullptr)},
                   {"samples", std::move(samples)},
                   {"ended", std::move(ended)},
                   {"told", w.told},
                   {"most", w.most}});
  }
  return dump({{"at", taken_at_ ? json(unix_ns(*taken_at_) / 1'000'000) : json(nullptr)}, {"windows", std::move(all)}});
}

bool window_book::read(std::string_view text) {
  const auto j = json::parse(text, nullptr, false);
  if (!j.is_object() || !j.contains("windows") || !j["windows"].is_array())
    return false;
  const auto at = [](const json& ms) { return moment_of(ms.get<std::int64_t>() * 1'000'000); };
  const auto pairs = [](const json& list, auto add) {
    if (list.is_array())
      for (const auto& one : list)
        if (one.is_array() && one.size() == 2 && one[0].is_number_integer() && one[1].is_number())
          add(one);
  };
  windows_.clear();
  taken_at_.reset();
  if (j.contains("at") && j["at"].is_number_integer())
    taken_at_ = at(j["at"]);
  for (const auto& one : j["windows"]) {
    if (!one.is_object() || !one.value("name", json()).is_string() || !one.value("used", json()).is_number())
      return false;
    window w;
    w.now.name = one["name"];
    w.now.used = one["used"];
    w.now.spans_s = one.value("spans", json()).is_number_integer() ? one["spans"].get<std::int64_t>() : 0;
    if (one.value("anew", json()).is_number_integer())
      w.now.begins_anew = at(one["anew"]);
    w.told = one.value("told", json()).is_number_integer() ? one["told"].get<int>() : 0;
    w.most = one.value("most", json()).is_number() ? one["most"].get<double>() : 0.0;
    pairs(one.value("samples", json()), [&](const json& p) { w.samples.emplace_back(at(p[0]), p[1].get<double>()); });
    pairs(one.value("ended", json()), [&](const json& p) { w.ended.push_back({at(p[0]), p[1].get<double>()}); });
    windows_.push_back(std::move(w));
  }
  return true;
}

} // namespace keyportal
