# Options, language level, warnings, sanitizers. Presets in CMakePresets.json set these.

option(TASKPIPE_BUILD_TESTS "Build the tests" ON)
option(TASKPIPE_BUILD_PROGRAMS "Build broker, worker and command line" ON)
option(TASKPIPE_BUILD_PYTHON "Build the Python package's extension module" OFF)
option(TASKPIPE_BUILD_PACKAGES "Describe the Debian packages to CPack" OFF)
option(TASKPIPE_FUZZ "Build the fuzzers (clang)" OFF)
set(TASKPIPE_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them (address,undefined or thread)")
option(TASKPIPE_PRECOMPILED "Precompile the headers that most files include" OFF)
option(TASKPIPE_COVERAGE "Instrument for gcov" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)  # the client library is linked into a Python module
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# Assertions stay on in every build type: a broker that goes on after a broken invariant is worse
# than one that restarts.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

find_program(TASKPIPE_CCACHE ccache)
if(TASKPIPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${TASKPIPE_CCACHE}")
endif()

add_library(taskpipe_flags INTERFACE)
target_include_directories(taskpipe_flags INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(taskpipe_flags INTERFACE TASKPIPE_VERSION="${PROJECT_VERSION}")
target_compile_options(taskpipe_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast
  -Wcast-qual -Wconversion -Wno-sign-conversion -Werror
  # GCC 12 reports impossible overlaps of inlined string operations (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)

if(TASKPIPE_SANITIZE)
  add_compile_options(-fsanitize=${TASKPIPE_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TASKPIPE_SANITIZE})
  if(TASKPIPE_SANITIZE MATCHES "address,undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # A fifth of the time to compile, and ASan sees what they see, but for alignment; the fuzzers,
    # which clang compiles, have both.
    add_compile_options(-fno-sanitize=null,alignment)
  endif()
  if(TASKPIPE_SANITIZE MATCHES "thread")
    # GCC 12 loses sight of std::optional's flag, and of where a moved string keeps its bytes, between
    # the calls that this sanitizer inserts.
    foreach(warning IN ITEMS maybe-uninitialized array-bounds stringop-overflow)
      add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-${warning}>)
    endforeach()
  endif()
  # Forty programs of instrumented objects: 0.5 s each in place of 3.
  find_program(TASKPIPE_MOLD mold)
  if(TASKPIPE_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_link_options(-fuse-ld=mold)
  endif()
endif()
if(TASKPIPE_PRECOMPILED)
  # Some libraries ask for the first, so all must have it; ccache asks for the second.
  add_compile_options(-pthread $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()
if(TASKPIPE_FUZZ)
  # Coverage for libFuzzer in everything; its main function only where tests/fuzz asks for it.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(TASKPIPE_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
