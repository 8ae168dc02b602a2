# Slicer's macros for a computer without Slicer. With them, the other CMakeLists.txt files are those
# of an ordinary extension. The macros check the listed files and add tests on Testing/Host.
include("${CMAKE_CURRENT_LIST_DIR}/Environment.cmake")

set(HOST_RUNNER "${PROJECT_SOURCE_DIR}/Testing/Host/run.py")

# slicerMacroBuildScriptedModule(NAME name SCRIPTS ... [RESOURCES ...] [WITH_GENERIC_TESTS])
# Slicer would install the listed files, so each must exist and the folder must hold no others.
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS;WITH_SUBDIR" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  host_check_files(${MY_NAME} "${MY_SCRIPTS};${MY_RESOURCES}")
  if(MY_WITH_GENERIC_TESTS AND BUILD_TESTING)
    host_add_test(py_module_${MY_NAME}GenericTest --generic ${MY_NAME})
    set_tests_properties(py_module_${MY_NAME}GenericTest PROPERTIES LABELS module)
  endif()
endmacro()

function(host_check_files name listed)
  file(GLOB_RECURSE present CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}"
    "${CMAKE_CURRENT_SOURCE_DIR}/${name}.py" "${CMAKE_CURRENT_SOURCE_DIR}/${name}Lib/*"
    "${CMAKE_CURRENT_SOURCE_DIR}/Resources/*")
  list(FILTER present EXCLUDE REGEX "__pycache__|\\.qrc$")
  foreach(file IN LISTS listed)
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
      message(FATAL_ERROR "${name}: CMakeLists.txt lists a file that does not exist: ${file}")
    endif()
  endforeach()
  list(REMOVE_ITEM present ${listed})
  if(present)
    list(JOIN present "\n  " missing)
    message(FATAL_ERROR
      "${name}: not listed in CMakeLists.txt, so Slicer would not install:\n  ${missing}")
  endif()
endfunction()

# slicer_add_python_unittest(SCRIPT file [TESTNAME_PREFIX prefix] [SLICER_ARGS ...])
macro(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  get_filename_component(MY_FILE "${MY_SCRIPT}" ABSOLUTE)
  get_filename_component(MY_TEST "${MY_SCRIPT}" NAME_WE)
  if(NOT EXISTS "${MY_FILE}")
    message(FATAL_ERROR "The test file does not exist: ${MY_FILE}")
  endif()
  host_add_test(py_${MY_TESTNAME_PREFIX}${MY_TEST} "${MY_FILE}")
endmacro()

# CTest shows a file as skipped if some or all of its tests were skipped. The runner prints the
# sentence only if no test failed.
function(host_add_test name)
  add_test(NAME ${name}
    COMMAND "${ENVIRONMENT_PYTHON}" "${HOST_RUNNER}" --module-paths "${PROJECT_SOURCE_DIR}" ${ARGN})
  # one thread per test, because several tests run at a time
  set(environment "MRISUPERRES_SCREENSHOTS=${PROJECT_BINARY_DIR}/screenshots"
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1)
  set_tests_properties(${name} PROPERTIES
    TIMEOUT 600
    SKIP_RETURN_CODE 77
    SKIP_REGULAR_EXPRESSION "SOME TESTS WERE SKIPPED"
    ENVIRONMENT "${environment}"
  )
endfunction()
