#pragma once

#include "actors/core/result.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace ezio
{

/// Who else uses a source: the device itself, its partitions, what is stacked on it (md, LVM, dm), and loop
/// devices over an image file.
struct source_use {
	bool is_mounted = false;
	std::string writable_mount; ///< where it is mounted read-write; empty if nowhere
	bool is_swap = false;
};
result<source_use> find_source_use(std::string const &path);

/// A mark that differs if the source was written to in between: sectors written to a block device since it
/// appeared, or size and times of a file. Pages that were dirty before are flushed first.
result<std::string> write_mark(std::string const &path);

} // namespace ezio
