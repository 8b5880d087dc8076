#pragma once

#include "actors/core/disk_job.hpp"
#include "actors/core/units.hpp"

#include <cstdint>

namespace ezio
{

/// Bytes of block @p index of the job's piece: 16 KiB, or less for the last one.
std::uint32_t block_length(disk_job const &job, std::uint32_t index);

/// The stretch of payload that @p count blocks from @p first on cover.
byte_range payload_of(disk_job const &job, std::uint32_t first, std::uint32_t count);

/// What the SHA-256 of a block covers, in bytes from its start; 0: it has none.
std::uint32_t sha256_length(disk_job const &job, std::uint32_t index);

} // namespace ezio
