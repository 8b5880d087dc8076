#pragma once

#include "actors/core/disk_job.hpp"

#include <cstddef>
#include <span>

namespace ezio
{

/// Root of the binary SHA-256 tree over block hashes (BEP 52). Missing leaves up to @p leaves, a power of two
/// that is not less than the number of hashes, count as 32 zero bytes.
sha256_digest merkle_root(std::span<sha256_digest const> block_hashes, std::size_t leaves);

} // namespace ezio
