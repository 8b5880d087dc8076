# Helpers that keep the layers apart: how a layer and a test directory are declared.

# Paths below this folder are taken as relative, so that presets of equal flags (core and clang) share what they
# compile, and a second clone finds it, too.
find_program(CCACHE ccache)
if(CCACHE)
	set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
		${CCACHE})
endif()

add_library(ezio_flags INTERFACE)
target_include_directories(ezio_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(ezio_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
	-Wcast-align -Woverloaded-virtual -Wnull-dereference $<$<BOOL:${EZIO_WERROR}>:-Werror>)
if(EZIO_SANITIZE)
	# Lines are enough for a report, and full debug information takes a third of the time of an instrumented build.
	target_compile_options(ezio_flags INTERFACE -fsanitize=${EZIO_SANITIZE} -fno-omit-frame-pointer -g1)
	target_link_options(ezio_flags INTERFACE -fsanitize=${EZIO_SANITIZE})
	# gcc 12 takes std::regex in Catch2's main for uninitialized once it is instrumented.
	target_compile_options(ezio_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
	# Asio's headers use atomic_thread_fence, which gcc's thread sanitizer does not follow.
	if(EZIO_SANITIZE STREQUAL "thread")
		target_compile_options(ezio_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
	endif()
endif()

if(EZIO_FUZZ)
	if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
		message(FATAL_ERROR "EZIO_FUZZ needs clang: cmake --preset fuzz")
	endif()
	target_compile_options(ezio_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Who may link what: the table of docs/architecture.md as targets. tests/tree checks the includes
# against the same table and links every layer against nothing but its row.
set(EZIO_MAY_LINK_ezio_core OpenSSL::Crypto PkgConfig::LIBURING Threads::Threads)
set(EZIO_MAY_LINK_ezio_wire ezio_core ezio_json)
set(EZIO_MAY_LINK_ezio_config ezio_core)
set(EZIO_MAY_LINK_ezio_torrent_file ezio_core PkgConfig::LIBTORRENT)
set(EZIO_MAY_LINK_ezio_actors ezio_core ezio_caf PkgConfig::SPDLOG)
set(EZIO_MAY_LINK_ezio_bt ezio_core ezio_actors ezio_torrent_file ezio_caf PkgConfig::LIBTORRENT PkgConfig::SPDLOG)
set(EZIO_MAY_LINK_ezio_create ezio_core ezio_torrent_file ezio_bt PkgConfig::LIBTORRENT Threads::Threads)
set(EZIO_MAY_LINK_ezio_ctl ezio_core ezio_wire ezio_create ezio_torrent_file PkgConfig::ZMQ Threads::Threads)
set(EZIO_MAY_LINK_ezio_daemon ezio_core ezio_wire ezio_config ezio_actors ezio_bt ezio_caf ezio_prometheus PkgConfig::ZMQ
	PkgConfig::SPDLOG Threads::Threads)

# ezio_layer(NAME SOURCES a.cpp ... LINK t ... [PRIVATE_LINK t ...])
# A static library of one folder. Sources are listed; a .cpp in the folder that is not listed is an error,
# so that no file can be forgotten. What it links must be in its row above.
function(ezio_layer name)
	cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
	if(NOT DEFINED EZIO_MAY_LINK_${name})
		message(FATAL_ERROR "${name}: no row in the table of layers (cmake/ezio.cmake)")
	endif()
	foreach(dependency IN LISTS ARG_LINK ARG_PRIVATE_LINK)
		if(NOT dependency IN_LIST EZIO_MAY_LINK_${name})
			message(FATAL_ERROR "layer ${name} may not link ${dependency}; it may link: ${EZIO_MAY_LINK_${name}}")
		endif()
	endforeach()
	set_property(GLOBAL APPEND PROPERTY EZIO_LAYERS ${name})
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

# ezio_link_test(LAYER): an executable of every object of the layer and of what the layer declares to link, and
# nothing else. It fails to link if the layer uses what it does not declare.
function(ezio_link_test layer)
	set(name link_test_${layer})
	file(CONFIGURE OUTPUT ${name}.cpp CONTENT "int main()\n{\n\treturn 0;\n}\n")
	add_executable(${name} ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
	target_link_libraries(${name} PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,${layer}>)
	target_link_options(${name} PRIVATE -Wl,--no-undefined)
	add_dependencies(unit_tests ${name})
	add_test(NAME ${name} COMMAND ${name})
	set_tests_properties(${name} PROPERTIES LABELS "unit;tree" TIMEOUT 60)
endfunction()

# ezio_test_suite(NAME SOURCES ... LINK ... [APART tag...]): one Catch2 binary for one folder of tests, and one CTest
# test; its tests of a tag to be run apart are one by themselves, NAME.tag.
function(ezio_test_suite name)
	cmake_parse_arguments(ARG "" "" "SOURCES;LINK;APART" ${ARGN})
	ezio_check_registered(${ARG_SOURCES})
	add_executable(${name} ${ARG_SOURCES})
	target_link_libraries(${name} PRIVATE ezio_flags ${ARG_LINK} ezio_catch_main)
	add_dependencies(unit_tests ${name})
	set(rest "")
	set(tests ${name})
	foreach(tag IN LISTS ARG_APART)
		add_test(NAME ${name}.${tag} COMMAND ${name} "[${tag}]" --order rand --rng-seed time)
		list(APPEND tests ${name}.${tag})
		string(APPEND rest "~[${tag}]")
	endforeach()
	add_test(NAME ${name} COMMAND ${name} ${rest} --order rand --rng-seed time)
	set_tests_properties(${tests} PROPERTIES LABELS unit TIMEOUT 300 PROCESSORS 2)
endfunction()

# Third-party libraries as imported targets of one name each. A machine without one of them still builds and
# tests the layers that do not need it.
macro(ezio_optional_layers)
	find_package(PkgConfig REQUIRED)
	find_package(Threads REQUIRED)
	if(NOT EZIO_CORE_ONLY)
		pkg_check_modules(LIBTORRENT IMPORTED_TARGET libtorrent-rasterbar>=2.0.8)
		set(EZIO_HAVE_LIBTORRENT ${LIBTORRENT_FOUND})
		pkg_check_modules(ZMQ IMPORTED_TARGET libzmq)
		set(EZIO_HAVE_ZMQ ${ZMQ_FOUND})
		pkg_check_modules(SPDLOG IMPORTED_TARGET spdlog)
		# The data model and text format of prometheus-cpp on the HTTP server that it brings, which has no
		# pkg-config file.
		pkg_check_modules(PROMETHEUS IMPORTED_TARGET prometheus-cpp-core)
		find_library(CIVETWEB civetweb)
		find_library(CIVETWEB_CPP civetweb-cpp)
		find_path(CIVETWEB_INCLUDE CivetServer.h)
		if(PROMETHEUS_FOUND AND CIVETWEB AND CIVETWEB_CPP AND CIVETWEB_INCLUDE)
			set(EZIO_HAVE_PROMETHEUS TRUE)
			add_library(ezio_prometheus INTERFACE)
			target_include_directories(ezio_prometheus SYSTEM INTERFACE ${CIVETWEB_INCLUDE})
			target_link_libraries(ezio_prometheus INTERFACE PkgConfig::PROMETHEUS ${CIVETWEB_CPP} ${CIVETWEB})
		endif()
		# CAF 0.17 of Debian has no pkg-config file.
		find_library(CAF_CORE caf_core)
		find_path(CAF_INCLUDE caf/all.hpp)
		if(CAF_CORE AND CAF_INCLUDE AND SPDLOG_FOUND)
			set(EZIO_HAVE_CAF TRUE)
			add_library(ezio_caf INTERFACE)
			target_include_directories(ezio_caf SYSTEM INTERFACE ${CAF_INCLUDE})
			target_link_libraries(ezio_caf INTERFACE ${CAF_CORE} Threads::Threads)
			if(EZIO_SANITIZE MATCHES "undefined")
				# CAF 0.17's headers bind a reference to *pointer of an empty argument tuple and never use it.
				target_compile_options(ezio_caf INTERFACE -fno-sanitize=null)
			endif()
		endif()
	endif()
	foreach(lib IN ITEMS LIBTORRENT CAF ZMQ PROMETHEUS)
		if(NOT EZIO_HAVE_${lib})
			message(STATUS "${lib} is not used: the layers that need it are left out")
		endif()
	endforeach()
endmacro()
