# SPDX-License-Identifier: MIT
# Windows (mingw-w64): what the port needs of compiler and linker, and what is built and tested there.
set(shms_parts test/windows)

# Windows 8 and later, by their wide functions.
target_compile_definitions(shmstream_objects PRIVATE _WIN32_WINNT=0x0602 UNICODE)
foreach(library IN ITEMS shmstream shmstream_static)
    target_link_libraries(${library} PRIVATE ntdll advapi32)
endforeach()
target_compile_definitions(shmstream_static INTERFACE SHMS_STATIC)
# One file that needs nothing beside it, named as Windows programs name it: shmstream.dll.
target_link_options(shmstream PRIVATE -static-libgcc)
set_target_properties(shmstream PROPERTIES PREFIX "")
# Programs look for it beside themselves.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
