#include "daemon/options.hpp"

#include "config/document.hpp"

#include <optional>
#include <string_view>

namespace ezio
{
namespace
{

error usage(std::string message)
{
	return make_error(errc::invalid_argument, std::move(message) + " (try 'eziod --help')");
}

bool is_long_with_value(std::string_view argument, std::string_view name)
{
	return argument.size() > name.size() && argument.starts_with(name) && argument[name.size()] == '=';
}

} // namespace

// getopt_long keeps its place in globals and prints by itself; four options do not need it.
result<options> parse_options(std::vector<std::string> const &arguments)
{
	constexpr std::string_view config_option = "--config";
	options parsed;
	std::optional<std::string> path;
	for (std::size_t i = 0; i < arguments.size(); ++i) {
		std::string_view const argument = arguments[i];
		std::optional<std::string> value;
		if (argument == "--help" || argument == "-h") {
			parsed.what = options::action::print_help;
			return parsed;
		}
		if (argument == "--version") {
			parsed.what = options::action::print_version;
			return parsed;
		}
		if (argument == "--check-config") {
			parsed.what = options::action::check_config;
			continue;
		}
		if (argument == "-c" || argument == config_option) {
			if (++i == arguments.size())
				return usage(std::string(argument) + " needs a file");
			value = arguments[i];
		} else if (is_long_with_value(argument, config_option)) {
			value = argument.substr(config_option.size() + 1);
		} else if (argument.starts_with("-c")) {
			value = argument.substr(2);
		} else {
			return usage("'" + std::string(argument) + "' is not an option of eziod");
		}
		if (value->empty())
			return usage("the name of the configuration file is empty");
		if (path)
			return usage("more than one configuration file is named");
		path = std::move(value);
	}
	if (parsed.what == options::action::check_config && !path)
		return usage("--check-config needs a file: -c FILE");
	parsed.config_path = path.value_or("");
	return parsed;
}

std::string help_text()
{
	return "Usage: eziod [-c FILE] [--check-config]\n"
		   "\n"
		   "Writes and serves torrents of raw disk extents. Runs in the foreground and logs to standard\n"
		   "error. SIGHUP reads the file again; SIGTERM and SIGINT flush every device and stop.\n"
		   "\n"
		   "  -c, --config FILE   configuration in TOML; without it every key has its default\n"
		   "      --check-config  report every fault of FILE and exit; status 0 if there is none\n"
		   "      --version       print the version and exit\n"
		   "  -h, --help          print this and exit\n"
		   "\n"
		   "Keys of the file, as in '[disk]' and 'cache-size = 2048'. Live keys can be changed with\n"
		   "'ezioctl set KEY VALUE'; the others take effect at the next start.\n"
		   "\n" +
		render_help();
}

} // namespace ezio
