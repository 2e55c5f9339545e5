# SPDX-License-Identifier: MIT
# Builds for 32-bit Windows by mingw-w64: cmake --toolchain cmake/mingw-i686.cmake
set(shms_mingw i686-w64-mingw32)
include(${CMAKE_CURRENT_LIST_DIR}/mingw.cmake)
