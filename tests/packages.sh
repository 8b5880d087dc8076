# Sourced, not run: installs the Debian packages of sections of tests/packages.txt, if any is missing.
#   ezio_install SECTION...

ezio_install() {
	local list section="" line missing=() installed sudo=()
	list=$(dirname -- "${BASH_SOURCE[0]}")/packages.txt
	if ! command -v dpkg-query >/dev/null; then
		echo "not a Debian system: packages are not checked; see $list" >&2
		return 0
	fi
	installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^.i  *//p')
	while IFS= read -r line; do
		case $line in
		"# "*) section=${line#\# } ;;
		"") ;;
		*)
			[[ " $* " == *" $section "* ]] || continue
			grep -qxF -- "$line" <<<"$installed" || missing+=("$line")
			;;
		esac
	done <"$list"
	((${#missing[@]})) || return 0
	if ((EUID != 0)); then
		if ! command -v sudo >/dev/null; then
			echo "missing packages, and neither root nor sudo to install them; as root run:" >&2
			echo "  apt-get install ${missing[*]}" >&2
			return 1
		fi
		sudo=(sudo)
	fi
	echo "installing: ${missing[*]}"
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null &&
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y \
			"${missing[@]}" </dev/null >/dev/null
}
