# Targets:
#   environment         virtual environment in build/env with the pinned requirements
#   oldest-environment  virtual environment in build/env-oldest with the oldest supported versions
#   demo                upsampling of a real volume, into build/demo
#   reference           API reference as HTML, into build/reference
set(MRISUPERRES_PYTHON "" CACHE FILEPATH
  "Python with the packages of both requirements files; empty: build build/env")
set(MRISUPERRES_DEMO_INPUT "" CACHE FILEPATH "Input volume of the demo; empty: the default one")

set(make_environment "${CMAKE_CURRENT_LIST_DIR}/make_environment.py")

# add_environment(TARGET FOLDER REQUIREMENTS...) adds a target that builds a virtual environment.
function(add_environment target folder)
  add_custom_command(OUTPUT "${folder}.stamp"
    COMMAND "${Python3_EXECUTABLE}" "${make_environment}"
      "${folder}" "${PROJECT_SOURCE_DIR}" ${ARGN}
    COMMAND "${CMAKE_COMMAND}" -E touch "${folder}.stamp"
    DEPENDS ${ARGN} "${make_environment}" "${PROJECT_SOURCE_DIR}/pyproject.toml"
    COMMENT "Building the environment in ${folder} (once)"
    USES_TERMINAL VERBATIM)
  add_custom_target(${target} DEPENDS "${folder}.stamp")
endfunction()

find_package(Python3 3.11...<3.13 REQUIRED COMPONENTS Interpreter)
if(MRISUPERRES_PYTHON)
  set(ENVIRONMENT_PYTHON "${MRISUPERRES_PYTHON}")
  add_custom_target(environment)
else()
  set(environment "${PROJECT_BINARY_DIR}/env")
  set(ENVIRONMENT_PYTHON "${environment}/bin/python")
  if(WIN32)
    set(ENVIRONMENT_PYTHON "${environment}/Scripts/python.exe")
  endif()
  add_environment(environment "${environment}"
    "${PROJECT_SOURCE_DIR}/requirements.txt" "${PROJECT_SOURCE_DIR}/requirements-no-deps.txt")
endif()
# the oldest supported versions of all dependencies except PyTorch
add_environment(oldest-environment "${PROJECT_BINARY_DIR}/env-oldest"
  "${PROJECT_SOURCE_DIR}/requirements-oldest.txt")

set(demo_arguments --out "${PROJECT_BINARY_DIR}/demo")
if(MRISUPERRES_DEMO_INPUT)
  list(APPEND demo_arguments --input "${MRISUPERRES_DEMO_INPUT}")
endif()
add_custom_target(demo
  COMMAND "${ENVIRONMENT_PYTHON}" "${PROJECT_SOURCE_DIR}/Testing/Demo/demo.py" ${demo_arguments}
  COMMENT "Upsampling a real volume"
  USES_TERMINAL VERBATIM)
add_dependencies(demo environment)

# the modules that can be imported without Slicer and Qt
set(reference_modules
  MRISuperResLib
  !MRISuperResLib.logic
  !MRISuperResLib.scene
  !MRISuperResLib.widgets
  !MRISuperResLib.worker
  MRISuperResTrainingLib
  !MRISuperResTrainingLib.scene
  !MRISuperResTrainingLib.widgets
)
add_custom_target(reference
  COMMAND "${ENVIRONMENT_PYTHON}" -W error -m pdoc --docformat google
    --output-directory "${PROJECT_BINARY_DIR}/reference" ${reference_modules}
  COMMENT "Building the API reference"
  USES_TERMINAL VERBATIM)
add_dependencies(reference environment)
