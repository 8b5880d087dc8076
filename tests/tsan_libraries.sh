#!/usr/bin/env bash
# tsan_libraries.sh PREFIX: builds CAF, libzmq and libtorrent with clang's thread sanitizer and installs them below
# PREFIX. The sources are those of the installed Debian packages, fetched by apt into PREFIX/sources; the system's
# package lists stay as they are. What is built already is not built again.
#
# The sanitizer sees how threads are synchronised only in code that it compiled: with Debian's libraries every
# message between actors, and every frame between sockets, would look like a race.
set -euo pipefail
prefix=$(mkdir -p -- "$1" && cd -- "$1" && pwd)
jobs=$(nproc)
flags="-O1 -g1 -fsanitize=thread -fno-omit-frame-pointer"

# fetch SOURCE-PACKAGE PACKAGE: the upstream tarball of the version that is installed.
fetch() {
	local source=$1 package=$2 version folder=$prefix/sources/$1
	[[ -d $folder/tree ]] && return
	version=$(dpkg-query -W -f '${source:Version}' "$package")
	mkdir -p "$folder/lists/partial" "$folder/tree"
	echo "deb-src http://deb.debian.org/debian bookworm main" >"$folder/sources.list"
	local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::lists=$folder/lists" -o APT::Sandbox::User=root)
	if ! (cd -- "$folder" && "${apt[@]}" update && "${apt[@]}" --download-only --tar-only source "$source=$version" &&
		tar -xf ./*.orig.tar.* -C tree --strip-components=1); then
		rm -rf -- "$folder"
		echo "$source $version cannot be fetched" >&2
		return 1
	fi
}

# build SOURCE-PACKAGE PACKAGE CMAKE-ARGUMENT...
build() {
	local source=$1 package=$2
	shift 2
	[[ -e $prefix/built-$source ]] && return
	fetch "$source" "$package"
	echo "--- $source"
	cmake -S "$prefix/sources/$source/tree" -B "$prefix/build/$source" -G Ninja -DCMAKE_MESSAGE_LOG_LEVEL=WARNING -Wno-dev \
		-DCMAKE_CXX_COMPILER=clang++-14 -DCMAKE_C_COMPILER=clang-14 -DCMAKE_BUILD_TYPE=None \
		-DCMAKE_CXX_FLAGS="$flags -w" -DCMAKE_C_FLAGS="$flags -w" -DCMAKE_INSTALL_PREFIX="$prefix" \
		-DCMAKE_INSTALL_LIBDIR=lib "$@"
	cmake --build "$prefix/build/$source" -j "$jobs"
	cmake --install "$prefix/build/$source" >/dev/null
	touch "$prefix/built-$source"
}

# Without its own memory pool, which would hide from the sanitizer whose memory is reused.
build actor-framework libcaf-dev -DCAF_NO_IO=yes -DCAF_NO_OPENCL=yes -DCAF_NO_OPENSSL=yes -DCAF_NO_PYTHON=yes \
	-DCAF_NO_TOOLS=yes -DCAF_NO_EXAMPLES=yes -DCAF_NO_UNIT_TESTS=yes -DCAF_NO_SUMMARY=yes -DCAF_NO_MEM_MANAGEMENT=yes \
	-DCAF_NO_AUTO_LIBCPP=yes
build zeromq3 libzmq3-dev -DBUILD_TESTS=OFF -DBUILD_STATIC=OFF -DWITH_PERF_TOOL=OFF -DWITH_DOCS=OFF -DWITH_TLS=OFF \
	-DENABLE_CPACK=OFF -DENABLE_CLANG=OFF -DENABLE_PRECOMPILED=OFF
build libtorrent-rasterbar libtorrent-rasterbar-dev -DCMAKE_CXX_STANDARD=17
