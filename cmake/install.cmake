# SPDX-License-Identifier: MIT
# What is installed, and the two ways in which others find it: find_package and pkg-config.
include(CMakePackageConfigHelpers)
set(shms_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/shmstream)

set(shms_below_usr "CMAKE_INSTALL_PREFIX MATCHES \"^/usr/?$\"") # asked when it is installed

install(TARGETS shmstream shmstream_static EXPORT shmstream)
set(shms_headers include/shmstream.h include/shmstream/channel.h include/shmstream/dict.h)
set(shms_pc_names shmstream)
if(TARGET shmstream_jar)
    # An export of its own, so that a package without the jar is whole.
    install(TARGETS shmstream_jar shmstream_jar_static EXPORT shmstream-jar)
    install(EXPORT shmstream-jar NAMESPACE shmstream:: DESTINATION ${shms_cmake_dir}
        FILE shmstream-jar-targets.cmake)
    list(APPEND shms_headers include/shmstream/jar.h include/shmstream/jar_curl.h)
    list(APPEND shms_pc_names shmstream-jar)
    install(FILES binding/cpp/shmstream/jar.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/shmstream)
    # The loader looks in this directory by itself.
    install(CODE "if(${shms_below_usr})
        file(RPATH_REMOVE FILE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/$<TARGET_FILE_NAME:shmstream_jar>\")
    endif()")
endif()
foreach(header IN LISTS shms_headers)
    get_filename_component(folder ${header} DIRECTORY)
    string(REGEX REPLACE "^include" ${CMAKE_INSTALL_INCLUDEDIR} folder ${folder})
    install(FILES ${header} DESTINATION ${folder})
endforeach()
install(FILES binding/cpp/shmstream.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES binding/cpp/shmstream/channel.hpp binding/cpp/shmstream/dict.hpp
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/shmstream)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES binding/pascal/ShareMemoryStream.pas binding/pascal/ShareMemoryChannel.pas binding/pascal/ShareMemoryDict.pas
    DESTINATION ${CMAKE_INSTALL_DATADIR}/shmstream/pascal)
foreach(tool IN ITEMS shms_tool shms_cookie_tool shms_bridge_tool)
    if(NOT TARGET ${tool})
        continue()
    endif()
    install(TARGETS ${tool})
    if(NOT WIN32)
        # The loader looks in these directories by itself.
        install(CODE "if(${shms_below_usr})
            file(RPATH_REMOVE FILE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/$<TARGET_FILE_NAME:${tool}>\")
        endif()")
    endif()
endforeach()
if(TARGET shms_cookie_tool)
    # shms-cookie looks for it there, from where it is itself.
    install(DIRECTORY tool/cookie/extension DESTINATION ${CMAKE_INSTALL_DATADIR}/shmstream)
endif()

install(EXPORT shmstream NAMESPACE shmstream:: DESTINATION ${shms_cmake_dir} FILE shmstream-targets.cmake)
configure_package_config_file(cmake/shmstream-config.cmake.in shmstream-config.cmake
    INSTALL_DESTINATION ${shms_cmake_dir} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a minor version may break: 0.1 is not asked to serve for 0.2.
write_basic_package_version_file(shmstream-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/shmstream-config.cmake ${PROJECT_BINARY_DIR}/shmstream-config-version.cmake
    DESTINATION ${shms_cmake_dir})

set(shms_pc_threads ${CMAKE_THREAD_LIBS_INIT})
configure_file(cmake/install_pc.cmake.in install_pc.cmake @ONLY)
install(SCRIPT ${PROJECT_BINARY_DIR}/install_pc.cmake)

file(GLOB shms_man_pages CONFIGURE_DEPENDS doc/*.[17])
if(NOT TARGET shms_cookie_tool)
    list(FILTER shms_man_pages EXCLUDE REGEX "shms-cookie\\.1$")
endif()
if(NOT TARGET shms_bridge_tool)
    list(FILTER shms_man_pages EXCLUDE REGEX "shms-bridge\\.1$")
endif()
if(NOT TARGET shmstream_jar)
    list(FILTER shms_man_pages EXCLUDE REGEX "shmstream-jar\\.7$")
endif()
foreach(page IN LISTS shms_man_pages)
    string(REGEX MATCH "[17]$" section ${page})
    install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
# A page for each function, made from the header.
find_program(SHMS_BASH bash)
if(SHMS_BASH AND NOT CMAKE_HOST_WIN32)
    set(shms_doc_dir ${PROJECT_BINARY_DIR}/doc)
    add_custom_command(OUTPUT ${shms_doc_dir}/api.md
        COMMAND ${CMAKE_COMMAND} -E remove_directory ${shms_doc_dir}/man3
        COMMAND ${CMAKE_COMMAND} -E make_directory ${shms_doc_dir}/man3
        COMMAND ${SHMS_BASH} -c "man3=$1 all=$2; shift 2; for h; do ci/make-api \"$h\" \"$man3\" || exit; done >\"$all\"" make-api
            ${shms_doc_dir}/man3 ${shms_doc_dir}/api.md ${shms_headers}
        DEPENDS ci/make-api ${shms_headers} CHANGELOG.md
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
    add_custom_target(shms_doc ALL DEPENDS ${shms_doc_dir}/api.md)
    install(DIRECTORY ${shms_doc_dir}/man3 DESTINATION ${CMAKE_INSTALL_MANDIR})
endif()
if(EXISTS ${PROJECT_SOURCE_DIR}/tool/shms.bash-completion)
    install(FILES tool/shms.bash-completion
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME shms)
    install(FILES tool/shms.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _shms)
    install(FILES tool/shms.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
if(TARGET shms_cookie_tool)
    install(FILES tool/cookie/shms-cookie.bash-completion
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME shms-cookie)
    install(FILES tool/cookie/shms-cookie.zsh
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _shms-cookie)
    install(FILES tool/cookie/shms-cookie.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
