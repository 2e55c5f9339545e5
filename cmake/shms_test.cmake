# SPDX-License-Identifier: MIT
# How tests are registered. A test file may say in one of its comments how it wants to be run:
#     ctest: serial long timeout=300
# serial: not beside any other test; long: in the long tier, not in the quick one; timeout: seconds, not 120.

# shms_test(<name> <file that may hold the ctest: line> LABELS <label>... COMMAND <command>...)
function(shms_test name file)
    cmake_parse_arguments(arg "" "" "LABELS;COMMAND" ${ARGN})
    set(timeout 120)
    set(serial OFF)
    set(tier quick)
    file(STRINGS ${file} wishes REGEX "ctest: (serial|long|timeout=)" LIMIT_COUNT 1)
    if(wishes MATCHES " serial")
        set(serial ON)
    endif()
    if(wishes MATCHES " long")
        set(tier long)
    endif()
    if(wishes MATCHES "timeout=([0-9]+)")
        set(timeout ${CMAKE_MATCH_1})
    endif()
    add_test(NAME ${name} COMMAND ${arg_COMMAND})
    set_tests_properties(${name} PROPERTIES
        LABELS "${tier};${arg_LABELS}" SKIP_RETURN_CODE 77 TIMEOUT ${timeout} RUN_SERIAL ${serial}
        ENVIRONMENT "SHMS=${PROJECT_BINARY_DIR}/tool/shms;BUILD=${PROJECT_BINARY_DIR};SRC=${PROJECT_SOURCE_DIR}")
endfunction()

# shms_c_tests(<kind> <library>): one program and one test for each *_test.c beside the caller; all the
# other .c files there help every one of them.
function(shms_c_tests kind library)
    file(GLOB tests CONFIGURE_DEPENDS *_test.c)
    file(GLOB helpers CONFIGURE_DEPENDS *.c)
    list(REMOVE_ITEM helpers ${tests})
    foreach(source IN LISTS tests)
        get_filename_component(name ${source} NAME_WE)
        shms_optional_libraries(libraries missing ${source})
        if(missing)
            message(STATUS "Not built: ${kind}.${name} (no ${missing}; ci/setup names the packages)")
            continue()
        endif()
        add_executable(${kind}_${name} ${source} ${helpers})
        shms_compile_options(${kind}_${name})
        add_dependencies(tests ${kind}_${name})
        # Asserts stay on in tests, whatever the build type.
        target_compile_options(${kind}_${name} PRIVATE -UNDEBUG)
        target_link_libraries(${kind}_${name} PRIVATE ${library} Threads::Threads PkgConfig::SHMS_cmocka ${libraries})
        set_target_properties(${kind}_${name} PROPERTIES OUTPUT_NAME ${name})
        shms_test(${kind}.${name} ${source} LABELS ${kind} COMMAND ${kind}_${name})
    endforeach()
endfunction()
