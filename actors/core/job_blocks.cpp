#include "actors/core/job_blocks.hpp"

#include <algorithm>

namespace ezio
{

std::uint32_t block_length(disk_job const &job, std::uint32_t index)
{
	return std::min(block_bytes, job.target->pieces().piece_size(job.piece) - index * block_bytes);
}

byte_range payload_of(disk_job const &job, std::uint32_t first, std::uint32_t count)
{
	auto const size = job.target->pieces().piece_size(job.piece);
	auto const begin = first * block_bytes;
	return {
		job.target->pieces().piece_offset(job.piece) + begin, std::min(count * block_bytes, size - begin)};
}

std::uint32_t sha256_length(disk_job const &job, std::uint32_t index)
{
	auto const length = block_length(job, index);
	auto const begin = index * block_bytes;
	if (job.kind == job_kind::hash_block) {
		auto const asked = job.length_bytes != 0 ? std::min(length, job.length_bytes) : length;
		return job.sha256_bytes > begin ? std::min(asked, job.sha256_bytes - begin) : asked;
	}
	return job.sha256_bytes > begin ? std::min(length, job.sha256_bytes - begin) : 0;
}

} // namespace ezio
