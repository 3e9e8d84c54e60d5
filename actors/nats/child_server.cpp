#include "actors/nats/child_server.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "actors/nats/child_files.hpp"
#include "actors/telemetry/log.hpp"

namespace keyportal::nats {

namespace fs = std::filesystem;

class child_server::supervision {
public:
  child_settings settings;
  fs::path program;
  secret password;
  std::uint16_t port = 0;
  int lock = -1;

  void begin() {
    thread_ = std::thread([this] { keep_running(); });
  }

  ~supervision() {
    stop();
    if (lock >= 0)
      ::close(lock);
  }

  void stop() {
    if (!thread_.joinable())
      return;
    std::unique_lock guard(mutex_);
    stopping_ = true;
    changed_.notify_all();
    for (int signal : {SIGTERM, SIGKILL}) {
      if (pid_ > 0)
        ::kill(pid_, signal); // not yet reaped, so the number is still its own
      if (changed_.wait_for(guard, settings.end_within, [this] { return ended_; }))
        break;
    }
    guard.unlock();
    thread_.join();
    std::error_code ignored;
    fs::remove(settings.folder / "nats.pid", ignored);
  }

  int process() {
    std::lock_guard guard(mutex_);
    return pid_;
  }

private:
  /// Everything between fork and exec happens in a copy of a process with other threads: no memory may be allocated
  /// and no lock taken there, hence the arguments are made before.
  int launch() {
    const auto folder = fs::absolute(settings.folder).string();
    const auto path = fs::absolute(program).string();
    auto config = folder + "/nats.conf";
    auto log = folder + "/nats.log";
    std::string name = "nats-server", flag = "-c";
    char* arguments[] = {name.data(), flag.data(), config.data(), nullptr};
    auto parent = ::getpid();
    int pid = ::fork();
    if (pid != 0)
      return pid;
    ::prctl(PR_SET_PDEATHSIG,
            SIGTERM); // sent when the thread that forked ends: ours lives as long as we want the child
    if (::getppid() != parent)
      ::_exit(1);
    ::setpgid(0, 0); // Ctrl-C is for us: the child is ended after the outbox is shipped
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    int null = ::open("/dev/null", O_RDONLY);
    int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(null, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::fcntl(lock, F_SETFD, 0); // inherited: the folder stays locked while the child lives
    // It drops a file where it stands when it is started after a kill at a wrong moment.
    if (::chdir(folder.c_str()) == 0)
      ::execv(path.c_str(), arguments);
    ::_exit(127);
  }

  void keep_running() {
    auto pause = std::chrono::milliseconds{50};
    std::unique_lock guard(mutex_);
    while (!stopping_) {
      auto began = std::chrono::steady_clock::now();
      pid_ = launch();
      if (pid_ > 0) {
        auto pid = pid_;
        log::info("nats", "child-started", "nats-server {} listens on 127.0.0.1:{}", pid, port);
        if (auto mark = mark_of(pid))
          if (auto error = write_pid_file(settings.folder, *mark))
            log::warn("nats", "pid-file", "{}", render(error));
        guard.unlock();
        siginfo_t info{};
        while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {}
        guard.lock();
        ::waitpid(pid, nullptr, 0);
        pid_ = 0;
        if (!stopping_)
          log::error("nats", "child-ended", "nats-server ended by {} {}; see {}",
                     info.si_code == CLD_EXITED ? "exit code" : "signal", info.si_status,
                     (settings.folder / "nats.log").string());
      } else {
        log::error("nats", "fork-failed", "{}", std::strerror(errno));
        pid_ = 0;
      }
      if (std::chrono::steady_clock::now() - began > std::chrono::seconds{10})
        pause = std::chrono::milliseconds{50};
      changed_.wait_for(guard, pause, [this] { return stopping_; });
      pause = std::min(pause * 2, std::chrono::milliseconds{5000});
    }
    ended_ = true;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
  int pid_ = 0;
  bool stopping_ = false;
  bool ended_ = false;
};

caf::expected<std::unique_ptr<child_server>> child_server::start(child_settings settings) {
  auto program = find_program(settings.binary);
  if (!program)
    return make_error(errc::nats_server_missing, settings.binary);
  std::error_code failed;
  fs::create_directories(settings.folder, failed);
  if (!failed)
    settings.folder = fs::canonical(settings.folder, failed);
  if (failed || ::chmod(settings.folder.c_str(), 0700) != 0)
    return make_error(errc::storage_failed, fmt::format("{}: {}", settings.folder.string(), failed.message()));

  auto child = std::make_unique<supervision>();
  child->program = *program;
  auto lock = lock_folder(settings.folder, *program);
  if (!lock)
    return lock.error();
  child->lock = *lock;
  auto password = password_in(settings.folder);
  if (!password)
    return password.error();
  child->password = *password;
  auto port = choose_port(settings.port, settings.folder / "nats.url");
  if (!port)
    return port.error();
  child->port = *port;
  if (auto error = write_private(settings.folder / "nats.conf",
                                 configuration(settings.folder, *port, *password, settings.max_store_bytes)))
    return error;
  if (auto error = write_private(settings.folder / "nats.url", fmt::format("nats://127.0.0.1:{}\n", *port)))
    return error;
  child->settings = std::move(settings);
  child->begin();
  for (auto end = std::chrono::steady_clock::now() + std::chrono::seconds{2};
       !listens(*port) && std::chrono::steady_clock::now() < end;)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  return std::unique_ptr<child_server>(new child_server(std::move(child)));
}

child_server::child_server(std::unique_ptr<supervision> child) : child_(std::move(child)) {}
child_server::~child_server() = default;

secret child_server::url() const {
  return secret(fmt::format("nats://keyportal:{}@127.0.0.1:{}", child_->password.reveal(), child_->port));
}
std::string child_server::reader_url() const { return fmt::format("nats://127.0.0.1:{}", child_->port); }
std::uint16_t child_server::port() const { return child_->port; }
int child_server::process() const { return child_->process(); }
void child_server::stop() { child_->stop(); }

} // namespace keyportal::nats
