#include "ctl/rate_text.hpp"
#include "ctl/run.hpp"
#include "ctl/text_format.hpp"

#include <ostream>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using wire::exit_status;

result<void> read_tuning(invocation const &line, json &args)
{
	for (auto const &[option, name] :
		{std::pair("--upload-limit", "upload_limit"), std::pair("--download-limit", "download_limit")}) {
		auto const text = line.value(option);
		if (!text)
			continue;
		auto const limit = parse_rate(*text);
		if (!limit)
			return make_error(limit.failure().code, std::string(option) + " " + limit.failure().message);
		args[name] = *limit;
	}
	auto const priority = line.value("--priority");
	if (!priority)
		return {};
	if (*priority != "low" && *priority != "normal" && *priority != "high")
		return make_error(
			errc::invalid_argument, "--priority \"" + *priority + "\": expected low, normal or high");
	args["priority"] = *priority;
	return {};
}

handler_result run_tune(command_context const &context)
{
	json args{{"selectors", selectors_of(context.line)}};
	if (auto const read = read_tuning(context.line, args); !read)
		return read.failure();
	if (args.size() == 1)
		return make_error(errc::invalid_argument,
			"tune needs --upload-limit, --download-limit or --priority; see ezioctl tune --help");
	auto reply = ask(context, "tune", args);
	if (!reply)
		return reply.failure();
	if (context.settings.is_json) {
		print_document(context, std::move(*reply));
		return exit_status::done;
	}
	for (auto const &hash : reply->value("info_hashes", json::array()))
		*context.io.out << (hash.is_string() ? printable(hash.get_ref<std::string const &>()) : "-") << "\n";
	return exit_status::done;
}

} // namespace ezio::ctl
