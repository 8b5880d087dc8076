#pragma once

#include "actors/core/block_topology.hpp"
#include "actors/core/extent_map.hpp"
#include "actors/core/posix_block_device.hpp"
#include "actors/core/target_check.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ezio
{

/// errc::target_refused by @p check: @p why, and what would allow it (@p remedy; --allow is added where it
/// can be used).
error refuse_target(std::string const &check, std::string const &path, std::string const &why,
	std::string const &remedy = {});

/// The extents of one torrent that this process reads or writes now.
struct extents_in_use {
	std::string info_hash;
	device_access access = device_access::read_only;
	storage_location location;
	std::vector<byte_range> ranges; ///< on location.storage, sorted, disjoint
};

/// What the rules judge.
struct target_facts {
	std::string path;
	device_access access = device_access::read_write;
	device_facts device;
	storage_location location;
	std::vector<byte_range> ranges; ///< as in extents_in_use
	std::uint64_t highest_end_bytes = 0;
};

// Each rule answers errc::target_refused if it forbids the target, another error if it could not find out.
result<void> check_write_protection(target_facts const &target);
result<void> check_size(target_facts const &target);
result<void> check_alignment(target_facts const &target, extent_map const &extents);
result<void> check_overlap(target_facts const &target, std::vector<extents_in_use> const &others);
result<void> check_swap(target_facts const &target, block_topology const &topology);
result<void> check_mounts(target_facts const &target, block_topology const &topology);
result<void> check_holders(target_facts const &target, block_topology const &topology);

} // namespace ezio
