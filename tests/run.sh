#!/usr/bin/env bash
# Installs what is missing, builds and runs all tests. See --help.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
. tests/packages.sh

usage() {
	cat <<'END'
usage: tests/run.sh [STEP...] [-- CTEST-ARGUMENT...]
Installs what is missing (Debian 12), builds and tests. Without a STEP: --release.
  --release  gcc, optimised; every test, end to end tests included
  --format   clang-format changes nothing
  --core     core, wire and config alone, as on a machine without CAF, libtorrent and ZeroMQ, with the flags of
             --asan, which need not compile them again; core_test itself is left to --asan
  --asan     clang 14, address and undefined behaviour sanitizers: everything compiles; unit tests
  --tsan     clang 14, thread sanitizer: unit tests of the layers without CAF and ZeroMQ, whose libraries are not
             instrumented: every message between threads would look like a race
  --tsan-all not in --all: thread sanitizer on CAF, libzmq and libtorrent as well, which tests/tsan_libraries.sh
             builds first; unit and end to end tests, and the stress campaign for EZIO_STRESS_SECONDS (60)
  --fuzz     clang's libFuzzer with address and undefined behaviour sanitizers: every target of tests/fuzz for
             EZIO_FUZZ_SECONDS (20) on its corpus; what it finds is kept in build/fuzz/found
  --all      all of these; --release last
Tests that need root, loop devices or FUSE and do not get them are reported as skipped, with the reason.
END
}

steps=()
while (($#)); do
	case $1 in
	--release | --format | --core | --asan | --tsan | --tsan-all | --fuzz) steps+=("${1#--}") ;;
	--all) steps+=(format core asan tsan fuzz release) ;;
	--help | -h) usage; exit 0 ;;
	--) shift; break ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
((${#steps[@]})) || steps=(release)
ctest_arguments=("$@")
jobs=$(nproc)

# clang 14's thread sanitizer does not find its shadow memory where the kernel randomizes addresses by more than
# 28 bits.
fixed_addresses=()
if setarch -R true 2>/dev/null; then
	fixed_addresses=(setarch -R)
fi

# build_and_test PRESET CTEST-ARGUMENT...
# More tests at a time than processors, since most of them wait; a suite that computes counts as two.
build_and_test() {
	local preset=$1 runner=() targets=()
	shift
	if [[ $preset == tsan* ]]; then
		runner=("${fixed_addresses[@]}")
	fi
	if [[ $preset == tsan ]]; then
		targets=(--target "${tsan_tests[@]}")
	fi
	cmake --preset "$preset" -DCMAKE_MESSAGE_LOG_LEVEL=WARNING &&
		cmake --build --preset "$preset" -j "$jobs" "${targets[@]}" &&
		"${runner[@]}" ctest --test-dir "build/$preset" -j $((2 * jobs)) --output-on-failure --no-tests=error \
			"$@" "${ctest_arguments[@]}"
}

# Targets and tests that the thread sanitizer can judge. Of core_test not what one thread does for long, by chance.
tsan_tests=(core_test config_tests test_wire create_test)

# An instrumented daemon is judged by neither its memory nor its speed, and the quickstart builds one of its own.
tsan_all() {
	tests/tsan_libraries.sh build/tsan-libraries &&
		build_and_test tsan-all -L "unit|e2e" -E "^bench|^e2e\.(memory|slow_device|quickstart)_test" &&
		EZIO_BIN=$PWD/build/tsan-all/bin "${fixed_addresses[@]}" /usr/bin/python3 -B tests/reliability/run.py stress \
			--runs "${EZIO_STRESS_SECONDS:-60}"
}

# New inputs stay in the build folder, since most say nothing that the small corpus of the tree does not.
fuzz() {
	local target name
	cmake --preset fuzz -DCMAKE_MESSAGE_LOG_LEVEL=WARNING && cmake --build --preset fuzz -j "$jobs" --target fuzzers || return
	mkdir -p build/fuzz/found
	for target in build/fuzz/tests/fuzz/fuzz_*; do
		[[ -x $target && -f $target ]] || continue
		name=${target##*/fuzz_}
		echo "--- $name"
		mkdir -p "build/fuzz/corpus/$name"
		"$target" -max_total_time="${EZIO_FUZZ_SECONDS:-20}" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
			-print_final_stats=1 -print_funcs=0 -verbosity=0 -artifact_prefix="build/fuzz/found/$name-" \
			"build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" || return
	done
}

# Sanitized builds repeat what depends on the compiler, not what looks at the tree or takes long.
run_step() {
	case $1 in
	format)
		find . -path ./build -prune -o \( -name '*.cpp' -o -name '*.hpp' \) -print0 |
			xargs -0 clang-format-14 --dry-run -Werror
		;;
	release) build_and_test release ;;
	fuzz) fuzz ;;
	tsan-all) tsan_all ;;
	tsan) build_and_test tsan -R "^($(IFS='|'; echo "${tsan_tests[*]}"))\$" ;;
	core) build_and_test core -L unit -E '^core_test' ;;
	*) build_and_test "$1" -L unit ;;
	esac
}

ezio_install build run test
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1
failed=()
for step in "${steps[@]}"; do
	echo "=== $step"
	began=$SECONDS
	if ! run_step "$step"; then
		failed+=("$step")
	fi
	echo "=== $step took $((SECONDS - began)) s"
done
if ((${#failed[@]})); then
	echo "failed: ${failed[*]}"
	exit 1
fi
