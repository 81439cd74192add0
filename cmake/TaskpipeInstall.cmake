# What `cmake --install` puts where, below the prefix:
#
#   bin/                    taskpipe, taskpipe-broker, taskpipe-worker
#   libexec/                taskpipe-spawner; the worker looks there
#   share/taskpipe/toolbox  manifests, launchers and scripts; the worker looks there
#   include/taskpipe        the client's headers, and below common/ what they show of the model
#   lib/libtaskpipe.a       the whole client in one archive
#   lib/cmake/taskpipe      find_package(taskpipe) -> taskpipe::client
#   lib/pkgconfig           pkg-config taskpipe
#
# Components: broker, worker, command, development. Nothing in them depends on the prefix.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# --- Programs

install(TARGETS taskpipe RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
install(TARGETS taskpipe-broker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT broker)
install(TARGETS taskpipe-worker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT worker)
install(TARGETS taskpipe-spawner RUNTIME DESTINATION libexec COMPONENT worker)
install(DIRECTORY worker/toolbox/ DESTINATION share/taskpipe/toolbox COMPONENT worker
  USE_SOURCE_PERMISSIONS PATTERN "__pycache__" EXCLUDE)

# --- The client library

# One archive, so that no user needs to know our parts and their order. Of common/process only what
# the client uses: the rest would bring libraries that it does not need.
set(process_objects "$<TARGET_OBJECTS:taskpipe_process>")
add_library(taskpipe_archive STATIC
  $<TARGET_OBJECTS:taskpipe_client> $<TARGET_OBJECTS:taskpipe_client_core>
  $<TARGET_OBJECTS:taskpipe_bulk> $<TARGET_OBJECTS:taskpipe_net> $<TARGET_OBJECTS:taskpipe_security> $<TARGET_OBJECTS:taskpipe_protocol>
  $<TARGET_OBJECTS:taskpipe_model>
  "$<FILTER:${process_objects},INCLUDE,/(clock|file|identity|random|sha256)\\.cpp\\.o(bj)?$>")
set_target_properties(taskpipe_archive PROPERTIES
  LINKER_LANGUAGE CXX OUTPUT_NAME taskpipe EXPORT_NAME client)
target_compile_features(taskpipe_archive INTERFACE cxx_std_20)
target_link_libraries(taskpipe_archive INTERFACE tl::expected Threads::Threads zmq xxhash crypto)
add_library(taskpipe::client ALIAS taskpipe_client)  # the same name inside a super-build

install(TARGETS taskpipe_archive EXPORT taskpipeTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT taskpipeTargets NAMESPACE taskpipe:: COMPONENT development
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/taskpipe)

# --- Headers

install(CODE "
  set(source_root \"${PROJECT_SOURCE_DIR}\")
  set(staging \"${PROJECT_BINARY_DIR}/installed_headers\")
  set(include_dir \"${CMAKE_INSTALL_INCLUDEDIR}\")
  include(\"${PROJECT_SOURCE_DIR}/cmake/install_headers.cmake\")
" COMPONENT development)

# --- How others find it

configure_package_config_file(cmake/taskpipeConfig.cmake.in
  "${PROJECT_BINARY_DIR}/taskpipeConfig.cmake"
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/taskpipe
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/taskpipeConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(cmake/taskpipe.pc.in "${PROJECT_BINARY_DIR}/taskpipe.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/taskpipeConfig.cmake"
              "${PROJECT_BINARY_DIR}/taskpipeConfigVersion.cmake"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/taskpipe COMPONENT development)
install(FILES "${PROJECT_BINARY_DIR}/taskpipe.pc"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
