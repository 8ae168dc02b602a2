# Target `environment`: a virtual environment in build/env with the pinned requirements, and the modules on its path.
# Target `demo`: the main job on a real volume, into build/demo.
set(MRISUPERRES_PYTHON "" CACHE FILEPATH "A Python that has the packages of both requirements files already; empty: make build/env")
set(MRISUPERRES_DEMO_INPUT "" CACHE FILEPATH "Another volume for the demo")

set(requirements "${PROJECT_SOURCE_DIR}/requirements.txt" "${PROJECT_SOURCE_DIR}/requirements-no-deps.txt")
set(make_environment "${CMAKE_CURRENT_LIST_DIR}/make_environment.py")
if(MRISUPERRES_PYTHON)
  set(ENVIRONMENT_PYTHON "${MRISUPERRES_PYTHON}")
  add_custom_target(environment)
else()
  find_package(Python3 3.11...<3.13 REQUIRED COMPONENTS Interpreter)
  set(environment "${PROJECT_BINARY_DIR}/env")
  set(ENVIRONMENT_PYTHON "${environment}/bin/python")
  if(WIN32)
    set(ENVIRONMENT_PYTHON "${environment}/Scripts/python.exe")
  endif()
  add_custom_command(OUTPUT "${environment}.stamp"
    COMMAND "${Python3_EXECUTABLE}" "${make_environment}" "${environment}" ${requirements}
      "${PROJECT_SOURCE_DIR}/MRISuperRes" "${PROJECT_SOURCE_DIR}/MRISuperResTraining"
    COMMAND "${CMAKE_COMMAND}" -E touch "${environment}.stamp"
    DEPENDS ${requirements} "${make_environment}"
    COMMENT "Making the environment in ${environment} (a few minutes, once)"
    USES_TERMINAL VERBATIM)
  add_custom_target(environment DEPENDS "${environment}.stamp")
endif()

set(demo_arguments --out "${PROJECT_BINARY_DIR}/demo")
if(MRISUPERRES_DEMO_INPUT)
  list(APPEND demo_arguments --input "${MRISUPERRES_DEMO_INPUT}")
endif()
add_custom_target(demo
  COMMAND "${ENVIRONMENT_PYTHON}" "${PROJECT_SOURCE_DIR}/Testing/Demo/demo.py" ${demo_arguments}
  COMMENT "Upsampling a real volume"
  USES_TERMINAL VERBATIM)
add_dependencies(demo environment)
