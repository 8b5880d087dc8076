#pragma once

#include "actors/core/result.hpp"

#include <string>
#include <vector>

namespace ezio
{

/// One configuration key as `get` and `settings` show it. All values are canonical text ("2048", "true",
/// "info").
struct setting_row {
	std::string table;     ///< "disk"
	std::string key;       ///< "cache-size"
	std::string type;      ///< "integer", "boolean", "string", "list", "rate", ...
	std::string unit;      ///< "MiB"; may be empty
	std::string value;     ///< configured
	std::string effective; ///< what is in force now: "auto (2)", or the value
	std::string default_value;
	std::string allowed; ///< "64 to 1048576", "one of: trace, debug, ..."
	bool is_live = false;
	std::string help;
};

struct setting_change {
	std::string key;
	std::string old_value;
	std::string new_value;
	bool is_active = false; ///< in force now; otherwise after a restart
};

struct reload_report {
	std::vector<setting_change> applied;
	std::vector<setting_change> needs_restart;
};

/// The running daemon's configuration. Called by the control actor, on its thread.
class settings_service
{
public:
	virtual ~settings_service() = default;
	/// Rows of the named keys; all keys if none is named. Unknown: errc::unknown_key.
	virtual result<std::vector<setting_row>> rows(std::vector<std::string> const &keys) = 0;
	/// Validates and applies. errc::unknown_key or errc::out_of_range, with what is allowed in the message.
	virtual result<setting_change> set(std::string const &key, std::string const &value, bool save) = 0;
	/// Reads the file again. On any fault nothing changes and the error lists all faults.
	virtual result<reload_report> reload() = 0;
};

} // namespace ezio
