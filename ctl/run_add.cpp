#include "ctl/run.hpp"

#include "ctl/text_format.hpp"
#include "ctl/torrent_source.hpp"
#include "ctl/wire/base64.hpp"
#include "ctl/wire/protocol.hpp"

#include <ostream>
#include <utility>

namespace ezio::ctl
{

using nlohmann::json;
using wire::exit_status;

namespace
{

/// Everything but the torrent itself.
result<json> read_options(invocation const &line)
{
	constexpr std::int64_t most = (1 << 24) - 1;
	json args{{"target", absolute_path(line.operands[1])}};
	for (auto const *name : {"seed", "sequential", "paused", "check", "verify"}) {
		if (line.has(std::string("--") + name))
			args[name] = true;
	}
	for (auto const &[option, name] :
		{std::pair("--peer", "peers"), std::pair("--tracker", "trackers"), std::pair("--allow", "allow")}) {
		if (line.has(option))
			args[name] = line.values(option);
	}
	auto const uploads = line.integer("--max-uploads", 1, most);
	if (!uploads)
		return uploads.failure();
	if (*uploads)
		args["uploads_max"] = **uploads;
	auto const connections = line.integer("--max-connections", 2, most);
	if (!connections)
		return connections.failure();
	if (*connections)
		args["connections_max"] = **connections;
	if (auto const read = read_tuning(line, args); !read)
		return read.failure();
	return args;
}

} // namespace

handler_result run_add(command_context const &context)
{
	auto args = read_options(context.line);
	if (!args)
		return args.failure();
	auto const torrent = read_torrent_file(context.line.operands[0], wire::torrent_bytes_max);
	if (!torrent)
		return torrent.failure();
	(*args)["torrent_base64"] = wire::base64_encode(*torrent);
	auto reply = ask(context, "add", *args, add_time);
	if (!reply)
		return reply.failure();
	auto const hash = reply->find("info_hash");
	if (hash == reply->end() || !hash->is_string())
		return make_error(errc::protocol, "the reply to add has no info-hash");
	if (context.settings.is_json)
		print_document(context, std::move(*reply));
	else
		*context.io.out << printable(hash->get_ref<std::string const &>()) << "\n";
	return exit_status::done;
}

} // namespace ezio::ctl
