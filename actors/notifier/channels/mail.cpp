// Mail: a plain text with the headers that such mail should have, handed to one server.
#include <ctime>

#include <fmt/format.h>

#include "actors/identity/text_codes.hpp"
#include "actors/notifier/channel.hpp"

namespace keyportal {

namespace {

/// RFC 2047, in pieces that are whole characters and whole lines.
std::string encoded_words(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    auto end = std::min(at + 42, text.size()); // 42 bytes make 56 characters: with what is around them below 75
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
      --end;
    out += (out.empty() ? "" : "\r\n ") + ("=?UTF-8?B?" + identity::base64(text.substr(at, end - at)) + "?=");
    at = end;
  }
  return out;
}

std::string date_of(moment now) {
  const auto seconds = static_cast<std::time_t>(unix_ns(now) / 1'000'000'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} +0000", days[parts.tm_wday], parts.tm_mday, months[parts.tm_mon],
                     parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string in_lines(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += 76)
    out += text.substr(at, 76) + "\r\n";
  return out;
}

/// Nothing that could end a line, or an address, of a mail's head.
bool is_address(std::string_view text) {
  const auto at = text.find('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() && text.size() <= 254
         && std::all_of(text.begin(), text.end(), [](char c) {
              return c > 0x20 && c < 0x7f && c != '<' && c != '>' && c != ',' && c != ';' && c != '"';
            });
}

std::vector<std::string> addresses_of(std::string_view list) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < list.size();) {
    const auto end = std::min(list.find(',', at), list.size());
    auto one = list.substr(at, end - at);
    while (one.starts_with(' '))
      one.remove_prefix(1);
    while (one.ends_with(' '))
      one.remove_suffix(1);
    if (!one.empty())
      out.emplace_back(one);
    at = end + 1;
  }
  return out;
}

class mail : public notice_channel {
public:
  explicit mail(const channel_settings& how) : how_(how) {}

  channel_step begin(parcel& what, moment now) override {
    wire_request out;
    out.mail = true;
    out.to = addresses_of(what.what.address.empty() ? how_.to : what.what.address);
    if (out.to.empty() || !std::all_of(out.to.begin(), out.to.end(), is_address))
      return refused("no address that mail can go to");
    if (!is_address(how_.from))
      return broken("the channel has no address to send from");
    out.url = secret{fmt::format("{}://{}", how_.security == "tls" ? "smtps" : "smtp", how_.server)};
    out.start_tls = how_.security != "tls" && how_.security != "none";
    out.user = how_.user;
    out.password = how_.secret_text;
    out.from = how_.from;
    out.allow_private = true; // the server is the operator's own choice, and mostly inside
    std::string to;
    for (const auto& one : out.to)
      to += (to.empty() ? "<" : ", <") + one + ">";
    const auto domain = how_.from.substr(how_.from.find('@') + 1);
    auto body = plain_text(what.text, false);
    std::string crlf;
    for (const char c : body)
      crlf += c == '\n' ? "\r\n" : std::string(1, c);
    out.body =
      secret{fmt::format("From: Key Portal <{}>\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@{}>\r\n"
                         "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                         "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
                         how_.from, to, encoded_words(what.text.title), date_of(now), what.dedup, domain,
                         in_lines(identity::base64(crlf + "\r\n")))};
    return out;
  }

  channel_step answered(parcel&, const wire_answer& a, moment) override {
    if (a.refused_here)
      return broken(a.problem);
    if (a.complete)
      return delivered(fmt::format("reply {}", a.status));
    auto text = a.status > 0 ? fmt::format("reply {}: {}", a.status, a.problem) : a.problem;
    if (a.status == 354) // it was told the whole mail and said nothing
      return unknown(std::move(text));
    if (a.status == 530 || a.status == 534 || a.status == 535 || a.status == 538)
      return broken(std::move(text));
    if (a.status >= 500 && a.status < 600)
      return refused(std::move(text));
    // 4xx: later. Of these 450 and 452 are about one mailbox.
    return again(std::move(text), a.status != 450 && a.status != 452);
  }

  std::string preview(const letter& what) const override {
    return fmt::format("Subject: {}\n\n{}", what.title, plain_text(what, false));
  }

private:
  channel_settings how_;
};

} // namespace

std::unique_ptr<notice_channel> make_mail(const channel_settings& how) { return std::make_unique<mail>(how); }

} // namespace keyportal
