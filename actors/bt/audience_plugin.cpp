#include "actors/bt/audience_plugin.hpp"

#include <libtorrent/bitfield.hpp>
#include <libtorrent/error_code.hpp>
#include <libtorrent/peer_connection_handle.hpp>
#include <libtorrent/peer_request.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace ezio
{
namespace
{

class audience_plugin;

class audience_peer final : public lt::peer_plugin
{
public:
	audience_peer(std::shared_ptr<audience_plugin> torrent, lt::peer_connection_handle connection)
		: m_torrent(std::move(torrent)), m_connection(std::move(connection))
	{
	}
	~audience_peer() override { leave(); }

	lt::string_view type() const override { return "audience"; }
	bool on_handshake(lt::span<char const> reserved) override;
	void on_disconnect(lt::error_code const &) override { leave(); }
	bool on_have(lt::piece_index_t index) override;
	bool on_have_all() override;
	bool on_bitfield(lt::bitfield const &bits) override;
	bool on_request(lt::peer_request const &) override;

	/// Nothing if the peer has the piece or does not know such messages.
	void suggest(piece_index piece);

private:
	void add(std::size_t piece);
	void leave();

	std::shared_ptr<audience_plugin> m_torrent;
	lt::peer_connection_handle m_connection;
	std::vector<bool> m_had;
	bool m_is_counted = false;
	bool m_knows_suggestions = false;
};

class audience_plugin final : public lt::torrent_plugin, public std::enable_shared_from_this<audience_plugin>
{
public:
	explicit audience_plugin(std::shared_ptr<piece_audience> audience) : m_audience(std::move(audience)) {}

	std::shared_ptr<lt::peer_plugin> new_connection(lt::peer_connection_handle const &connection) override
	{
		auto peer = std::make_shared<audience_peer>(shared_from_this(), connection);
		std::erase_if(m_peers, [](auto const &known) { return known.expired(); });
		m_peers.push_back(peer);
		return peer;
	}
	piece_audience &audience() { return *m_audience; }
	void suggest_offers()
	{
		// Peers take up the last suggestion first, and the first offer is the most urgent.
		auto const offers = m_audience->take_offers();
		for (auto offer = offers.rbegin(); offer != offers.rend(); ++offer) {
			for (auto const &known : m_peers) {
				if (auto const peer = known.lock())
					peer->suggest(*offer);
			}
		}
	}

private:
	std::shared_ptr<piece_audience> m_audience;
	std::vector<std::weak_ptr<audience_peer>> m_peers;
};

bool audience_peer::on_handshake(lt::span<char const> reserved)
{
	// Its last byte, bit 3: the fast extension, of which suggestions are a part.
	m_knows_suggestions = reserved.size() == 8 && (reserved[7] & 0x04) != 0;
	m_had.assign(m_torrent->audience().pieces(), false);
	m_torrent->audience().came();
	m_is_counted = true;
	return true;
}

void audience_peer::add(std::size_t piece)
{
	if (!m_is_counted || piece >= m_had.size() || m_had[piece])
		return;
	m_had[piece] = true;
	m_torrent->audience().has(piece_index{static_cast<std::int32_t>(piece)});
}

bool audience_peer::on_have(lt::piece_index_t index)
{
	// A number that is none becomes one beyond the last.
	add(static_cast<std::size_t>(static_cast<int>(index)));
	return false;
}

bool audience_peer::on_have_all()
{
	for (std::size_t i = 0; i < m_had.size(); ++i)
		add(i);
	return false;
}

bool audience_peer::on_bitfield(lt::bitfield const &bits)
{
	auto const count = std::min(static_cast<std::size_t>(bits.size()), m_had.size());
	for (std::size_t i = 0; i < count; ++i) {
		if (bits.get_bit(static_cast<int>(i)))
			add(i);
	}
	return false;
}

bool audience_peer::on_request(lt::peer_request const &)
{
	if (m_torrent->audience().has_offers())
		m_torrent->suggest_offers();
	return false;
}

void audience_peer::suggest(piece_index piece)
{
	auto const index = static_cast<std::uint32_t>(to_int(piece));
	if (!m_is_counted || !m_knows_suggestions || index >= m_had.size() || m_had[index])
		return;
	constexpr char suggest_piece = 13;
	std::array<char, 9> const message{0, 0, 0, 5, suggest_piece, static_cast<char>(index >> 24),
		static_cast<char>(index >> 16), static_cast<char>(index >> 8), static_cast<char>(index)};
	m_connection.send_buffer(message.data(), static_cast<int>(message.size()));
}

void audience_peer::leave()
{
	if (!std::exchange(m_is_counted, false))
		return;
	m_torrent->audience().went(m_had);
}

} // namespace

std::shared_ptr<lt::torrent_plugin> make_audience_plugin(std::shared_ptr<piece_audience> audience)
{
	return std::make_shared<audience_plugin>(std::move(audience));
}

} // namespace ezio
