#pragma once

#include "actors/core/result.hpp"

#include <libtorrent/peer_connection_handle.hpp>

#include <cstdint>

namespace ezio
{

/// Lets the kernel keep that many bytes for the connection until they are read, and no more: SO_RCVBUFFORCE
/// (socket(7)), or SO_RCVBUF for those without the privilege, whose limit is net.core.rmem_max; and
/// TCP_WINDOW_CLAMP (tcp(7)), without which older kernels keep the window of an open connection below what it
/// was opened with.
/// Until this is called the kernel decides by itself. Does nothing to a connection that is not of TCP, or
/// that has gone. The only place that looks behind libtorrent's handles, which have no such call. Network
/// thread.
result<void> set_receive_buffer(lt::peer_connection_handle const &peer, std::uint32_t bytes);

} // namespace ezio
