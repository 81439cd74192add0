# One way to declare a target.
#
#   taskpipe_library(NAME SOURCES a.cpp … DEPS public targets … PRIVATE_DEPS hidden targets …)
#   taskpipe_executable(NAME SOURCES … DEPS …)
#   taskpipe_test(NAME SOURCES … DEPS … LABELS unit [SHARDS n] [TIMEOUT seconds]
#                 [PROPERTIES name value …])
#
#   Each test is a process of its own; with SHARDS, n processes share the tests among them. Use it
#   where tests do not change their process: with sanitizers, starting one costs more than most tests.
#
#   taskpipe_apart(a.cpp …)
#
# The presets dev and tsan compile up to eight files of a target as one, which takes about half the
# time; `taskpipe_apart` names those that cannot share (macros of a header, specialisations that
# must come first, names that mean other things elsewhere). Builds for release join nothing, which
# proves that each file includes what it uses.
#
# DEPS of a library are what its headers show; everything else is PRIVATE_DEPS, so that the build
# itself proves the direction of dependencies.

# With TASKPIPE_PRECOMPILED, every file begins with the headers of cmake/precompiled.hpp, parsed once
# for libraries and once, with those of the tests, for tests: a third of the time of the builds that
# make everything. No build for release does, for the same proof.

# A target NAME that owns precompiled headers: TYPE decides how the code of those that reuse them is
# placed, and its folder which sanitizers they have, for both of which the compiler demands equality.
function(taskpipe_precompiled name type header)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  if(type STREQUAL "LIBRARY")
    file(CONFIGURE OUTPUT "${source}" CONTENT "// owns precompiled headers\n")
    add_library(${name} OBJECT "${source}")
  else()
    file(CONFIGURE OUTPUT "${source}" CONTENT "int main() {}\n")
    add_executable(${name} "${source}")
  endif()
  target_link_libraries(${name} PRIVATE taskpipe_flags tl::expected ${ARGN})
  target_precompile_headers(${name} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/${header}")
endfunction()

function(taskpipe_apart)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

function(taskpipe_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE taskpipe_flags ${arg_PRIVATE_DEPS})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  if(TASKPIPE_PRECOMPILED)
    target_precompile_headers(${name} REUSE_FROM ${TASKPIPE_PRECOMPILED_FOR_LIBRARIES})
  endif()
endfunction()

function(taskpipe_executable name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE taskpipe_flags ${arg_DEPS})
endfunction()

function(taskpipe_test name)
  cmake_parse_arguments(arg "" "SHARDS;TIMEOUT" "SOURCES;DEPS;LABELS;PROPERTIES" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE taskpipe_flags ${arg_DEPS} GTest::gmock GTest::gtest_main)
  if(TASKPIPE_PRECOMPILED)
    target_precompile_headers(${name} REUSE_FROM precompiled_for_tests)
  endif()
  if(arg_SHARDS)
    math(EXPR last "${arg_SHARDS} - 1")
    foreach(shard RANGE ${last})
      set(test ${name}.${shard})
      add_test(NAME ${test} COMMAND ${name})
      # The report tells the tests within the shard: see tests/support/count_results.py.
      set_tests_properties(${test} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 300
        ENVIRONMENT "GTEST_TOTAL_SHARDS=${arg_SHARDS};GTEST_SHARD_INDEX=${shard};GTEST_OUTPUT=xml:${CMAKE_BINARY_DIR}/shards/${test}.xml")
    endforeach()
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
      PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} ${arg_PROPERTIES})
  endif()
endfunction()

# A test in Python (standard library only) that drives the built programs: it finds them in
# TASKPIPE_BIN_DIR. Debian's own interpreter, since another python may stand first on PATH.
#   taskpipe_script_test(NAME SCRIPT file.py LABELS integration [TIMEOUT seconds])
function(taskpipe_script_test name)
  cmake_parse_arguments(arg "" "SCRIPT;TIMEOUT" "LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND /usr/bin/python3 "${CMAKE_CURRENT_SOURCE_DIR}/${arg_SCRIPT}")
  # They are the longest, and begin first.
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} COST 100
    SKIP_RETURN_CODE 77  # tests/support/unavailable.py
    ENVIRONMENT "TASKPIPE_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};PYTHONDONTWRITEBYTECODE=1")
endfunction()
