#include "actors/core/target_check.hpp"

#include "actors/core/target_rules.hpp"

#include <algorithm>

namespace ezio
{

std::vector<target_check_info> const &target_checks()
{
	static std::vector<target_check_info> const checks{
		{"missing", true, "the target does not exist; allowing it creates a sparse image file"},
		{"another-device", false, "after a restart the target is not the device that the torrent was on"},
		{"not-a-target", false, "the target is neither a block device nor a regular file"},
		{"read-only", false, "the device is write-protected or its file system is mounted read-only"},
		{"too-small", true,
			"the target ends before the highest extent; allowing it extends an image file, never a device"},
		{"misaligned", true, "an extent does not lie on whole logical sectors of the device"},
		{"overlap", false, "another torrent of this daemon uses a part of the same extents"},
		{"swap", false, "the target, or a part of it, is in use as swap"},
		{"mounted", true, "the target, or a part of it, is mounted"},
		{"held", true, "another block device (LVM, md, dm, loop) is built on the target or a part of it"},
		{"excl-busy", true, "another program has the target open exclusively"},
	};
	return checks;
}

result<void> validate_allowed_checks(std::set<std::string> const &names)
{
	for (auto const &name : names) {
		auto const &checks = target_checks();
		auto const known =
			std::find_if(checks.begin(), checks.end(), [&](auto const &check) { return check.name == name; });
		if (known == checks.end())
			return make_error(errc::invalid_argument, "no such check: " + name);
		if (!known->can_be_allowed)
			return make_error(errc::invalid_argument, "the check " + name + " cannot be allowed");
	}
	return {};
}

error refuse_target(
	std::string const &check, std::string const &path, std::string const &why, std::string const &remedy)
{
	auto e = make_error(errc::target_refused, remedy.empty() ? why : why + "; " + remedy);
	e.device = path;
	e.check = check;
	return e;
}

} // namespace ezio
