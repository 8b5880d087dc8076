#include "actors/core/io_engine.hpp"

#include <utility>

namespace ezio
{

result<io_engine> io_engine_from_string(std::string_view word)
{
	if (word == "auto")
		return io_engine::automatic;
	if (word == "threads")
		return io_engine::threads;
	if (word == "uring")
		return io_engine::uring;
	return make_error(errc::out_of_range, "there is no I/O engine '" + std::string(word) + "'");
}

io_engine_choice::io_engine_choice(io_engine wanted, refusal_sink on_refusal, ring_maker make_ring)
	: m_on_refusal(std::move(on_refusal)), m_make_ring(std::move(make_ring)), m_wanted(wanted)
{
	choose(wanted);
}

void io_engine_choice::choose(io_engine wanted)
{
	{
		std::lock_guard const lock(m_mutex);
		m_wanted = wanted;
		m_refusal.reset();
	}
	if (wanted == io_engine::threads)
		return;
	if (auto const tried = m_make_ring(); !tried)
		refuse(tried.failure());
}

std::unique_ptr<io_ring> io_engine_choice::ring_for(device_geometry const &geometry)
{
	{
		std::lock_guard const lock(m_mutex);
		bool const is_for_it =
			m_wanted == io_engine::uring || (m_wanted == io_engine::automatic && geometry.is_direct);
		if (m_refusal || !is_for_it)
			return nullptr;
	}
	auto made = m_make_ring();
	if (made)
		return std::move(made).value();
	refuse(made.failure());
	return nullptr;
}

void io_engine_choice::refuse(error const &why)
{
	{
		std::lock_guard const lock(m_mutex);
		if (m_refusal)
			return;
		m_refusal = why;
	}
	if (m_on_refusal)
		m_on_refusal(why);
}

std::string io_engine_choice::in_force() const
{
	std::lock_guard const lock(m_mutex);
	if (m_refusal || m_wanted == io_engine::threads)
		return "threads";
	return m_wanted == io_engine::uring ? "uring" : "uring with direct I/O";
}

} // namespace ezio
