#include "actors/core/block_device.hpp"

namespace ezio
{
namespace
{

/// One transfer after the other.
template <class Transfer, class Call>
void perform_in_turn(std::string const &path, std::span<Transfer> batch, Call const &call)
{
	bool has_failed = false;
	for (auto &transfer : batch) {
		if (has_failed) {
			transfer.outcome = make_untried_error(path, transfer.offset_bytes);
			continue;
		}
		auto const begun = monotonic_clock::now();
		transfer.outcome = call(transfer);
		transfer.took = monotonic_clock::now() - begun;
		has_failed = !transfer.outcome;
	}
}

} // namespace

error make_untried_error(std::string const &path, std::uint64_t offset_bytes)
{
	auto e = make_error(errc::aborted, "not tried, since another transfer of its batch failed");
	e.device = path;
	e.offset_bytes = offset_bytes;
	return e;
}

void block_device::read_batch(std::span<device_read> batch)
{
	perform_in_turn(
		path(), batch, [this](device_read const &read) { return read_at(read.buffers, read.offset_bytes); });
}

result<void> block_device::forget_cached(std::uint64_t, std::uint64_t)
{
	return {};
}

void block_device::write_batch(std::span<device_write> batch)
{
	perform_in_turn(path(), batch,
		[this](device_write const &write) { return write_at(write.buffers, write.offset_bytes); });
}

} // namespace ezio
