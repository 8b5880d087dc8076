#pragma once

#include "actors/core/torrent_session.hpp"
#include "actors/core/units.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ezio
{

/// Which of several torrents may download now. A higher priority goes first; within one, all together, or one
/// after the other with the smallest first. Those that must wait are held. A torrent that receives nothing
/// for stall_after holds nobody: a target without peers must not keep the link idle. Pure: the caller brings
/// the time.
class transfer_order
{
public:
	static constexpr auto stall_after = std::chrono::seconds(5);

	enum class kind : std::uint8_t { together, small_first };

	struct candidate {
		std::string info_hash;
		torrent_priority priority = torrent_priority::normal;
		std::uint64_t size_bytes = 0;
		std::uint64_t received_bytes = 0; ///< grows with every byte of payload
		bool wants_data = false;          ///< downloads, and is neither paused nor failed
	};

	void set_kind(kind k) { m_kind = k; }
	/// The info-hashes of those that must wait.
	std::set<std::string> held(std::vector<candidate> const &torrents, monotonic_time now);

private:
	struct history {
		std::uint64_t received_bytes = 0;
		monotonic_time since{}; ///< last byte, or when it was let go
		bool was_held = false;
	};

	kind m_kind = kind::together;
	std::map<std::string, history> m_histories;
};

} // namespace ezio
