# The Debian packages, by CPack: ./run packages. Adds to what TaskpipeInstall.cmake installs:
#
#   taskpipe-broker   /etc/taskpipe/broker.conf, a unit, the user taskpipe-broker
#   taskpipe-worker   /etc/taskpipe/worker.conf, a unit, the user taskpipe-worker
#   taskpipe          manual pages, completion for three shells
#   libtaskpipe-dev   nothing
#   python3-taskpipe  the module for Debian's own Python
#
# The target `packages_content` builds all that is in them.
set(documents share/doc)
set(debian "${PROJECT_SOURCE_DIR}/cmake/debian")

# --- What only packages have

foreach(role broker worker)
  install(FILES compose/systemd/taskpipe-${role}.service DESTINATION /lib/systemd/system COMPONENT ${role})
  install(FILES compose/config/${role}.conf DESTINATION /etc/taskpipe COMPONENT ${role})
  install(FILES docs/operations.md docs/security.md
    DESTINATION ${documents}/taskpipe-${role} COMPONENT ${role})
endforeach()

# Written by the program itself, from the tables that it parses by.
set(manual "${PROJECT_BINARY_DIR}/manual")
add_custom_command(OUTPUT "${manual}/done"
  COMMAND sh "${debian}/write_manual.sh" $<TARGET_FILE:taskpipe> "${manual}"
  DEPENDS taskpipe "${debian}/write_manual.sh" VERBATIM)
add_custom_target(packages_manual DEPENDS "${manual}/done")
install(DIRECTORY "${manual}/man/" DESTINATION share/man/man1 COMPONENT command)
install(FILES "${manual}/taskpipe.bash" DESTINATION share/bash-completion/completions
  RENAME taskpipe COMPONENT command)
install(FILES "${manual}/_taskpipe" DESTINATION share/zsh/vendor-completions COMPONENT command)
install(FILES "${manual}/taskpipe.fish" DESTINATION share/fish/vendor_completions.d COMPONENT command)

# CPack strips programs; without what debuggers read the archive has an eighth of its size.
install(CODE "execute_process(COMMAND strip --strip-debug
  \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libtaskpipe.a\" COMMAND_ERROR_IS_FATAL ANY)"
  COMPONENT development)

set(modules /usr/lib/python3/dist-packages)
install(TARGETS taskpipe_native LIBRARY DESTINATION ${modules}/taskpipe COMPONENT debian_python)
install(DIRECTORY client/python/src/taskpipe DESTINATION ${modules} COMPONENT debian_python
  PATTERN "__pycache__" EXCLUDE)
set(information "${PROJECT_BINARY_DIR}/METADATA")
file(WRITE "${information}"
  "Metadata-Version: 2.1\nName: taskpipe\nVersion: ${PROJECT_VERSION}\nSummary: ${PROJECT_DESCRIPTION}\n")
install(FILES "${information}" DESTINATION ${modules}/taskpipe-${PROJECT_VERSION}.dist-info
  COMPONENT debian_python)

add_custom_target(packages_content DEPENDS taskpipe taskpipe-broker taskpipe-worker taskpipe-spawner
  taskpipe_archive taskpipe_native packages_manual)

# --- The packages

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The taskpipe developers <taskpipe@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_COMPONENTS_ALL "")

# taskpipe_package(COMPONENT NAME SECTION SUMMARY DESCRIPTION [EXTRA folder of control files]
#                  [DEPENDS …] [RECOMMENDS …] [SUGGESTS …])
macro(taskpipe_package component name section summary description)
  cmake_parse_arguments(arg "" "EXTRA;DEPENDS;RECOMMENDS;SUGGESTS" "" ${ARGN})
  string(TOUPPER ${component} upper)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  install(FILES LICENSE DESTINATION ${documents}/${name} RENAME copyright COMPONENT ${component})
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${summary} ${description}")
  foreach(field DEPENDS RECOMMENDS SUGGESTS)
    if(arg_${field})
      set(CPACK_DEBIAN_${upper}_PACKAGE_${field} "${arg_${field}}")
    endif()
  endforeach()
  if(arg_EXTRA)
    file(GLOB control "${debian}/${arg_EXTRA}/*")
    set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA "${control}")
  endif()
endmacro()

taskpipe_package(broker taskpipe-broker net
  "The broker."
  "Keeps tasks safe in a journal, gives them to workers, and answers clients. One for a cluster.
Installing it starts nothing; /etc/taskpipe/broker.conf and the unit taskpipe-broker are ready."
  EXTRA broker DEPENDS "adduser" RECOMMENDS "taskpipe")
taskpipe_package(worker taskpipe-worker net
  "The worker."
  "Runs the tasks that a broker gives it, with the tools that this host has: LAMMPS, FEniCSx,
OpenFOAM, Python, bash, or any program that a manifest of twenty lines describes.
Installing it starts nothing; /etc/taskpipe/worker.conf and the unit taskpipe-worker are ready."
  EXTRA worker DEPENDS "adduser, bash" RECOMMENDS "python3"
  SUGGESTS "lammps, python3-dolfinx, openfoam")
taskpipe_package(command taskpipe net
  "The command line."
  "Submits simulations, waits for them, watches and cancels them, fetches what they leave."
  SUGGESTS "taskpipe-broker, taskpipe-worker")
taskpipe_package(development libtaskpipe-dev libdevel
  "The C++ library."
  "Headers and the static library, for find_package(taskpipe) and pkg-config."
  DEPENDS "libzmq3-dev, libxxhash-dev, libssl-dev, libexpected-dev")
taskpipe_package(debian_python python3-taskpipe python
  "The Python package."
  "TaskPipeline, Client and AsyncClient, for programs and agents that run simulations."
  EXTRA python DEPENDS "python3 (>= 3.11), python3 (<< 3.12)")
include(CPack)
