#include "management_auth.hpp"

#include <arpa/inet.h>

#include <vector>

namespace keyportal::cpa_sim {
namespace {

constexpr int failures_allowed = 5;
constexpr std::chrono::minutes ban{30};

bool is_address(const std::string& text) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 || inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

std::string trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return std::string(text);
}

/// Left-most of a comma-separated list, nothing unless all items are addresses.
std::string leftmost(std::string_view list) {
  std::string first;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string item = trimmed(list.substr(begin, end - begin));
    if (!is_address(item))
      return {};
    if (begin == 0)
      first = item;
    begin = end + 1;
  }
  return first;
}

bool is_local(const std::string& address) { return address == "127.0.0.1" || address == "::1"; }

} // namespace

std::string believed_address(const request& r) {
  for (const char* name : {"x-forwarded-for", "x-real-ip"}) {
    if (const std::string* value = r.header(name)) {
      if (std::string address = leftmost(*value); !address.empty())
        return address;
    }
  }
  return r.peer;
}

std::string shown_management_key(const request& r) {
  std::string key;
  if (const std::string* value = r.header("authorization"))
    key = bearer_value(*value).value_or(*value);
  if (key.empty()) {
    if (const std::string* value = r.header("x-management-key"))
      key = *value;
  }
  return key;
}

bool management_auth::counted(const std::string& address) const { return ban_localhost_ || !is_local(address); }

management_auth::refusal management_auth::before_key(const std::string& address, steady_time now) {
  if (const auto found = by_address_.find(address); found != by_address_.end()) {
    if (found->second.banned_until > now) {
      return {403, "IP banned due to too many failed attempts. Try again in "
                     + go_duration(found->second.banned_until - now)};
    }
    if (found->second.banned_until != steady_time{})
      by_address_.erase(found);
  }
  if (!is_local(address) && !allow_remote_)
    return {403, "remote management disabled"};
  if (secret_.empty())
    return {403, "remote management key not set"};
  return {};
}

management_auth::refusal management_auth::check(const std::string& address, const std::string& key, steady_time now) {
  if (auto no = before_key(address, now); no.status != 0)
    return no;
  if (key == secret_) {
    by_address_.erase(address);
    return {};
  }
  if (counted(address)) {
    tries& t = by_address_[address];
    if (++t.failures >= failures_allowed)
      t = {0, now + ban};
  }
  return {401, key.empty() ? "missing management key" : "invalid management key"};
}

std::size_t management_auth::banned(steady_time now) const {
  std::size_t count = 0;
  for (const auto& [address, t] : by_address_)
    count += t.banned_until > now ? 1 : 0;
  return count;
}

std::string go_duration(std::chrono::nanoseconds d) {
  const auto seconds = std::chrono::round<std::chrono::seconds>(d).count();
  std::string out;
  if (seconds >= 3600)
    out += std::to_string(seconds / 3600) + 'h';
  if (seconds >= 60)
    out += std::to_string(seconds / 60 % 60) + 'm';
  return out + std::to_string(seconds % 60) + 's';
}

} // namespace keyportal::cpa_sim
