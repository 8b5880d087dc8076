#include "actors/bt/peer_socket.hpp"

#include <libtorrent/aux_/socket_type.hpp>
#include <libtorrent/peer_connection.hpp>

#include <cstddef>
#include <string>

#include <netinet/tcp.h>
#include <sys/socket.h>

namespace ezio
{
namespace
{

/// What asio calls a SettableSocketOption.
template <int Level, int Name>
class number_option
{
public:
	explicit number_option(std::uint32_t value) : m_value(static_cast<int>(value)) {}

	template <class Protocol>
	int level(Protocol const &) const
	{
		return Level;
	}
	template <class Protocol>
	int name(Protocol const &) const
	{
		return Name;
	}
	template <class Protocol>
	int const *data(Protocol const &) const
	{
		return &m_value;
	}
	template <class Protocol>
	std::size_t size(Protocol const &) const
	{
		return sizeof(m_value);
	}

private:
	int m_value;
};

using forced_size = number_option<SOL_SOCKET, SO_RCVBUFFORCE>;
using size_within_limit = number_option<SOL_SOCKET, SO_RCVBUF>;
using window_clamp = number_option<IPPROTO_TCP, TCP_WINDOW_CLAMP>;

error failure_of(char const *operation, lt::error_code const &code, lt::peer_connection_handle const &peer)
{
	return make_system_error(operation, {}, code.value(),
		"the receive buffer of " + peer.remote().address().to_string() +
			" stays as large as the kernel likes");
}

} // namespace

result<void> set_receive_buffer(lt::peer_connection_handle const &peer, std::uint32_t bytes)
{
	auto const connection = peer.native_handle();
	if (connection == nullptr || connection->is_disconnecting())
		return {};
	auto &socket = connection->get_socket();
	lt::error_code code;
	socket.set_option(forced_size(bytes), code);
	if (code)
		socket.set_option(size_within_limit(bytes), code);
	if (code)
		return failure_of("setsockopt SO_RCVBUF", code, peer);
	socket.set_option(window_clamp(bytes), code);
	if (code)
		return failure_of("setsockopt TCP_WINDOW_CLAMP", code, peer);
	return {};
}

} // namespace ezio
