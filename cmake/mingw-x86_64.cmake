# SPDX-License-Identifier: MIT
# Builds for 64-bit Windows by mingw-w64: cmake --toolchain cmake/mingw-x86_64.cmake
set(shms_mingw x86_64-w64-mingw32)
include(${CMAKE_CURRENT_LIST_DIR}/mingw.cmake)
