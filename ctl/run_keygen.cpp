#include "ctl/run.hpp"

#include "ctl/key_files.hpp"

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <utility>

namespace ezio::ctl
{

namespace
{

// As the daemon's list takes them.
constexpr std::size_t name_bytes_max = 64;

result<void> check_line(std::string const &role, std::string const &name)
{
	if (role != "full" && role != "read-only")
		return make_error(errc::invalid_argument, "--role \"" + role + "\": expected full or read-only");
	auto const is_printable = std::ranges::all_of(name, [](char c) { return c >= ' ' && c <= '~'; });
	if (name.find_first_not_of(' ') == std::string::npos || name.size() > name_bytes_max || !is_printable)
		return make_error(errc::invalid_argument, "--name: expected 1 to 64 printable characters of ASCII");
	return {};
}

} // namespace

handler_result run_keygen(command_context const &context)
{
	auto const base = context.line.value("--output").value_or("ezio");
	auto const role = context.line.value("--role").value_or("read-only");
	auto const last_part = std::filesystem::path(base).filename().string();
	if (last_part.empty())
		return make_error(
			errc::invalid_argument, "--output \"" + base + "\": expected the beginning of a file's name");
	auto const name = context.line.value("--name").value_or(last_part);
	if (auto const fine = check_line(role, name); !fine)
		return fine.failure();
	auto const keys = make_key_pair();
	if (!keys)
		return keys.failure();
	if (auto const written = write_key_files(base, *keys); !written)
		return written.failure();
	auto const line = authorized_line(keys->public_key, role, name);
	if (context.settings.is_json) {
		print_document(context,
			{{"public_key", keys->public_key}, {"secret_file", base + ".key"}, {"public_file", base + ".pub"},
				{"authorized_line", line}});
		return wire::exit_status::done;
	}
	// The line alone on standard output, so that it can be appended to a file.
	*context.io.out << line << "\n";
	*context.io.err << "ezioctl: " << base << ".key is secret, " << base << ".pub is not\n";
	return wire::exit_status::done;
}

} // namespace ezio::ctl
