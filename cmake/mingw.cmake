# SPDX-License-Identifier: MIT
# What the two toolchain files share; ${shms_mingw} is the target's name.
set(CMAKE_SYSTEM_NAME Windows)
string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR ${shms_mingw})
# The compiler that uses Windows' own threads, where there are two.
find_program(CMAKE_C_COMPILER NAMES ${shms_mingw}-gcc-win32 ${shms_mingw}-gcc REQUIRED)
set(CMAKE_RC_COMPILER ${shms_mingw}-windres)
set(CMAKE_FIND_ROOT_PATH /usr/${shms_mingw})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
