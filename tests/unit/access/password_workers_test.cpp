#include "actors/access/password_workers.hpp"

#include <future>
#include <memory>
#include <set>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;

namespace {

constexpr password_cost cheap{64, 1, 1};
constexpr password_salt salt{9, 8, 7};

/// Keeps a thread of the pool busy until it is told.
class held_thread {
public:
  explicit held_thread(password_workers& pool) {
    auto gate = opened_.get_future().share();
    auto began = std::make_shared<std::promise<void>>();
    auto begun = began->get_future();
    auto done = std::make_shared<std::promise<void>>();
    done_ = done->get_future();
    auto refused = pool.hash(wiped_text{"some long password"}, salt, [gate, began, done](const auto&) {
      began->set_value();
      gate.wait();
      done->set_value();
    });
    REQUIRE_FALSE(refused);
    begun.wait();
  }
  void release() {
    opened_.set_value();
    done_.wait();
  }

private:
  std::promise<void> opened_;
  std::future<void> done_;
};

} // namespace

TEST_CASE("Workers hash a password and find it right or wrong later") {
  password_workers pool{2, 8, cheap};
  std::promise<std::string> hash;
  REQUIRE_FALSE(pool.hash(wiped_text{"some long password"}, salt, [&](auto made) { hash.set_value(*made); }));
  const auto kept = hash.get_future().get();

  const auto ask = [&](std::string_view password, const std::string& phc) {
    std::promise<caf::expected<password_workers::verdict>> answer;
    REQUIRE_FALSE(pool.verify(wiped_text{password}, phc, [&](auto verdict) { answer.set_value(std::move(verdict)); }));
    return answer.get_future().get();
  };
  auto right = ask("some long password", kept);
  REQUIRE(right);
  CHECK(right->right);
  CHECK_FALSE(right->rehash);
  auto wrong = ask("another password", kept);
  REQUIRE(wrong);
  CHECK_FALSE(wrong->right);
  auto broken = ask("some long password", "no hash");
  REQUIRE_FALSE(broken);
  CHECK(code_of(broken.error()) == errc::hash_unreadable);
}

TEST_CASE("For a user who does not exist the answer is wrong, like for a wrong password") {
  password_workers pool{1, 8, cheap};
  std::promise<caf::expected<password_workers::verdict>> answer;
  REQUIRE_FALSE(pool.verify(wiped_text{"some long password"}, {}, [&](auto v) { answer.set_value(std::move(v)); }));
  auto verdict = answer.get_future().get();
  REQUIRE(verdict);
  CHECK_FALSE(verdict->right);
  CHECK_FALSE(verdict->rehash);
}

TEST_CASE("Whoever signs in with a hash of older costs is to get a new one, but not when the password is wrong") {
  const auto old = *hash_password("some long password", salt, {128, 1, 1});
  password_workers pool{1, 8, cheap};
  std::promise<bool> right, wrong;
  REQUIRE_FALSE(
    pool.verify(wiped_text{"some long password"}, old, [&](auto v) { right.set_value(v->right && v->rehash); }));
  REQUIRE_FALSE(
    pool.verify(wiped_text{"another password"}, old, [&](auto v) { wrong.set_value(v->right || v->rehash); }));
  CHECK(right.get_future().get());
  CHECK_FALSE(wrong.get_future().get());
}

TEST_CASE("When the line is full more is refused at once, may be tried again, and nobody in line is lost") {
  password_workers pool{1, 2, cheap};
  held_thread first{pool};
  std::vector<std::promise<bool>> answers(2);
  for (auto& one : answers)
    REQUIRE_FALSE(pool.hash(wiped_text{"some long password"}, salt, [&](auto made) { one.set_value(bool{made}); }));
  CHECK(pool.waiting() == 2);
  bool called = false;
  auto refused = pool.hash(wiped_text{"some long password"}, salt, [&](const auto&) { called = true; });
  CHECK(code_of(refused) == errc::sign_in_busy);
  CHECK(row_of(code_of(refused)).retryable);
  first.release();
  for (auto& one : answers)
    CHECK(one.get_future().get());
  CHECK_FALSE(called);
  CHECK(pool.waiting() == 0);
}

TEST_CASE("A pool without a line takes as many as it has threads, from the first moment on") {
  password_workers pool{3, 0, cheap};
  CHECK(pool.threads() == 3);
  held_thread one{pool}, two{pool}, three{pool};
  auto refused = pool.verify(wiped_text{"x"}, {}, [](const auto&) {});
  CHECK(code_of(refused) == errc::sign_in_busy);
  one.release();
  two.release();
  three.release();
}

TEST_CASE("Two hundred at once are all answered, by no more threads than there are") {
  std::mutex guard;
  std::set<std::thread::id> threads;
  std::vector<std::promise<bool>> answers(200);
  {
    password_workers pool{2, 200, cheap};
    for (auto& one : answers)
      REQUIRE_FALSE(pool.verify(wiped_text{"some long password"}, {}, [&](auto v) {
        {
          const std::lock_guard lock{guard};
          threads.insert(std::this_thread::get_id());
        }
        one.set_value(bool{v} && !v->right);
      }));
    for (auto& one : answers)
      CHECK(one.get_future().get());
  }
  CHECK(threads.size() <= 2);
}

TEST_CASE("A pool that ends tells those in line at once, and lets those in work finish") {
  auto pool = std::make_unique<password_workers>(1, 4, cheap);
  std::promise<void> began, gate;
  std::promise<bool> finished;
  std::promise<errc> told, told_too;
  REQUIRE_FALSE(pool->hash(wiped_text{"some long password"}, salt, [&](auto made) {
    began.set_value();
    gate.get_future().wait();
    finished.set_value(bool{made});
  }));
  began.get_future().wait();
  REQUIRE_FALSE(pool->hash(wiped_text{"x"}, salt, [&](const auto& made) { told.set_value(code_of(made.error())); }));
  REQUIRE_FALSE(pool->verify(wiped_text{"x"}, {}, [&](const auto& v) { told_too.set_value(code_of(v.error())); }));
  std::thread ender{[&] { pool.reset(); }};
  CHECK(told.get_future().get() == errc::shutting_down);
  CHECK(told_too.get_future().get() == errc::shutting_down);
  gate.set_value();
  ender.join();
  CHECK(finished.get_future().get());
}
