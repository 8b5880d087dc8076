#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ezio
{

/// One thing wrong with a configuration file.
struct config_fault {
	std::string file;
	std::uint32_t line = 0; ///< from 1; 0: the file as a whole
	std::uint32_t column = 0;
	std::string key;     ///< "disk.cache-size"; empty if the fault is not in one key
	std::string message; ///< what is wrong
	std::string allowed; ///< what would be right; may be empty

	friend bool operator==(config_fault const &, config_fault const &) = default;
};

/// "FILE:LINE: key: message (allowed: ...)", without the parts that are empty.
std::string to_string(config_fault const &fault);

/// What came of reading a file.
struct load_report {
	configuration config; ///< defaults where a fault prevented a value; use it only if is_valid()
	std::vector<config_fault> faults;
	std::optional<error> read_failure; ///< the file could not be read

	bool is_valid() const { return faults.empty() && !read_failure; }
	/// All faults, one per line, as one error (errc::invalid_argument), or why the file could not be read
	/// (io_error). Only for a report that is not valid.
	error failure() const;
};

inline constexpr std::size_t config_file_bytes_max = std::size_t{1} << 20;
inline constexpr std::size_t config_faults_max = 100; ///< further ones are counted, not listed

/// The bytes of a file of at most config_file_bytes_max; io_error with operation and path otherwise.
result<std::string> read_config_text(std::string const &path);

/// Reads and checks a whole file; never throws. Foreign keys are checked by @p foreign; without one every
/// [libtorrent] key is taken as it is.
load_report load_config(std::string const &path, foreign_key_check const &foreign = nullptr);

/// The same for text that is already in memory; @p name stands in for the file's name.
load_report parse_config(
	std::string_view toml, std::string const &name, foreign_key_check const &foreign = nullptr);

} // namespace ezio
