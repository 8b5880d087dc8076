#pragma once

#include "actors/core/disk_job.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace ezio
{

/// Which blocks are to be read for a batch of reads, so that each is read once and neighbours in one
/// transfer. Holds no more than some hundred stretches: finding one is a walk through all. Not thread-safe.
class miss_plan
{
public:
	struct stretch {
		disk_job const *job = nullptr; ///< names storage and piece; outlives the plan's use
		std::uint32_t first = 0;       ///< block of the piece
		std::uint32_t count = 0;
	};

	void clear() { m_stretches.clear(); }
	/// Is the block of the job's piece in the plan?
	bool covers(disk_job const &job, std::uint32_t index) const;
	/// Adds @p count blocks from @p first on.
	void add(disk_job const &job, std::uint32_t first, std::uint32_t count);
	/// By storage, piece and block; what overlaps or touches is one stretch.
	std::span<stretch const> merge();

private:
	std::vector<stretch> m_stretches;
};

} // namespace ezio
