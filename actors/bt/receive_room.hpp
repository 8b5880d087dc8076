#pragma once

#include "actors/core/receive_shares.hpp"
#include "actors/core/result.hpp"

#include <libtorrent/extensions.hpp>
#include <libtorrent/peer_connection_handle.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace ezio
{

/// Gives each connection of a session its share of the memory for received data, and divides anew as they
/// come and go. Network thread, where nothing else is said.
class receive_room
{
public:
	/// @p on_failure is told of the first connection whose share could not be set.
	explicit receive_room(std::function<void(error const &)> on_failure) : m_on_failure(std::move(on_failure))
	{
	}

	/// What connections may hand over at once; 0: their buffers are none of ours, and stay as they are. In
	/// force at the next look() or join(). Any thread.
	void set_pool(std::uint64_t bytes) { m_pool_bytes.store(bytes, std::memory_order_relaxed); }

	/// Looks at what set_pool() has set. True if all connections were given a new share.
	bool look();

private:
	friend class receive_place;

	std::uint64_t join(lt::peer_connection_handle peer);
	void leave(std::uint64_t place);
	void set(lt::peer_connection_handle const &peer);

	std::function<void(error const &)> m_on_failure;
	std::atomic<std::uint64_t> m_pool_bytes{0};
	receive_shares m_shares;
	std::map<std::uint64_t, lt::peer_connection_handle> m_peers;
	std::uint64_t m_last = 0;
	bool m_has_failed = false;
};

/// A connection's place in the room, given back at the end of its life or before. Network thread.
class receive_place
{
public:
	explicit receive_place(std::shared_ptr<receive_room> room) : m_room(std::move(room)) {}
	~receive_place() { leave(); }
	receive_place(receive_place const &) = delete;
	receive_place &operator=(receive_place const &) = delete;

	/// @p peer, which has none yet, has said hello. Until then the kernel lets it send little.
	void take(lt::peer_connection_handle peer);
	/// Nothing if it was not taken, or given back before.
	void leave();

private:
	std::shared_ptr<receive_room> m_room;
	std::uint64_t m_number = 0; ///< 0: none
};

/// A connection that says no hello, to a web seed: joins once it is connected. Network thread.
class receive_guest final : public lt::peer_plugin
{
public:
	receive_guest(std::shared_ptr<receive_room> room, lt::peer_connection_handle peer)
		: m_place(std::move(room)), m_peer(std::move(peer))
	{
	}

	lt::string_view type() const override { return "ezio"; }
	void tick() override;
	void on_disconnect(lt::error_code const &) override;

private:
	receive_place m_place;
	lt::peer_connection_handle m_peer;
	bool m_is_done = false; ///< joined, or gone
};

} // namespace ezio
