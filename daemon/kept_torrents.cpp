#include "daemon/kept_torrents.hpp"

#include "actors/core/error.hpp"

#include <cstdlib>
#include <utility>

namespace ezio
{
namespace
{

constexpr char const *usual_directory = "/var/lib/ezio";

/// What systemd made for us; the first, if it made several.
std::string automatic_directory()
{
	auto const *const made = std::getenv("STATE_DIRECTORY");
	if (made == nullptr || *made == '\0')
		return usual_directory;
	std::string const all(made);
	return all.substr(0, all.find(':'));
}

} // namespace

result<std::shared_ptr<resume_files>> open_state_directory(configuration const &config, std::string &why)
{
	auto const &word = config.text("directory");
	if (word == "none") {
		why = "state.directory is \"none\"";
		return std::shared_ptr<resume_files>();
	}
	bool const is_automatic = word == "auto";
	auto opened = resume_files::open(is_automatic ? automatic_directory() : word);
	if (opened)
		return std::shared_ptr<resume_files>(*std::move(opened));
	if (!is_automatic)
		return opened.failure();
	why = to_string(opened.failure());
	return std::shared_ptr<resume_files>();
}

checkpoint_limits checkpoint_limits_of(configuration const &config)
{
	checkpoint_limits limits;
	limits.interval = std::chrono::seconds(config.integer("sync-interval"));
	limits.bytes = static_cast<std::uint64_t>(config.integer("sync-size")) << 20;
	return limits;
}

verify_rate verify_rate_of(configuration const &config)
{
	return {static_cast<std::uint64_t>(config.integer("verify-rate")) << 10};
}

add_request to_add_request(kept_torrent const &kept)
{
	auto request = *kept.request;
	request.is_paused = kept.is_paused;
	request.is_check = kept.is_doubtful;
	if (!request.is_seed && !kept.is_doubtful)
		request.known_pieces = kept.pieces;
	request.known_device = kept.device;
	request.added_unix_ms = kept.added_unix_ms;
	request.known_info_hash = kept.info_hash;
	request.known_name = kept.name;
	request.known_times = kept.times;
	request.known_failure = kept.failure;
	return request;
}

} // namespace ezio
