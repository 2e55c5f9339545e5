# SPDX-License-Identifier: MIT
# How every target of this project is compiled, which targets build it, and how its programs find what they link with.

function(shms_compile_options target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS "${MINGW}"
        # Names that are private to a file meet when files are joined, as a project that embeds this one may ask.
        UNITY_BUILD OFF)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE _FILE_OFFSET_BITS=64
        $<$<BOOL:${MINGW}>:__USE_MINGW_ANSI_STDIO=1>) # printf by the standard
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wconversion -Wshadow -Wpedantic $<$<BOOL:${SHMS_WERROR}>:-Werror>)
endfunction()

# What is not in the target all is built by these: what make demo shows, what the quick tests need, and all of it.
if(SHMS_TESTS)
    add_custom_target(demos)
    add_custom_target(tests)
    add_custom_target(everything)
    add_dependencies(everything demos tests)
    foreach(group IN ITEMS demos tests everything)
        foreach(library IN ITEMS shmstream shmstream_static)
            add_dependencies(${group} ${library})
        endforeach()
        if(SHMS_TOOL)
            add_dependencies(${group} shms_tool)
        endif()
    endforeach()
endif()

# Libraries that example/, demo/, bench/ and tests may use: included header, pkg-config module.
set(SHMS_OPTIONAL_LIBRARIES
    "curl/curl.h" libcurl
    "uv.h" libuv
    "glib.h" glib-2.0
    "glib-unix.h" glib-2.0
    "libsoup/soup.h" libsoup-3.0)

# shms_optional_libraries(<ret_libraries> <ret_missing> <source>...)
# What the sources need by the headers they include, and which of it this machine does not have.
function(shms_optional_libraries ret_libraries ret_missing)
    set(libraries "")
    set(missing "")
    set(map ${SHMS_OPTIONAL_LIBRARIES})
    while(map)
        list(POP_FRONT map header module)
        set(used "")
        foreach(source IN LISTS ARGN)
            file(STRINGS ${source} lines REGEX "^#include <${header}>")
            list(APPEND used ${lines})
        endforeach()
        if(used)
            find_package(PkgConfig QUIET)
            if(PkgConfig_FOUND)
                pkg_check_modules(SHMS_${module} QUIET IMPORTED_TARGET ${module})
            endif()
            if(TARGET PkgConfig::SHMS_${module})
                list(APPEND libraries PkgConfig::SHMS_${module})
            else()
                list(APPEND missing ${module})
            endif()
        endif()
    endwhile()
    list(REMOVE_DUPLICATES libraries)
    list(REMOVE_DUPLICATES missing)
    set(${ret_libraries} ${libraries} PARENT_SCOPE)
    set(${ret_missing} ${missing} PARENT_SCOPE)
endfunction()

# shms_program(<group> <name> <source>...)
# A program, built by the target <group> (or by all), on the shared library. It is left out, with a word, where a library it includes is missing.
function(shms_program group name)
    shms_optional_libraries(libraries missing ${ARGN})
    if(missing)
        message(STATUS "Not built: ${name} (no ${missing}; ci/setup names the packages)")
        return()
    endif()
    set(uses_jar "")
    foreach(source IN LISTS ARGN)
        file(STRINGS ${source} lines REGEX "^#include \"shmstream/jar.h\"")
        list(APPEND uses_jar ${lines})
    endforeach()
    if(uses_jar AND NOT TARGET shmstream_jar)
        message(STATUS "Not built: ${name} (no libpsl, or no libidn2; ci/setup names the packages)")
        return()
    endif()
    add_executable(${name} ${ARGN})
    shms_compile_options(${name})
    if(uses_jar)
        target_link_libraries(${name} PRIVATE shmstream::shmstream_jar)
    endif()
    if(NOT group STREQUAL "all")
        add_dependencies(${group} ${name})
    endif()
    target_link_libraries(${name} PRIVATE shmstream::shmstream Threads::Threads ${libraries})
endfunction()

# shms_programs(<group> <kind>): a program, target <kind>_<name>, for each .c file beside the caller that has a main;
# the other .c files there are linked to every one of them.
function(shms_programs group kind)
    file(GLOB sources CONFIGURE_DEPENDS *.c)
    set(helpers "")
    foreach(source IN LISTS sources)
        file(STRINGS ${source} main REGEX "^int main\\(")
        if(NOT main)
            list(APPEND helpers ${source})
        endif()
    endforeach()
    if(helpers) # CMake before 3.19 wants something to remove
        list(REMOVE_ITEM sources ${helpers})
    endif()
    foreach(source IN LISTS sources)
        get_filename_component(name ${source} NAME_WE)
        shms_program(${group} ${kind}_${name} ${source} ${helpers})
        if(TARGET ${kind}_${name})
            set_target_properties(${kind}_${name} PROPERTIES OUTPUT_NAME ${name})
        endif()
    endforeach()
endfunction()
