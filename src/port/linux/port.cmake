# SPDX-License-Identifier: MIT
# Linux: what the port needs of compiler and linker, and what is built and tested there.
set(shms_parts example demo bench test)

target_compile_options(shmstream_objects PRIVATE -fno-plt) # memcpy is called for each short record
# nodelete: fork handlers of the library must not outlive its code.
# Bsymbolic-functions: a program may have functions of the same names, those of another copy.
target_link_options(shmstream PRIVATE
    -Wl,-z,nodelete -Wl,-z,defs -Wl,-Bsymbolic-functions -Wl,--version-script=${PROJECT_SOURCE_DIR}/src/shmstream.map)
set_target_properties(shmstream PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/src/shmstream.map)
