// yaml_to_json IN OUT: makes openapi.json of openapi.yaml while Key Portal is built, so that there is one source and programs
// and the page of documentation can have it as JSON. Knows the part of YAML that is used there (mappings and lists, in block style or
// on one line in flow style, plain and double-quoted scalars, `|` for long texts) and refuses everything else by line.
#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

using json = nlohmann::ordered_json; // as written

struct line {
  std::size_t number = 0;
  std::size_t indent = 0;
  std::string_view text; ///< without indent
};

class reader {
public:
  explicit reader(std::string_view text) {
    for (std::size_t number = 1; !text.empty(); ++number) {
      const auto end = std::min(text.find('\n'), text.size());
      auto one = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      const auto indent = std::min(one.find_first_not_of(' '), one.size());
      lines_.push_back({number, indent, one.substr(indent)});
    }
  }

  json read() {
    auto out = block(0);
    if (more())
      fail("is not part of anything");
    return out;
  }

private:
  [[noreturn]] void fail(const std::string& what) const {
    const auto at = std::min(at_, lines_.size() - 1);
    throw std::runtime_error("line " + std::to_string(lines_[at].number) + " " + what);
  }

  /// Steps over empty lines and comments.
  bool more() {
    while (at_ < lines_.size() && (lines_[at_].text.empty() || lines_[at_].text.front() == '#'))
      ++at_;
    return at_ < lines_.size();
  }

  json block(std::size_t indent) {
    if (!more() || lines_[at_].indent < indent)
      fail("is empty");
    indent = lines_[at_].indent;
    const bool is_list = lines_[at_].text.starts_with("- ");
    auto out = is_list ? json::array() : json::object();
    while (more() && lines_[at_].indent >= indent) {
      if (lines_[at_].indent != indent || lines_[at_].text.starts_with("- ") != is_list)
        fail("is not indented as those before it");
      if (is_list)
        out.push_back(item(indent));
      else
        entry(out, indent);
    }
    return out;
  }

  json item(std::size_t indent) {
    auto& here = lines_[at_];
    here.text.remove_prefix(2);
    here.indent += 2;
    auto rest = here.text;
    if (rest.front() != '{' && rest.front() != '[' && rest.front() != '"' && rest.find(": ") != rest.npos)
      return block(indent + 2); // a mapping that begins behind the dash
    ++at_;
    return whole(rest);
  }

  void entry(json& to, std::size_t indent) {
    auto rest = lines_[at_].text;
    auto name = key(rest);
    if (to.contains(name))
      fail("has a name that was there before");
    ++at_;
    if (rest.empty())
      to[name] = block(indent + 1);
    else if (rest == "|")
      to[name] = text(indent);
    else
      to[name] = whole(rest);
  }

  /// Takes "name:" off, and the blank behind it.
  std::string key(std::string_view& rest) {
    std::string out;
    if (rest.starts_with('"')) {
      out = quoted(rest);
    } else {
      const auto end = rest.find(':');
      if (end == rest.npos)
        fail("has no name");
      out = rest.substr(0, end);
      rest.remove_prefix(end);
    }
    if (!rest.starts_with(':') || (rest.size() > 1 && rest[1] != ' '))
      fail("has no colon and blank behind its name");
    rest.remove_prefix(std::min<std::size_t>(2, rest.size()));
    return out;
  }

  /// Lines that are indented deeper, without what the first one is indented by.
  std::string text(std::size_t indent) {
    std::string out;
    std::size_t own = 0;
    for (; at_ < lines_.size(); ++at_) {
      const auto& one = lines_[at_];
      if (!one.text.empty() && one.indent <= indent)
        break;
      if (own == 0)
        own = one.indent;
      if (!one.text.empty())
        out.append(one.indent - own, ' ').append(one.text);
      out.push_back('\n');
    }
    while (out.ends_with("\n\n"))
      out.pop_back();
    return out;
  }

  json whole(std::string_view rest) {
    --at_; // for errors
    auto out =
      rest.front() == '{' || rest.front() == '[' || rest.front() == '"' ? flow(rest) : plain(std::exchange(rest, {}));
    if (!rest.empty())
      fail("goes on behind its value");
    ++at_;
    return out;
  }

  void skip(std::string_view& rest) {
    while (rest.starts_with(' '))
      rest.remove_prefix(1);
    if (rest.empty())
      fail("ends within brackets");
  }

  json flow(std::string_view& rest) {
    if (rest.starts_with('"'))
      return quoted(rest);
    if (rest.front() != '{' && rest.front() != '[') {
      const auto end = std::min(rest.find_first_of(",]}"), rest.size());
      auto out = plain(rest.substr(0, end));
      rest.remove_prefix(end);
      return out;
    }
    const bool is_list = rest.front() == '[';
    const char close = is_list ? ']' : '}';
    auto out = is_list ? json::array() : json::object();
    rest.remove_prefix(1);
    for (skip(rest); rest.front() != close;) {
      if (is_list) {
        out.push_back(flow(rest));
      } else {
        const auto name = key(rest);
        skip(rest);
        if (out.contains(name))
          fail("has a name twice");
        out[name] = flow(rest);
      }
      skip(rest);
      if (rest.front() == ',') {
        rest.remove_prefix(1);
        skip(rest);
      } else if (rest.front() != close) {
        fail("has something between its values");
      }
    }
    rest.remove_prefix(1);
    return out;
  }

  /// Escapes are those of JSON.
  std::string quoted(std::string_view& rest) {
    std::size_t end = 1;
    while (end < rest.size() && rest[end] != '"')
      end += rest[end] == '\\' ? 2 : 1;
    if (end >= rest.size())
      fail("has no second quote");
    const auto out = json::parse(rest.substr(0, end + 1), nullptr, false);
    if (!out.is_string())
      fail("has an escape that JSON does not know");
    rest.remove_prefix(end + 1);
    return out.get<std::string>();
  }

  /// What other readers of YAML could take for something else has to be quoted.
  json plain(std::string_view text) {
    while (text.ends_with(' '))
      text.remove_suffix(1);
    if (text == "true" || text == "false")
      return text == "true";
    if (text == "null")
      return nullptr;
    static constexpr std::string_view doubtful[] = {"yes", "no", "on", "off", "y", "n",
                                                    "Yes", "No", "On", "Off", "~", ""};
    if (std::find(std::begin(doubtful), std::end(doubtful), text) != std::end(doubtful)
        || std::string_view{"&*!|>'%@`?-#,"}.find(text[0]) != std::string_view::npos || text.find(": ") != text.npos
        || text.find(" #") != text.npos)
      fail("has a value that needs quotes");
    const auto number = json::parse(text, nullptr, false);
    if (number.is_number())
      return number;
    if (text[0] >= '0' && text[0] <= '9')
      fail("has a value that needs quotes"); // a date, or another base
    return std::string{text};
  }

  std::vector<line> lines_;
  std::size_t at_ = 0;
};

} // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::cerr << "usage: yaml_to_json IN OUT\n";
    return 2;
  }
  std::ifstream in(words[1], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    if (!in || text.empty())
      throw std::runtime_error("cannot be read");
    std::ofstream out(words[2], std::ios::binary);
    out << reader(text).read().dump() << '\n';
    out.close();
    if (!out)
      throw std::runtime_error("cannot be written as JSON");
  } catch (const std::exception& e) {
    std::cerr << words[1] << ": " << e.what() << '\n';
    return 1;
  }
  return 0;
}
