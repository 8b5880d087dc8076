#pragma once

#include "actors/core/io_ring.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace ezio::test
{

/// A ring without a kernel ring: it moves real bytes by preadv(2) and pwritev(2), answers the latest first,
/// and plays what a test scripts. Counts requests from 0 in the order of prepare().
class scripted_ring : public io_ring
{
public:
	/// What becomes of the n'th request in place of a whole transfer.
	struct trick {
		std::optional<std::int64_t> answer = std::nullopt; ///< given without moving a byte
		std::size_t bytes_max = SIZE_MAX;                  ///< at most this much is moved
	};
	std::map<std::uint64_t, trick> tricks;
	/// Of the n'th submit_and_wait(): an outcome below 0 hands nothing over, others at most so many.
	std::map<std::uint64_t, int> submit_outcomes;

	explicit scripted_ring(std::size_t depth = 64) : m_depth(depth) {}

	std::size_t depth() const override { return m_depth; }
	void prepare(request const &what) override
	{
		m_prepared.push_back({m_requests++, what});
		m_most_at_once = std::max(m_most_at_once, m_prepared.size() + m_under_way.size());
	}
	int submit_and_wait() override
	{
		auto const scripted = submit_outcomes.find(m_submits++);
		auto count = static_cast<int>(m_prepared.size());
		if (scripted != submit_outcomes.end()) {
			if (scripted->second < 0)
				return scripted->second;
			count = std::min(count, scripted->second);
		}
		for (int i = 0; i < count; ++i) {
			m_under_way.push_back(m_prepared.front());
			m_prepared.pop_front();
		}
		wait();
		return count;
	}
	void wait() override
	{
		while (!m_under_way.empty()) {
			m_answers.push_back(answer_to(m_under_way.back()));
			m_under_way.pop_back();
		}
	}
	std::optional<answer> next_answer() override
	{
		if (m_answers.empty())
			return std::nullopt;
		auto const taken = m_answers.back();
		m_answers.pop_back();
		return taken;
	}

	std::uint64_t requests() const { return m_requests; }
	std::size_t most_at_once() const { return m_most_at_once; }

private:
	struct numbered {
		std::uint64_t number = 0;
		request what;
	};

	answer answer_to(numbered const &one)
	{
		auto const scripted = tricks.find(one.number);
		if (scripted != tricks.end() && scripted->second.answer)
			return {one.what.token, *scripted->second.answer};
		auto left = scripted != tricks.end() ? scripted->second.bytes_max : SIZE_MAX;
		std::vector<iovec> buffers;
		for (auto const &buffer : one.what.buffers) {
			auto const size = std::min(left, buffer.iov_len);
			left -= size;
			buffers.push_back({buffer.iov_base, size});
		}
		auto const count = static_cast<int>(buffers.size());
		auto const offset = static_cast<off_t>(one.what.offset_bytes);
		auto const moved = one.what.way == transfer_direction::write
			? ::pwritev(one.what.fd, buffers.data(), count, offset)
			: ::preadv(one.what.fd, buffers.data(), count, offset);
		return {one.what.token, moved < 0 ? -errno : moved};
	}

	std::size_t m_depth;
	std::uint64_t m_requests = 0;
	std::uint64_t m_submits = 0;
	std::size_t m_most_at_once = 0;
	std::deque<numbered> m_prepared;
	std::vector<numbered> m_under_way;
	std::vector<answer> m_answers;
};

} // namespace ezio::test
