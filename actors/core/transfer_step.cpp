#include "actors/core/transfer_step.hpp"

#include <cerrno>
#include <deque>

namespace ezio
{
namespace
{

void call_until_done(transfer_step &step)
{
	if (step.begun == monotonic_time{})
		step.begun = monotonic_clock::now();
	while (step.state == step_state::waiting) {
		auto const count = static_cast<int>(step.left.size());
		auto const offset = static_cast<off_t>(step.position_bytes);
		auto const moved = step.way == transfer_direction::write
			? ::pwritev(step.fd, step.left.data(), count, offset)
			: ::preadv(step.fd, step.left.data(), count, offset);
		step.take(moved < 0 ? -errno : moved);
	}
	step.ended = monotonic_clock::now();
}

/// Steps on their way through a ring.
class ring_pass
{
public:
	ring_pass(io_ring &ring, std::span<transfer_step> steps) : m_ring(ring), m_steps(steps) {}

	result<void> run()
	{
		for (;;) {
			prepare();
			if (m_prepared.empty() && m_under_way == 0)
				return {};
			auto const handed_over = m_ring.submit_and_wait();
			if (handed_over >= 0) {
				m_prepared.erase(m_prepared.begin(), m_prepared.begin() + handed_over);
				m_under_way += static_cast<std::size_t>(handed_over);
			} else if ((handed_over == -EAGAIN || handed_over == -EBUSY) && m_under_way > 0) {
				// The kernel is short of requests or of room for answers: what is under way gives both back.
				m_ring.wait();
			} else if (handed_over != -EINTR) {
				return finish_without_ring(-handed_over);
			}
			take_answers();
		}
	}

private:
	void prepare()
	{
		while (m_prepared.size() + m_under_way < m_ring.depth()) {
			std::size_t index = 0;
			if (!m_again.empty()) {
				index = m_again.front();
				m_again.pop_front();
			} else if (!m_has_failed && m_next < m_steps.size()) {
				index = m_next++;
				m_steps[index].begun = monotonic_clock::now();
			} else {
				return;
			}
			auto const &step = m_steps[index];
			m_ring.prepare({step.fd, step.way, step.left, step.position_bytes, index});
			m_prepared.push_back(index);
		}
	}

	void take_answers()
	{
		while (auto const answer = m_ring.next_answer()) {
			--m_under_way;
			auto &step = m_steps[answer->token];
			// It could not be done without waiting: the call that waits decides.
			if (answer->outcome == -EAGAIN)
				call_until_done(step);
			else
				step.take(answer->outcome);
			if (step.state == step_state::waiting) {
				m_again.push_back(answer->token);
				continue;
			}
			step.ended = monotonic_clock::now();
			m_has_failed |= step.state == step_state::failed;
		}
	}

	result<void> finish_without_ring(int os_errno)
	{
		while (m_under_way > 0) {
			m_ring.wait();
			take_answers();
		}
		// What was prepared has never left us.
		m_again.insert(m_again.end(), m_prepared.begin(), m_prepared.end());
		for (auto const index : m_again) {
			call_until_done(m_steps[index]);
			m_has_failed |= m_steps[index].state == step_state::failed;
		}
		if (!m_has_failed)
			perform_blocking(m_steps.subspan(m_next));
		return make_system_error("io_uring_enter", {}, os_errno);
	}

	io_ring &m_ring;
	std::span<transfer_step> m_steps;
	std::size_t m_next = 0;             ///< first step that was never prepared
	std::deque<std::size_t> m_again;    ///< begun before, and more is left
	std::deque<std::size_t> m_prepared; ///< not handed over yet, in order
	std::size_t m_under_way = 0;
	bool m_has_failed = false;
};

} // namespace

void transfer_step::take(std::int64_t answer)
{
	if (answer == -EINTR)
		return;
	if (answer <= 0) {
		state = step_state::failed;
		os_errno = static_cast<int>(-answer);
		return;
	}
	auto advance = static_cast<std::uint64_t>(answer);
	position_bytes += advance;
	while (!left.empty() && advance >= left.front().iov_len) {
		advance -= left.front().iov_len;
		left = left.subspan(1);
	}
	if (left.empty()) {
		state = step_state::done;
		return;
	}
	auto &first = left.front();
	first.iov_base = static_cast<char *>(first.iov_base) + advance;
	first.iov_len -= advance;
}

void perform_blocking(std::span<transfer_step> steps)
{
	for (auto &step : steps) {
		call_until_done(step);
		if (step.state == step_state::failed)
			return;
	}
}

result<void> perform_through(io_ring &ring, std::span<transfer_step> steps)
{
	return ring_pass(ring, steps).run();
}

} // namespace ezio
