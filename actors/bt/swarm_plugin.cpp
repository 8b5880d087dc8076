#include "actors/bt/swarm_plugin.hpp"

#include "actors/core/peer_roster.hpp"
#include "actors/core/piece_spreader.hpp"

#include <libtorrent/address.hpp>
#include <libtorrent/bdecode.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/entry.hpp>
#include <libtorrent/error_code.hpp>
#include <libtorrent/extensions.hpp>
#include <libtorrent/peer_connection_handle.hpp>
#include <libtorrent/peer_info.hpp>
#include <libtorrent/peer_request.hpp>
#include <libtorrent/torrent_handle.hpp>

#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ezio
{
namespace
{

constexpr char roster_name[] = "ez_roster";
constexpr char source_name[] = "ez_source";
constexpr char pex_name[] = "ut_pex";
/// Ours to choose; libtorrent's own extensions use small numbers.
constexpr std::uint8_t roster_number = 40;
constexpr std::uint8_t have_message = 4;
constexpr std::uint8_t have_all_message = 14;
constexpr std::uint8_t extended_message = 20;
/// Seconds between two lists to all peers, for those that could not connect at first.
constexpr int roster_period_s = 10;

void append(std::vector<char> &out, std::uint32_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		out.push_back(static_cast<char>(number >> shift & 0xff));
}

std::optional<listen_endpoint> to_core(lt::address const &address, std::uint16_t port)
{
	listen_endpoint where;
	where.port = port;
	if (address.is_v4()) {
		auto const bytes = address.to_v4().to_bytes();
		std::copy(bytes.begin(), bytes.end(), where.address.begin());
	} else {
		// A link-local address means nothing without its interface.
		if (address.to_v6().is_link_local())
			return std::nullopt;
		where.is_v6 = true;
		where.address = address.to_v6().to_bytes();
	}
	if (!where.is_usable())
		return std::nullopt;
	return where;
}

lt::tcp::endpoint to_lt(listen_endpoint const &where)
{
	if (where.is_v6)
		return {lt::address_v6(where.address), where.port};
	auto const &bytes = where.address;
	return {lt::address_v4({bytes[0], bytes[1], bytes[2], bytes[3]}), where.port};
}

class swarm_peer;

class swarm_plugin final : public lt::torrent_plugin, public std::enable_shared_from_this<swarm_plugin>
{
public:
	swarm_plugin(lt::torrent_handle torrent, swarm_role role) : m_torrent(std::move(torrent)), m_role(role)
	{
		if (role.is_source)
			m_spreader.emplace(role.pieces,
				static_cast<std::int32_t>(std::random_device{}() % static_cast<unsigned>(role.pieces)));
	}

	std::shared_ptr<lt::peer_plugin> new_connection(lt::peer_connection_handle const &peer) override;
	void tick() override;
	void on_state(lt::torrent_status::state_t state) override
	{
		m_is_complete = state == lt::torrent_status::seeding || state == lt::torrent_status::finished;
	}

	swarm_role const &role() const { return m_role; }
	bool is_complete() const { return m_is_complete || m_role.is_source; }
	bool is_directing() const { return m_spreader && !m_spreader->is_done(); }
	/// Null in a node that is no source.
	piece_spreader *spreader() { return m_spreader ? &*m_spreader : nullptr; }
	peer_roster &roster() { return m_roster; }
	void gone(std::uint64_t peer);
	/// Tells peers what they are to take now.
	void direct();
	void connect(std::span<char const> message, bool via_loopback);

private:
	lt::torrent_handle m_torrent;
	swarm_role m_role;
	bool m_is_complete = false;
	int m_ticks = 0;
	std::uint64_t m_last_peer = 0;
	std::optional<piece_spreader> m_spreader;
	peer_roster m_roster;
	std::map<std::uint64_t, swarm_peer *> m_peers; ///< each removes itself
};

class swarm_peer final : public lt::peer_plugin
{
public:
	swarm_peer(std::shared_ptr<swarm_plugin> swarm, lt::peer_connection_handle peer, std::uint64_t id)
		: m_swarm(std::move(swarm)), m_peer(std::move(peer)), m_id(id)
	{
		if (auto *const spreader = m_swarm->spreader())
			spreader->join(m_id, false);
	}
	~swarm_peer() override { m_swarm->gone(m_id); }

	lt::string_view type() const override { return "ezio"; }
	void add_handshake(lt::entry &handshake) override;
	bool on_handshake(lt::span<char const> reserved) override;
	bool on_extension_handshake(lt::bdecode_node const &handshake) override;
	bool on_extended(int length, int number, lt::span<char const> body) override;
	void on_disconnect(lt::error_code const &) override { m_swarm->gone(m_id); }

	bool on_have(lt::piece_index_t piece) override;
	bool on_bitfield(lt::bitfield const &pieces) override;
	bool on_have_all() override;
	bool on_request(lt::peer_request const &request) override;
	/// A source that directs seems to have nothing of interest now and then.
	bool can_disconnect(lt::error_code const &reason) override
	{
		return !m_is_hiding || m_swarm->is_complete() ||
			(reason != lt::errors::uninteresting_upload_peer && reason != lt::errors::timed_out_no_interest);
	}
	void sent_payload(int) override
	{
		if (auto *const spreader = m_swarm->spreader())
			spreader->sent(m_id);
	}

	void show(piece_index piece);
	/// Shows all pieces, once.
	void open();
	void send_roster();

private:
	/// A message of peer exchange (BEP 11), on which libtorrent connects at once; to those that connect_peer
	/// names only at its next second. Once a connection, since too many are taken for a flood.
	void send_pex();
	void send_extended(std::uint8_t number, std::span<char const> body);
	void send(std::vector<char> const &message)
	{
		m_peer.send_buffer(message.data(), static_cast<int>(message.size()));
	}
	/// Is this the bitfield of a source that directs us?
	bool hides_bitfield() { return m_is_hiding && !std::exchange(m_has_hidden, true); }

	std::shared_ptr<swarm_plugin> m_swarm;
	lt::peer_connection_handle m_peer;
	std::uint64_t m_id;
	std::uint8_t m_roster_number = 0; ///< the peer's, 0 if it does not speak it
	std::uint8_t m_pex_number = 0;
	bool m_has_fast = false;    ///< it understands "have all"
	bool m_has_greeted = false; ///< its extension handshake came
	bool m_said_source = false; ///< we told it that we direct
	bool m_is_directed = false;
	bool m_is_hiding = false;
	bool m_has_hidden = false;
};

std::shared_ptr<lt::peer_plugin> swarm_plugin::new_connection(lt::peer_connection_handle const &peer)
{
	if (peer.type() != lt::connection_type::bittorrent)
		return {};
	auto const id = ++m_last_peer;
	auto plugin = std::make_shared<swarm_peer>(shared_from_this(), peer, id);
	m_peers.emplace(id, plugin.get());
	return plugin;
}

void swarm_plugin::gone(std::uint64_t peer)
{
	if (m_peers.erase(peer) == 0)
		return;
	m_roster.remove(peer);
	if (m_spreader) {
		m_spreader->leave(peer);
		direct();
	}
}

void swarm_plugin::tick()
{
	if (m_spreader && !m_spreader->is_done()) {
		m_spreader->tick();
		direct();
	}
	if (++m_ticks % roster_period_s != 0 || !m_role.tells_peers)
		return;
	m_roster.forget_tried();
	for (auto const &[id, peer] : m_peers)
		peer->send_roster();
}

void swarm_plugin::direct()
{
	if (m_spreader->is_done()) {
		for (auto const &[id, peer] : m_peers)
			peer->open();
		return;
	}
	for (auto const &gift : m_spreader->plan(monotonic_clock::now())) {
		auto const found = m_peers.find(gift.peer);
		if (found != m_peers.end())
			found->second->show(gift.piece);
	}
}

void swarm_plugin::connect(std::span<char const> message, bool via_loopback)
{
	// Who has all pieces waits for those that want some.
	if (is_complete() || !m_role.tells_peers)
		return;
	for (auto const &where : m_roster.newly_named(message, via_loopback))
		m_torrent.connect_peer(to_lt(where), lt::peer_info::pex);
}

void swarm_peer::add_handshake(lt::entry &handshake)
{
	handshake["m"][roster_name] = roster_number;
	if (m_swarm->is_directing()) {
		handshake[source_name] = 1;
		m_said_source = true;
	}
}

bool swarm_peer::on_handshake(lt::span<char const> reserved)
{
	m_has_fast = reserved.size() >= 8 && (reserved[7] & 0x04) != 0;
	return true;
}

bool swarm_peer::on_extension_handshake(lt::bdecode_node const &handshake)
{
	if (handshake.type() != lt::bdecode_node::dict_t)
		return true;
	auto const messages = handshake.dict_find_dict("m");
	auto const number_of = [&messages](char const *name) {
		auto const number = messages ? messages.dict_find_int_value(name) : 0;
		return static_cast<std::uint8_t>(number > 0 && number <= 255 ? number : 0);
	};
	if (std::exchange(m_has_greeted, true))
		return true;
	m_pex_number = number_of(pex_name);
	m_roster_number = number_of(roster_name);
	bool const is_ours = m_roster_number != 0;
	m_is_hiding = is_ours && !m_swarm->role().is_source && handshake.dict_find_int_value(source_name) == 1;
	if (is_ours && m_said_source && m_has_fast) {
		m_is_directed = true;
		m_swarm->spreader()->join(m_id, true);
		m_swarm->direct();
	}

	auto const port = m_peer.is_outgoing() ? m_peer.remote().port() : handshake.dict_find_int_value("p");
	if (port > 0 && port <= 65535) {
		if (auto const where = to_core(m_peer.remote().address(), static_cast<std::uint16_t>(port)))
			m_swarm->roster().add(m_id, *where);
	}
	// Who connected is the newcomer.
	if (!m_peer.is_outgoing() || m_swarm->is_complete())
		send_pex();
	return true;
}

void swarm_peer::send_roster()
{
	if (m_roster_number == 0 || !m_swarm->role().tells_peers)
		return;
	send_extended(m_roster_number, m_swarm->roster().message_to(m_id));
}

void swarm_peer::send_pex()
{
	if (m_pex_number == 0 || !m_swarm->role().tells_peers)
		return;
	std::string v4;
	std::string v6;
	for (auto const &where : m_swarm->roster().list_for(m_id)) {
		auto &out = where.is_v6 ? v6 : v4;
		out.append(where.address.begin(), where.address.begin() + (where.is_v6 ? 16 : 4));
		out.push_back(static_cast<char>(where.port >> 8));
		out.push_back(static_cast<char>(where.port & 0xff));
	}
	if (v4.empty() && v6.empty())
		return;
	lt::entry message(lt::entry::dictionary_t);
	message["added.f"] = std::string(v4.size() / 6, '\0');
	message["added6.f"] = std::string(v6.size() / 18, '\0');
	message["added"] = std::move(v4);
	message["added6"] = std::move(v6);
	std::vector<char> body;
	lt::bencode(std::back_inserter(body), message);
	send_extended(m_pex_number, body);
}

void swarm_peer::send_extended(std::uint8_t number, std::span<char const> body)
{
	if (body.empty())
		return;
	std::vector<char> message;
	append(message, static_cast<std::uint32_t>(2 + body.size()));
	message.push_back(static_cast<char>(extended_message));
	message.push_back(static_cast<char>(number));
	message.insert(message.end(), body.begin(), body.end());
	send(message);
}

bool swarm_peer::on_extended(int length, int number, lt::span<char const> body)
{
	if (number != roster_number)
		return false;
	if (body.size() >= length)
		m_swarm->connect(
			{body.data(), static_cast<std::size_t>(length)}, m_peer.remote().address().is_loopback());
	return true;
}

bool swarm_peer::on_have(lt::piece_index_t piece)
{
	if (auto *const spreader = m_swarm->spreader()) {
		spreader->has(m_id, piece_index(static_cast<int>(piece)), monotonic_clock::now());
		m_swarm->direct();
	}
	return false;
}

bool swarm_peer::on_bitfield(lt::bitfield const &pieces)
{
	if (auto *const spreader = m_swarm->spreader()) {
		if (pieces.all_set())
			spreader->has_all(m_id, monotonic_clock::now());
		for (int i = 0; i < pieces.size() && !pieces.all_set(); ++i) {
			if (pieces[i])
				spreader->has(m_id, piece_index(i), monotonic_clock::now());
		}
		m_swarm->direct();
	}
	return hides_bitfield();
}

bool swarm_peer::on_have_all()
{
	if (auto *const spreader = m_swarm->spreader()) {
		spreader->has_all(m_id, monotonic_clock::now());
		m_swarm->direct();
	}
	return hides_bitfield();
}

bool swarm_peer::on_request(lt::peer_request const &request)
{
	if (auto *const spreader = m_swarm->spreader())
		spreader->asked(m_id, piece_index(static_cast<int>(request.piece)), monotonic_clock::now());
	return false;
}

void swarm_peer::show(piece_index piece)
{
	std::vector<char> message;
	append(message, 5);
	message.push_back(static_cast<char>(have_message));
	append(message, static_cast<std::uint32_t>(to_int(piece)));
	send(message);
}

void swarm_peer::open()
{
	if (!std::exchange(m_is_directed, false))
		return;
	std::vector<char> message;
	append(message, 1);
	message.push_back(static_cast<char>(have_all_message));
	send(message);
}

} // namespace

std::shared_ptr<lt::torrent_plugin> make_swarm_plugin(lt::torrent_handle const &torrent, swarm_role role)
{
	return std::make_shared<swarm_plugin>(torrent, role);
}

} // namespace ezio
