#!/usr/bin/env bash
# Clones an ext4 partition from one seeder to two targets, all on this machine, and proves the result.
# Touches only what it creates: files in a temporary directory and loop devices over them.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
	cat <<'END'
usage: examples/quickstart.sh [--size MIB] [--bin DIRECTORY]
  --size MIB       size of the partition (default 256)
  --bin DIRECTORY  use the eziod and ezioctl there; nothing is installed or built
END
}

size_mib=256
bin=
while (($#)); do
	case $1 in
	--size | --bin)
		(($# > 1)) || { usage >&2; exit 2; }
		if [[ $1 == --bin ]]; then bin=$2; else size_mib=$2; fi
		shift 2
		;;
	--help | -h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
if ! [[ $size_mib =~ ^[1-9][0-9]{1,5}$ ]] || ((size_mib < 32)); then
	echo "--size takes 32 to 999999 MiB" >&2
	exit 2
fi

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 ]] || say() { printf '\n%s\n' "$*"; }
show() { # prints a command as an operator types it, and runs it
	printf '$ %s\n' "$*"
	"$@"
}

work= loops=() daemons=() mounts=()
cleanup() {
	local status=$? pid item
	trap - EXIT
	trap '' INT TERM HUP
	for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${daemons[@]}"; do wait "$pid" 2>/dev/null || true; done
	for item in "${mounts[@]}"; do ! mountpoint -q "$item" || umount "$item" || true; done
	for item in "${loops[@]}"; do losetup -d "$item" || true; done
	if ((status)) && [[ -n $work ]]; then
		tail -n 5 "$work"/*.log 2>/dev/null || true
	fi
	[[ -z $work ]] || rm -rf -- "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [[ -z $bin ]]; then
	say "1. Install what is needed and build"
	. "$here/tests/packages.sh"
	ezio_install build run
	(
		cd "$here"
		cmake --preset release -DCMAKE_MESSAGE_LOG_LEVEL=WARNING
		cmake --build --preset release --target eziod ezioctl
	)
	bin=$here/build/release/bin
fi
PATH=$(cd -- "$bin" && pwd):$PATH:/usr/sbin:/sbin

# Three times the partition, in memory if there is room.
need_kib=$((size_mib * 1024 * 7 / 2))
base=${TMPDIR:-/tmp}
if free_kib=$(df --output=avail /dev/shm 2>/dev/null | tail -n 1) && ((free_kib > 2 * need_kib)); then
	base=/dev/shm
fi
work=$(mktemp -d "$base/ezio-quickstart.XXXXXX")
cd "$work"

say "2. Make a partition with real files, and two empty ones of the same size"
have_loop=
for name in source target1 target2; do
	truncate -s "${size_mib}M" "$name.img"
	if ((EUID == 0)) && device=$(losetup --find --show "$name.img" 2>/dev/null); then
		loops+=("$device")
		have_loop=yes
	else
		device=$work/$name.img
	fi
	declare "$name=$device"
done
[[ -n $have_loop ]] || echo "no root or no loop devices: using image files, and not mounting them"
mkdir files
cp -r "$here/actors" "$here/docs" "$here/README.md" files/
head -c "$((size_mib / 2))M" /dev/urandom >files/big.bin
show mkfs.ext4 -q -F -d files "$source"

say "3. Describe its used blocks in a torrent"
show ezioctl create "$source" -o partition.torrent
show ezioctl inspect partition.torrent

say "4. Start a seeder and two targets: three daemons on one host"
port=$((20000 + RANDOM % 20000))
for name in seeder target1 target2; do
	cat >"$name.toml" <<-END
		[control]
		endpoint = "ipc://$work/$name.sock"
		events-endpoint = "ipc://$work/$name.events"
		[state]
		directory = "$work/$name.state"
		[disk]
		cache-size = 128
		[session]
		listen = ["127.0.0.1:$port"]
		lsd = false
	END
	[[ $name != seeder ]] || seeder_port=$port
	echo "\$ eziod -c $name.toml &"
	eziod -c "$name.toml" 2>"$name.log" &
	daemons+=($!)
	port=$((port + 1))
done
ctl() { # ctl DAEMON VERB...: ezioctl for one of the three
	local name=$1
	shift
	EZIO_ENDPOINT=ipc://$work/$name.sock ezioctl "$@"
}
on() { # the same, shown as an operator on that machine types it
	echo "$1\$ ezioctl ${*:2}"
	ctl "$@"
}
for name in seeder target1 target2; do
	for ((i = 0; i < 100; ++i)); do
		ctl "$name" --timeout 5 ping >/dev/null 2>&1 && break
		sleep 0.1
	done
	ctl "$name" ping >/dev/null
done

say "5. Seed, and fetch on both targets"
on seeder add partition.torrent "$source" --seed
for name in target1 target2; do
	on "$name" set download-limit "$((size_mib / 8))MiB/s" # slow enough to watch
	on "$name" add partition.torrent "${!name}" --peer "127.0.0.1:$seeder_port"
done
for ((i = 0; i < 3; ++i)); do
	ctl target1 wait --for synced --timeout 1 >/dev/null 2>&1 || true
	on target1 status
done
echo "full speed from here, without a restart:"
for name in target1 target2; do
	on "$name" set download-limit 0
done
for name in target1 target2; do
	on "$name" wait --for synced --timeout 300
	on "$name" status
done

say "6. Prove it"
for name in seeder target1 target2; do
	on "$name" shutdown
done
for pid in "${daemons[@]}"; do wait "$pid"; done
daemons=()
for name in target1 target2; do
	ezioctl inspect --json partition.torrent | python3 "$here/examples/compare-covered.py" "$source" "${!name}"
	show e2fsck -fn "${!name}"
	if [[ -n $have_loop ]]; then
		mkdir "mnt-$name"
		mounts+=("$work/mnt-$name")
		show mount -o ro "${!name}" "$work/mnt-$name"
		show diff -r --exclude=lost+found files "mnt-$name"
		umount "$work/mnt-$name"
	else
		mkdir "out-$name"
		show debugfs -R "rdump / out-$name" "${!name}" 2>/dev/null
		show diff -r --exclude=lost+found files "out-$name"
	fi
done
say "Both targets hold the source's bytes, pass fsck and have its files."
