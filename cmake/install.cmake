# SPDX-License-Identifier: MIT
# What is installed, and the two ways in which others find it: find_package and pkg-config.
include(CMakePackageConfigHelpers)
set(shms_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/shmstream)

install(TARGETS shmstream shmstream_static EXPORT shmstream)
install(FILES include/shmstream.h TYPE INCLUDE)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES binding/pascal/ShareMemoryStream.pas DESTINATION ${CMAKE_INSTALL_DATADIR}/shmstream/pascal)
if(TARGET shms_tool)
    install(TARGETS shms_tool)
endif()

install(EXPORT shmstream NAMESPACE shmstream:: DESTINATION ${shms_cmake_dir} FILE shmstream-targets.cmake)
configure_package_config_file(cmake/shmstream-config.cmake.in shmstream-config.cmake
    INSTALL_DESTINATION ${shms_cmake_dir} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a minor version may break: 0.1 is not asked to serve for 0.2.
write_basic_package_version_file(shmstream-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/shmstream-config.cmake ${PROJECT_BINARY_DIR}/shmstream-config-version.cmake
    DESTINATION ${shms_cmake_dir})

# The paths in shmstream.pc start from where it stands, so the whole prefix can be moved.
set(shms_pc_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH shms_pc_include ${shms_pc_dir} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
set(shms_pc_threads ${CMAKE_THREAD_LIBS_INIT})
configure_file(cmake/shmstream.pc.in shmstream.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/shmstream.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

file(GLOB shms_man_pages CONFIGURE_DEPENDS doc/*.[17])
foreach(page IN LISTS shms_man_pages)
    string(REGEX MATCH "[17]$" section ${page})
    install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
# The pages of the functions are there after make doc, which make install does first.
install(DIRECTORY ${PROJECT_BINARY_DIR}/doc/man3 DESTINATION ${CMAKE_INSTALL_MANDIR} OPTIONAL)
if(EXISTS ${PROJECT_SOURCE_DIR}/tool/shms.bash-completion)
    install(FILES tool/shms.bash-completion
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME shms)
endif()
