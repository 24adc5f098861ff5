# SPDX-License-Identifier: Apache-2.0
# The module `edgefm` in a MicroPython firmware whose port builds with CMake (rp2, esp32):
#
#     make BOARD=... USER_C_MODULES=/path/to/edgefm/firmware/micropython/edgefm
#
# EDGEFM_DEFINES ("EFM_WITH_DETECTION=0;...") leaves out what no package needs.
get_filename_component(EDGEFM_NATIVE ${CMAKE_CURRENT_LIST_DIR}/../../../native ABSOLUTE)
file(GLOB EDGEFM_MODULE_C ${CMAKE_CURRENT_LIST_DIR}/*.c)
file(GLOB_RECURSE EDGEFM_NATIVE_C ${EDGEFM_NATIVE}/src/*.c)
file(GLOB_RECURSE EDGEFM_HOT_C ${EDGEFM_NATIVE}/src/kernels/*.c ${EDGEFM_NATIVE}/src/ops/*.c
                               ${EDGEFM_NATIVE}/src/codecs/*.c)

# A library of its own: MicroPython looks for interned strings in the module's sources, and these have none.
add_library(edgefm_runtime STATIC ${EDGEFM_NATIVE_C})
target_include_directories(edgefm_runtime PUBLIC ${EDGEFM_NATIVE}/include)
target_compile_options(edgefm_runtime PRIVATE -std=gnu11 -ffp-contract=off -ffunction-sections -fdata-sections)
target_compile_definitions(edgefm_runtime PUBLIC ${EDGEFM_DEFINES})
set_source_files_properties(${EDGEFM_HOT_C} PROPERTIES COMPILE_OPTIONS -O2)

add_library(usermod_edgefm INTERFACE)
target_sources(usermod_edgefm INTERFACE ${EDGEFM_MODULE_C})
target_include_directories(usermod_edgefm INTERFACE ${EDGEFM_NATIVE}/include)
target_link_libraries(usermod_edgefm INTERFACE edgefm_runtime)
target_link_libraries(usermod INTERFACE usermod_edgefm)
