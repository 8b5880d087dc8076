#include "actors/core/io_ring.hpp"

#include <liburing.h>
#include <poll.h>

#include <cassert>
#include <cerrno>

namespace ezio
{
namespace
{

/// Enough to keep a device busy: an NVMe queue is at its best between 32 and 64.
constexpr unsigned ring_depth = 64;

class kernel_ring final : public io_ring
{
public:
	kernel_ring() = default;
	~kernel_ring() override
	{
		if (m_is_open)
			::io_uring_queue_exit(&m_ring);
	}
	kernel_ring(kernel_ring const &) = delete;
	kernel_ring &operator=(kernel_ring const &) = delete;

	/// 0, or minus errno.
	int open()
	{
		// Answers wait until the thread enters the kernel by itself, instead of interrupting it. Linux 5.19.
		auto outcome = ::io_uring_queue_init(ring_depth, &m_ring, IORING_SETUP_COOP_TASKRUN);
		if (outcome == -EINVAL)
			outcome = ::io_uring_queue_init(ring_depth, &m_ring, 0);
		m_is_open = outcome == 0;
		return outcome;
	}

	std::size_t depth() const override { return ring_depth; }

	void prepare(request const &what) override
	{
		auto *const entry = ::io_uring_get_sqe(&m_ring);
		assert(entry != nullptr);
		auto const count = static_cast<unsigned>(what.buffers.size());
		if (what.way == transfer_direction::write)
			::io_uring_prep_writev(entry, what.fd, what.buffers.data(), count, what.offset_bytes);
		else
			::io_uring_prep_readv(entry, what.fd, what.buffers.data(), count, what.offset_bytes);
		::io_uring_sqe_set_data64(entry, what.token);
	}

	int submit_and_wait() override { return ::io_uring_submit_and_wait(&m_ring, 1); }

	void wait() override
	{
		io_uring_cqe *entry = nullptr;
		for (;;) {
			auto const outcome = ::io_uring_wait_cqe(&m_ring, &entry);
			if (outcome == 0)
				return;
			if (outcome == -EINTR)
				continue;
			// The kernel may still move bytes of ours, so there is no way back without its answer. The
			// descriptor becomes readable with it; what poll(2) itself says changes nothing about that.
			pollfd descriptor{m_ring.ring_fd, POLLIN, 0};
			if (::poll(&descriptor, 1, -1) > 0 && ::io_uring_peek_cqe(&m_ring, &entry) == 0)
				return;
		}
	}

	std::optional<answer> next_answer() override
	{
		io_uring_cqe *entry = nullptr;
		if (::io_uring_peek_cqe(&m_ring, &entry) != 0)
			return std::nullopt;
		answer const taken{::io_uring_cqe_get_data64(entry), entry->res};
		::io_uring_cqe_seen(&m_ring, entry);
		return taken;
	}

private:
	io_uring m_ring{};
	bool m_is_open = false;
};

} // namespace

result<std::unique_ptr<io_ring>> make_io_ring()
{
	auto ring = std::make_unique<kernel_ring>();
	if (auto const outcome = ring->open(); outcome != 0)
		return make_system_error("io_uring_setup", {}, -outcome);
	return std::unique_ptr<io_ring>(std::move(ring));
}

} // namespace ezio
