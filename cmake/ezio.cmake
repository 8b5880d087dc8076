# Helpers that keep the layers apart: how a layer and a test directory are declared.

find_program(CCACHE ccache)
if(CCACHE)
	set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(ezio_flags INTERFACE)
target_include_directories(ezio_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(ezio_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
	-Wcast-align -Woverloaded-virtual -Wnull-dereference $<$<BOOL:${EZIO_WERROR}>:-Werror>)
if(EZIO_SANITIZE)
	target_compile_options(ezio_flags INTERFACE -fsanitize=${EZIO_SANITIZE} -fno-omit-frame-pointer)
	target_link_options(ezio_flags INTERFACE -fsanitize=${EZIO_SANITIZE})
endif()

# ezio_layer(NAME SOURCES a.cpp ... LINK t ... [PRIVATE_LINK t ...])
# A static library of one folder. Sources are listed; a .cpp in the folder that is not listed is an error,
# so that no file can be forgotten.
function(ezio_layer name)
	cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
	add_library(${name} STATIC ${ARG_SOURCES})
	target_link_libraries(${name} PUBLIC ezio_flags ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
endfunction()

# ezio_check_registered(LIST...): every .cpp of this folder must be in the list.
function(ezio_check_registered)
	file(GLOB found RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS *.cpp)
	list(REMOVE_ITEM found ${ARGN})
	if(found)
		message(FATAL_ERROR "${CMAKE_CURRENT_SOURCE_DIR}: not registered in CMakeLists.txt: ${found}")
	endif()
endfunction()

# ezio_test_suite(NAME SOURCES ... LINK ...): one Catch2 binary for one folder of tests.
function(ezio_test_suite name)
	cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
	ezio_check_registered(${ARG_SOURCES})
	add_executable(${name} ${ARG_SOURCES})
	target_link_libraries(${name} PRIVATE ezio_flags ${ARG_LINK} ezio_catch_main)
	add_test(NAME ${name} COMMAND ${name} --order rand --rng-seed time)
	set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# Third-party libraries as imported targets of one name each. A machine without one of them still builds and
# tests the layers that do not need it.
macro(ezio_optional_layers)
	find_package(PkgConfig REQUIRED)
	find_package(Threads REQUIRED)
	pkg_check_modules(LIBTORRENT IMPORTED_TARGET libtorrent-rasterbar>=2.0.8)
	set(EZIO_HAVE_LIBTORRENT ${LIBTORRENT_FOUND})
	pkg_check_modules(ZMQ IMPORTED_TARGET libzmq)
	set(EZIO_HAVE_ZMQ ${ZMQ_FOUND})
	pkg_check_modules(SPDLOG IMPORTED_TARGET spdlog)
	# CAF 0.17 of Debian has no pkg-config file.
	find_library(CAF_CORE caf_core)
	find_path(CAF_INCLUDE caf/all.hpp)
	if(CAF_CORE AND CAF_INCLUDE AND SPDLOG_FOUND)
		set(EZIO_HAVE_CAF TRUE)
		add_library(ezio_caf INTERFACE)
		target_include_directories(ezio_caf SYSTEM INTERFACE ${CAF_INCLUDE})
		target_link_libraries(ezio_caf INTERFACE ${CAF_CORE} Threads::Threads)
	endif()
	foreach(lib IN ITEMS LIBTORRENT CAF ZMQ)
		if(NOT EZIO_HAVE_${lib})
			message(STATUS "${lib} not found: the layers that need it are left out")
		endif()
	endforeach()
endmacro()
