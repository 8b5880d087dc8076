#pragma once

#include "actors/core/checkpoint_policy.hpp"
#include "actors/core/io_engine.hpp"
#include "actors/core/rate_pacer.hpp"
#include "actors/core/settings_service.hpp"
#include "actors/core/torrent_session.hpp"
#include "actors/events.hpp"
#include "actors/partition_pool.hpp"
#include "config/config.hpp"
#include "daemon/sizing.hpp"

#include <functional>
#include <string>
#include <vector>

namespace ezio
{

/// Where live values take effect. All may be called from the settings actor's thread; those that can fail
/// say so.
struct settings_targets {
	std::function<void(disk_budget const &)> disk;
	/// Another number of partitions. Waits until it has come about or does not.
	std::function<partition_change(disk_budget const &)> partitions;
	/// How many partitions there are of which device, for reports: "4 on /dev/sda".
	std::function<std::string()> partitions_now;
	std::function<void(hash_sizes const &)> hashers;
	/// What many pieces are hashed by, as a word of hashing-simd.
	std::function<std::string()> kernel_in_force;
	std::function<void(checkpoint_limits const &)> checkpoints;
	std::function<void(verify_rate)> verifying;
	std::function<result<void>(std::string const &level, std::vector<std::string> const &levels)> log;
	/// For devices opened from then on.
	std::function<void(io_engine)> engine;
	/// What these will use, in words; differs from what was chosen where the system refused.
	std::function<std::string()> engine_in_force;
	/// Reads the list of authorized keys again; null where there is none.
	std::function<result<void>()> clients;
	/// Waits until the session has answered.
	std::function<result<void>(session_setting const &)> session;
	/// Where metrics are listened for; waits until that has begun. On failure the old address stays.
	std::function<result<void>(std::string const &address)> metrics;
	std::function<void(event)> publish;
	foreign_key_check foreign;
};

/// What the daemon was started with, as far as settings depend on it.
struct settings_context {
	std::string config_path; ///< empty: there is no file to save to or to reload
	machine on;
	std::uint32_t arena_blocks_max = 0; ///< cache-size cannot grow beyond it without a restart
};

/// The settings that a session is started with.
std::vector<session_setting> session_settings(configuration const &config);

/// The configuration of the running daemon: what is configured, what is in force, and how a change becomes
/// so. Used by one thread at a time (the settings actor's).
class live_settings : public settings_service
{
public:
	live_settings(configuration started_with, settings_context context, settings_targets targets);

	result<std::vector<setting_row>> rows(std::vector<std::string> const &keys) override;
	result<setting_change> set(std::string const &key, std::string const &value, bool save) override;
	result<reload_report> reload() override;

private:
	setting_row row_of(schema_row const &row) const;
	setting_row foreign_row(std::string const &key, std::string const &value) const;
	result<void> apply_connection_sizes(configuration const &wanted);
	/// A change can be in force and have failed in part.
	struct outcome {
		bool is_in_force = false;
		std::optional<error> failure;
	};
	outcome apply(config_change const &change, configuration const &wanted);
	/// Of a change that is in force everywhere or nowhere.
	result<void> apply_whole(config_change const &change, configuration const &wanted);
	void remember(config_change const &change, configuration const &wanted);
	result<void> save(config_change const &change) const;

	configuration m_configured;
	configuration m_in_force;
	settings_context m_context;
	settings_targets m_targets;
};

} // namespace ezio
