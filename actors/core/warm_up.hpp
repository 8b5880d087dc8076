#pragma once

#include "actors/core/error.hpp"
#include "actors/core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ezio
{

/// The course of one warm-up: a source is read from its start into the cache, stretch by stretch, until the
/// cache has no room for more. Says which stretch comes next and when it is over; knows no job and no actor.
/// Not thread-safe.
class warm_up
{
public:
	/// At most stretch_bytes of one piece.
	struct stretch {
		piece_index piece{};
		std::uint32_t offset_bytes = 0;
		std::uint32_t length_bytes = 0;
	};
	static constexpr std::uint32_t stretch_bytes = 1024 * 1024;

	explicit warm_up(piece_geometry pieces) : m_pieces(pieces) {}

	/// The next stretch to read, which counts as under way; empty if there is none. @p partitions share the
	/// pieces, and each has room of its own: only when some dozen stretches for each were refused in a row is
	/// there none anywhere.
	std::optional<stretch> next(std::size_t partitions);
	/// A stretch came back: @p asked_bytes long, of which the cache holds @p cached_bytes now.
	void ended(std::uint32_t asked_bytes, std::uint32_t cached_bytes, std::optional<error> const &failure);
	/// Nothing more is begun.
	void cancel() { m_is_cancelled = true; }

	std::size_t under_way() const { return m_under_way; }
	/// Nothing is under way and nothing more will be.
	bool is_over(std::size_t partitions) const;
	/// What the cache held of the stretches that came back.
	std::uint64_t cached_bytes() const { return m_cached_bytes; }
	std::optional<error> const &failure() const { return m_failure; }

private:
	bool has_next(std::size_t partitions) const;

	piece_geometry m_pieces;
	std::int32_t m_piece = 0;
	std::uint32_t m_offset_bytes = 0;
	std::size_t m_under_way = 0;
	std::size_t m_refused_in_row = 0;
	std::uint64_t m_cached_bytes = 0;
	bool m_is_cancelled = false;
	std::optional<error> m_failure; ///< of the first read that failed
};

} // namespace ezio
