#include "daemon/live_settings.hpp"

#include "config/load.hpp"
#include "config/save.hpp"
#include "daemon/kept_torrents.hpp"
#include "daemon/secrets.hpp"

#include <utility>

namespace ezio
{

namespace
{

constexpr std::uint64_t blocks_per_mib = 1024 * 1024 / block_bytes;

bool is_libtorrent_key(config_change const &change)
{
	return change.row == nullptr;
}

session_setting libtorrent_setting(char const *key, std::uint64_t value)
{
	return {key, std::to_string(value), true};
}

/// What follows from cache-size and max-connections, without the keys that the operator has set.
std::vector<session_setting> connection_settings(configuration const &config)
{
	auto const sizes = connection_sizes_of(config);
	std::vector<session_setting> settings{
		libtorrent_setting("send_buffer_watermark", sizes.send_bytes),
		libtorrent_setting("send_buffer_low_watermark", sizes.send_low_bytes),
	};
	std::erase_if(settings, [&](session_setting const &s) { return config.libtorrent().contains(s.key); });
	if (!config.libtorrent().contains("recv_socket_buffer_size"))
		settings.push_back({"receive-pool", std::to_string(sizes.receive_pool_bytes), false});
	return settings;
}

setting_change to_setting_change(config_change const &change, bool is_active)
{
	return {change.key, change.old_text, change.new_text, is_active};
}

} // namespace

std::vector<session_setting> session_settings(configuration const &config)
{
	std::vector<session_setting> settings;
	for (auto const &row : schema())
		if (row.table == "session")
			settings.push_back({std::string(row.key), canonical_text(config.value(row)), false});
	for (auto const &[key, value] : config.libtorrent())
		settings.push_back({key, value, true});
	auto const derived = connection_settings(config);
	settings.insert(settings.end(), derived.begin(), derived.end());
	return settings;
}

live_settings::live_settings(configuration started_with, settings_context context, settings_targets targets)
	: m_configured(started_with), m_in_force(std::move(started_with)), m_context(std::move(context)),
	  m_targets(std::move(targets))
{
}

setting_row live_settings::row_of(schema_row const &row) const
{
	setting_row shown;
	shown.table = row.table;
	shown.key = row.key;
	shown.type = to_string(row.type);
	shown.unit = row.unit;
	shown.value = canonical_text(m_configured.value(row));
	shown.effective = canonical_text(m_in_force.value(row));
	shown.default_value = row.default_text;
	shown.allowed = allowed_text(row);
	shown.is_live = row.effect == setting_effect::live;
	shown.help = row.help;
	if (row.key == "io-engine") {
		auto const used = m_targets.engine_in_force();
		if (used != shown.effective)
			shown.effective += " (" + used + ")";
		return shown;
	}
	if (shown.effective != "auto")
		return shown;
	if (row.key == "aio-threads") {
		auto const now = m_targets.partitions_now();
		shown.effective += now.empty() ? "" : " (" + now + ")";
	} else if (row.key == "hashing-threads")
		shown.effective += " (" + std::to_string(hash_sizes_of(m_in_force, m_context.on).hashers) + ")";
	else if (row.key == "hashing-simd")
		shown.effective += " (" + m_targets.kernel_in_force() + ")";
	else if (row.key == "dirty-limit")
		shown.effective +=
			" (" + std::to_string(disk_budget_of(m_in_force, m_context.on).dirty_bytes / (1024 * 1024)) + ")";
	return shown;
}

setting_row live_settings::foreign_row(std::string const &key, std::string const &value) const
{
	setting_row shown;
	shown.table = "libtorrent";
	shown.key = key;
	shown.type = "libtorrent";
	shown.value = value;
	auto const in_force = m_in_force.libtorrent().find(key);
	if (in_force != m_in_force.libtorrent().end())
		shown.effective = in_force->second;
	shown.allowed = "what libtorrent's settings_pack takes";
	shown.is_live = true;
	shown.help = "A setting of libtorrent by its own name.";
	return shown;
}

result<std::vector<setting_row>> live_settings::rows(std::vector<std::string> const &keys)
{
	std::vector<setting_row> found;
	if (keys.empty()) {
		for (auto const &row : schema())
			found.push_back(row_of(row));
		for (auto const &[key, value] : m_configured.libtorrent())
			found.push_back(foreign_row(key, value));
		return found;
	}
	for (auto const &key : keys) {
		if (auto const *const row = find_row(key)) {
			found.push_back(row_of(*row));
			continue;
		}
		auto const value = m_configured.get(key);
		if (!value)
			return value.failure();
		constexpr std::string_view prefix = "libtorrent.";
		auto const name = key.starts_with(prefix) ? key.substr(prefix.size()) : key;
		found.push_back(foreign_row(name, *value));
	}
	return found;
}

/// Divides the memory anew among connections.
result<void> live_settings::apply_connection_sizes(configuration const &wanted)
{
	if (connection_sizes_of(wanted) == connection_sizes_of(m_in_force))
		return {};
	for (auto const &setting : connection_settings(wanted)) {
		if (auto const applied = m_targets.session(setting); !applied)
			return applied.failure();
	}
	return {};
}

live_settings::outcome live_settings::apply(config_change const &change, configuration const &wanted)
{
	if (change.key == "aio-threads" && !is_libtorrent_key(change)) {
		auto changed = m_targets.partitions(disk_budget_of(wanted, m_context.on));
		return {changed.is_in_force, std::move(changed.failure)};
	}
	auto const applied = apply_whole(change, wanted);
	if (!applied)
		return {false, applied.failure()};
	return {true, std::nullopt};
}

result<void> live_settings::apply_whole(config_change const &change, configuration const &wanted)
{
	if (change.key == "cache-size" &&
		disk_budget_of(wanted, m_context.on).capacity_blocks > m_context.arena_blocks_max)
		return make_error(errc::out_of_range,
			"cache-size: more than " + std::to_string(m_context.arena_blocks_max / blocks_per_mib) +
				" MiB, which is this machine's memory, needs a restart");
	if (change.key == "cache-size" || change.key == "max-connections") {
		if (auto const applied = apply_connection_sizes(wanted); !applied)
			return applied.failure();
	}
	if (is_libtorrent_key(change))
		return m_targets.session({change.key, change.new_text, true});
	if (change.table == "session")
		return m_targets.session({change.key, change.new_text, false});
	if (change.table == "metrics")
		return m_targets.metrics(change.new_text);
	if (change.table == "log")
		return m_targets.log(wanted.text("level"), wanted.list("levels"));
	if (change.table == "hash") {
		m_targets.hashers(hash_sizes_of(wanted, m_context.on));
		return {};
	}
	if (change.key == "io-engine") {
		auto const engine = io_engine_from_string(wanted.text("io-engine"));
		if (!engine)
			return engine.failure();
		m_targets.engine(*engine);
		return {};
	}
	if (change.key == "sync-interval" || change.key == "sync-size") {
		m_targets.checkpoints(checkpoint_limits_of(wanted));
		return {};
	}
	if (change.key == "verify-rate") {
		m_targets.verifying(verify_rate_of(wanted));
		return {};
	}
	if (change.table == "disk") {
		m_targets.disk(disk_budget_of(wanted, m_context.on));
		m_targets.hashers(hash_sizes_of(wanted, m_context.on));
		return {};
	}
	return make_error(errc::unsupported, change.table + "." + change.key + " cannot change while running");
}

/// Puts one key of @p wanted in force.
void live_settings::remember(config_change const &change, configuration const &wanted)
{
	if (is_libtorrent_key(change)) {
		m_in_force.assign_foreign(change.key, change.new_text);
	} else {
		// Allowed once, allowed again: the value comes out of a configuration.
		[[maybe_unused]] auto const taken =
			m_in_force.assign(*change.row, wanted.value(*change.row), wanted.origin(*change.row));
	}
	auto e = make_event(event_kind::setting_changed);
	e.key = change.key;
	// Events go to everybody who may read, and into the log.
	bool const is_hidden = may_hold_secret(change.key);
	e.old_value = is_hidden ? std::string(hidden_value) : change.old_text;
	e.new_value = is_hidden ? std::string(hidden_value) : change.new_text;
	m_targets.publish(std::move(e));
}

result<void> live_settings::save(config_change const &change) const
{
	if (m_context.config_path.empty())
		return make_error(errc::unsupported, "the daemon was started without a configuration file");
	auto const value = is_libtorrent_key(change) ? foreign_toml_text(change.new_text)
												 : toml_text(m_configured.value(*change.row));
	return save_key(m_context.config_path, change.table, change.key, value);
}

result<setting_change> live_settings::set(std::string const &key, std::string const &value, bool save_it)
{
	auto wanted = m_configured;
	std::optional<error> partial;
	auto const change = wanted.set(key, value, m_targets.foreign);
	if (!change)
		return change.failure();
	if (change->is_live) {
		// What is configured and waits for a restart stays out of it.
		auto in_force = m_in_force;
		if (change->row != nullptr) {
			auto const taken = in_force.assign(*change->row, wanted.value(*change->row), value_origin::set);
			if (!taken)
				return taken.failure();
		}
		auto applied = apply(*change, in_force);
		if (!applied.is_in_force)
			return *applied.failure;
		partial = std::move(applied.failure);
		remember(*change, wanted);
	}
	m_configured = std::move(wanted);
	if (save_it) {
		auto const saved = save(*change);
		if (!saved) {
			auto e = saved.failure();
			e.message = change->key + (change->is_live ? " is active" : " is set") +
				", but was not saved: " + e.message;
			return e;
		}
	}
	if (partial) {
		partial->message = change->key + " is active, but not everywhere: " + partial->message;
		return *std::move(partial);
	}
	return to_setting_change(*change, change->is_live);
}

result<reload_report> live_settings::reload()
{
	if (m_context.config_path.empty())
		return make_error(errc::unsupported, "the daemon was started without a configuration file");
	auto const loaded = load_config(m_context.config_path, m_targets.foreign);
	if (!loaded.is_valid())
		return loaded.failure();
	reload_report report;
	std::string faults;
	auto const note = [&faults](std::string const &key, error const &failure) {
		faults += (faults.empty() ? "" : "; ") + key + ": " + to_string(failure);
	};
	for (auto const &change : diff(m_in_force, loaded.config)) {
		// A libtorrent key that is gone from the file keeps its value: its default is not ours to know.
		auto const is_removed = is_libtorrent_key(change) && change.new_text.empty();
		if (!change.is_live || is_removed) {
			report.needs_restart.push_back(to_setting_change(change, false));
			continue;
		}
		auto wanted = m_in_force;
		if (change.row != nullptr) {
			auto const taken =
				wanted.assign(*change.row, loaded.config.value(*change.row), value_origin::file);
			if (!taken)
				return taken.failure();
		}
		auto const applied = apply(change, wanted);
		if (applied.failure)
			note(change.key, *applied.failure);
		if (!applied.is_in_force)
			continue;
		remember(change, loaded.config);
		report.applied.push_back(to_setting_change(change, true));
	}
	m_configured = loaded.config;
	if (m_targets.clients) {
		auto const read = m_targets.clients();
		if (!read)
			note("authorized-keys", read.failure());
	}
	if (!faults.empty())
		return make_error(errc::internal, "not every change of the file could be applied: " + faults);
	return report;
}

} // namespace ezio
