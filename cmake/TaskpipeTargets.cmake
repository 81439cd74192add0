# One way to declare a target.
#
#   taskpipe_library(NAME SOURCES a.cpp … DEPS public targets … PRIVATE_DEPS hidden targets …)
#   taskpipe_executable(NAME SOURCES … DEPS …)
#   taskpipe_test(NAME SOURCES … DEPS … LABELS unit [TIMEOUT seconds] [PROPERTIES name value …])
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
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPS;LABELS;PROPERTIES" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE taskpipe_flags ${arg_DEPS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} ${arg_PROPERTIES})
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
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "TASKPIPE_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};PYTHONDONTWRITEBYTECODE=1")
endfunction()
