// What the execution tests run: `exec_probe MODE [ARGUMENT]`, one small misbehaviour per mode.
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

namespace {

void say(const char* text) {
  std::fputs(text, stdout);
  std::fflush(stdout);
}

[[noreturn]] void linger() {
  while (true) ::pause();
}

int stubborn() {
  ::signal(SIGTERM, SIG_IGN);
  say("ready\n");
  linger();
}

int polite() {
  ::signal(SIGTERM, [](int) { ::_exit(0); });
  say("ready\n");
  linger();
}

// The classic daemon: two forks, a session of its own, no descriptor of its parent's. With `stay`
// the first process stays as well.
int daemonize(bool stay) {
  int ready[2];
  if (::pipe(ready) != 0) return 1;
  if (::fork() == 0) {
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    ::signal(SIGTERM, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    for (int fd = 0; fd < 3; ++fd) ::close(fd);
    const char byte = 'x';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    linger();
  }
  char byte = 0;
  if (::read(ready[0], &byte, 1) != 1) return 1;
  say("daemon runs\n");
  if (stay) linger();
  return 0;
}

// A child that keeps stdout open after its parent has gone.
int leave_writer() {
  if (::fork() == 0) linger();
  say("left one\n");
  return 4;
}

// A tree of processes each of which has forked; all linger.
int tree(int depth) {
  for (int i = 0; i < depth; ++i) {
    if (::fork() == 0) {
      if (i % 2 == 0) ::setsid();
    } else if (i % 3 == 0) {
      break;
    }
  }
  say("up\n");
  linger();
}

// A chain that grows at one end, each process in a session of its own; all linger.
int grow(int length) {
  say("up\n");
  while (length-- > 0 && ::fork() == 0) ::setsid();
  linger();
}

// Its first thread ends, and the kernel shows it as a zombie; another one goes on.
int leaderless() {
  std::thread([] {
    say("up\n");
    linger();
  }).detach();
  ::pthread_exit(nullptr);
}

// Forks faster than anybody can kill one by one. Every process ignores SIGTERM.
int fork_storm() {
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGCHLD, SIG_IGN);
  say("storm\n");
  while (true) {
    const pid_t pid = ::fork();
    if (pid == 0) ::setsid();
    if (pid > 0) ::_exit(0);
    if (pid < 0) ::usleep(1000);
  }
}

int allocate(std::size_t mebibytes) {
  const std::size_t bytes = mebibytes << 20U;
  char* memory = static_cast<char*>(std::malloc(bytes));
  if (memory == nullptr) {
    say("malloc failed\n");
    return 9;
  }
  for (std::size_t i = 0; i < bytes; i += 1024) {
    static_cast<volatile char*>(memory)[i] = 1;
  }
  say("allocated\n");
  return 0;
}

int print_bytes(std::size_t bytes) {
  std::string line(63, 'x');
  std::string block;
  while (block.size() < 65'536) block += line + '\n';
  while (bytes > 0) {
    const std::size_t piece = std::min(bytes, block.size());
    const ssize_t written = ::write(1, block.data(), piece);
    if (written <= 0) return 1;
    bytes -= static_cast<std::size_t>(written);
  }
  return 0;
}

int print_binary() {
  for (int i = 0; i < 256; ++i) std::putchar(i);
  return 0;
}

int print_long_line(std::size_t bytes) {
  const std::string line(bytes, 'y');
  std::fwrite(line.data(), 1, line.size(), stdout);
  return 0;
}

int list_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 1;
  std::vector<int> found;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const int fd = std::atoi(entry->d_name);
    if (fd != ::dirfd(directory)) found.push_back(fd);
  }
  std::sort(found.begin(), found.end());
  for (const int fd : found) {
    char target[256] = {};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    if (::readlink(link.c_str(), target, sizeof target - 1) < 0) return 1;
    std::printf("%d %s\n", fd, fd == 0 ? target : std::string(target).substr(0, 5).c_str());
  }
  return 0;
}

int describe_self() {
  sigset_t mask;
  ::sigprocmask(SIG_SETMASK, nullptr, &mask);
  int blocked = 0;
  int ignored = 0;
  for (int signal = 1; signal < 32; ++signal) {
    if (::sigismember(&mask, signal) == 1) ++blocked;
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) ++ignored;
  }
  char here[4096] = {};
  if (::getcwd(here, sizeof here) == nullptr) return 1;
  std::printf("leader %d session %d blocked %d ignored %d\ncwd %s\n", ::getpgrp() == ::getpid(),
              ::getsid(0) == ::getpid(), blocked, ignored, here);
  return 0;
}

// Closes its output, says so by a file, and lives until another file appears.
int close_output() {
  ::close(1);
  ::close(2);
  std::fclose(std::fopen("closed", "w"));
  while (::access("go", F_OK) != 0) ::usleep(1000);
  return 5;
}

int kill_parent() {
  ::kill(::getppid(), SIGKILL);
  linger();
}

int burn(int milliseconds) {
  timespec used{};
  volatile unsigned sink = 0;
  do {
    for (int i = 0; i < 10'000; ++i) sink = sink + 1;
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  } while (used.tv_sec * 1000 + used.tv_nsec / 1'000'000 < milliseconds);
  return 0;
}

// Burns in a grandchild that it waits for only by way of init: usage must still be counted.
int burn_detached(int milliseconds) {
  int done[2];
  if (::pipe(done) != 0) return 1;
  if (::fork() == 0) {
    if (::fork() != 0) ::_exit(0);
    burn(milliseconds);
    ::_exit(0);  // closes the pipe
  }
  ::close(done[1]);
  char byte = 0;
  return ::read(done[0], &byte, 1) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  const std::string mode = argv[1];
  const std::string argument = argc > 2 ? argv[2] : "";
  const auto number = static_cast<std::size_t>(std::strtoull(argument.c_str(), nullptr, 10));
  const int small = static_cast<int>(number);
  if (mode == "linger") say("ready\n"), linger();
  if (mode == "stubborn") return stubborn();
  if (mode == "polite") return polite();
  if (mode == "daemonize") return daemonize(false);
  if (mode == "daemonize-stay") return daemonize(true);
  if (mode == "leave-writer") return leave_writer();
  if (mode == "tree") return tree(small);
  if (mode == "leaderless") return leaderless();
  if (mode == "grow") return grow(small);
  if (mode == "fork-storm") return fork_storm();
  if (mode == "allocate") return allocate(number);
  if (mode == "print") return print_bytes(number);
  if (mode == "binary") return print_binary();
  if (mode == "long-line") return print_long_line(number);
  if (mode == "descriptors") return list_descriptors();
  if (mode == "describe") return describe_self();
  if (mode == "close-output") return close_output();
  if (mode == "kill-parent") return kill_parent();
  if (mode == "burn") return burn(small);
  if (mode == "burn-detached") return burn_detached(small);
  if (mode == "raise") {
    ::signal(small, SIG_DFL);
    ::raise(small);
  }
  if (mode == "exit") return small;
  return 64;
}
