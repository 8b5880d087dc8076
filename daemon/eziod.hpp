#pragma once

#include "actors/core/result.hpp"
#include "actors/core/settings_service.hpp"
#include "actors/supervisor.hpp"
#include "config/config.hpp"

#include <functional>
#include <memory>
#include <string>

namespace ezio
{

/// Checks keys of the [libtorrent] table.
foreign_key_check libtorrent_keys();

/// The whole daemon: composes the parts, stops them in reverse order. Used by the main thread but for
/// what is said otherwise.
class eziod
{
public:
	/// Starts everything and adds the torrents of the configuration. @p wake is called from any thread when
	/// must_stop() has become true. On failure everything that was started is stopped again.
	static result<std::unique_ptr<eziod>> start(
		configuration config, std::string config_path, std::function<void()> wake);
	/// stop() must have been called and have reported that everything ended.
	~eziod();

	/// Has a client asked for the end, or did a part die that should not have? From any thread.
	bool must_stop() const;

	/// Reads the configuration file again, in the background; what came of it is logged. @p done is called
	/// on another thread.
	void reload(std::function<void()> done);

	/// Stops everything in order; may take minutes while data is written. Called once, by any thread.
	stop_report stop();

private:
	struct impl;
	explicit eziod(std::unique_ptr<impl> parts);
	std::unique_ptr<impl> m_impl;
};

} // namespace ezio
