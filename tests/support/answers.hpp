// An actor that answers only what a test gives it answers for.
#pragma once

#include <type_traits>
#include <utility>

#include <caf/all.hpp>

namespace keyportal::test {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

template <class Signature>
struct answer_to;
template <class Question, class Answer>
struct answer_to<caf::typed_mpi<caf::detail::type_list<Question>, caf::output_tuple<Answer>>> {
  template <class Given>
  static auto with(Given given) {
    if constexpr (std::is_void_v<Answer>) {
      return [given](const Question& m) {
        if constexpr (std::is_invocable_v<const Given&, const Question&>)
          given(m);
      };
    } else {
      return [given]([[maybe_unused]] const Question& m) -> caf::result<Answer> {
        if constexpr (std::is_invocable_v<const Given&, const Question&>)
          return given(m);
        else
          return caf::sec::unexpected_message;
      };
    }
  }
};

template <class Behavior, class Given, class... Signatures>
Behavior behavior_of(const Given& given, caf::detail::type_list<Signatures...>) {
  return {answer_to<Signatures>::with(given)...};
}

/// The behavior of an actor of this handle: a function for each question that the test needs, in any order. Other questions
/// are refused with sec::unexpected_message; other news are ignored.
template <class Handle, class... Answers>
typename Handle::behavior_type answers(const overloaded<Answers...>& given) {
  return behavior_of<typename Handle::behavior_type>(given, typename Handle::signatures{});
}

} // namespace keyportal::test
