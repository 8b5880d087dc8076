#pragma once

#include "actors/core/block_device.hpp"
#include "actors/core/block_topology.hpp"
#include "actors/core/extent_map.hpp"
#include "actors/core/io_engine.hpp"
#include "actors/core/result.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ezio
{

/// What is about to be done to a target.
struct target_request {
	std::string path;
	device_access access = device_access::read_write;
	std::set<std::string> allowed_checks; ///< names of checks the operator overrides (--allow)
};

/// Names of all checks, and whether --allow can override them, for help and validation.
struct target_check_info {
	std::string name;
	bool can_be_allowed = false;
	std::string meaning; ///< one sentence
};
std::vector<target_check_info> const &target_checks();

/// errc::invalid_argument if a name is no check or one that cannot be allowed.
result<void> validate_allowed_checks(std::set<std::string> const &names);

/// Keeps the claims of this process: torrents on disjoint extents of one device share one claim. Thread-safe.
/// A claim may block on its device, for ever if that hangs, and delays others of the same device only.
class device_registry
{
public:
	virtual ~device_registry() = default;
	/// Runs every safety check and opens the device. A refusal is errc::target_refused with error::check set
	/// and a message that says why and what would allow it. Nothing is written. The extents count as in use
	/// until release() with the same claim and info_hash. One claim of an info_hash at a time.
	virtual result<std::shared_ptr<device_claim>> claim(
		target_request const &request, std::string const &info_hash, extent_map const &extents) = 0;
	/// The torrent gave up its extents. Never blocks. The device is closed when its last claim pointer is
	/// gone too.
	virtual void release(std::string const &info_hash) = 0;
};

struct registry_options {
	direct_io_mode direct = direct_io_mode::automatic;
	std::shared_ptr<io_engine_choice> engines = nullptr; ///< null: every transfer blocks
	system_paths paths;                                  ///< where to look for mounts, swap areas and holders
};

/// The registry of real devices and files.
std::unique_ptr<device_registry> make_device_registry(registry_options options = {});

} // namespace ezio
