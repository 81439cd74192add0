# Installs the public headers so that one include folder serves them: "taskpipe/client.hpp".
#
# In the sources they include the model as "common/model/…", from the root. Installed, the model
# stands below taskpipe/, where it cannot meet another project's common/, and is included as
# "taskpipe/common/model/…". Variables: source_root, staging, include_dir.
file(GLOB public RELATIVE "${source_root}/client/include" "${source_root}/client/include/taskpipe/*.hpp")
file(GLOB model RELATIVE "${source_root}" "${source_root}/common/model/*.hpp")
file(REMOVE_RECURSE "${staging}")

function(stage from to)
  file(READ "${from}" text)
  string(REPLACE "#include \"common/" "#include \"taskpipe/common/" text "${text}")
  file(WRITE "${staging}/${to}" "${text}")
endfunction()

foreach(header IN LISTS public)
  stage("${source_root}/client/include/${header}" "${header}")
endforeach()
foreach(header IN LISTS model)
  stage("${source_root}/${header}" "taskpipe/${header}")
endforeach()
file(INSTALL DESTINATION "${CMAKE_INSTALL_PREFIX}/${include_dir}" TYPE DIRECTORY
  FILES "${staging}/taskpipe")
