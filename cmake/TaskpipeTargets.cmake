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

function(taskpipe_apart)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

function(taskpipe_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE taskpipe_flags ${arg_PRIVATE_DEPS})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
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
