// Rewrites the golden vectors: taskpipe_write_golden tests/golden/messages.txt
#include <cstdio>
#include <exception>
#include <fstream>

#include "tests/unit/protocol/golden.hpp"

int main(int argc, char** argv) {
  try {
    if (argc != 2) {
      std::fputs("usage: taskpipe_write_golden FILE\n", stderr);
      return 2;
    }
    std::ofstream file(argv[1], std::ios::binary);
    file << taskpipe::protocol::samples::golden_text();
    file.close();
    if (!file) {
      std::fprintf(stderr, "cannot write %s\n", argv[1]);
      return 1;
    }
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
}
