#include "actors/bt/unreadable_plugin.hpp"

#include "actors/bt/swarm_messages.hpp"

#include <libtorrent/bdecode.hpp>
#include <libtorrent/extensions.hpp>
#include <libtorrent/peer_connection_handle.hpp>
#include <libtorrent/peer_request.hpp>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace ezio
{
namespace
{

/// Requests of one peer that wait for a trial; those beyond are rejected at once. libtorrent's own limit.
constexpr std::size_t held_max = 2000;

class unreadable_peer;

class unreadable_plugin final : public lt::torrent_plugin,
								public std::enable_shared_from_this<unreadable_plugin>
{
public:
	explicit unreadable_plugin(std::shared_ptr<unreadable_pieces const> pieces) : m_watch(std::move(pieces))
	{
	}

	std::shared_ptr<lt::peer_plugin> new_connection(lt::peer_connection_handle const &connection) override;
	void tick() override { tell_changes(); }

	unreadable_watch const &watch() const { return m_watch; }
	void tell_changes();

private:
	unreadable_watch m_watch;
	std::vector<std::weak_ptr<unreadable_peer>> m_peers;
};

class unreadable_peer final : public lt::peer_plugin
{
public:
	unreadable_peer(std::shared_ptr<unreadable_plugin> torrent, lt::peer_connection_handle connection)
		: m_torrent(std::move(torrent)), m_connection(std::move(connection))
	{
	}

	lt::string_view type() const override { return "unreadable"; }
	bool on_handshake(lt::span<char const> reserved) override;
	bool on_extension_handshake(lt::bdecode_node const &handshake) override;
	bool on_request(lt::peer_request const &request) override;
	bool on_cancel(lt::peer_request const &request) override;
	void sent_piece(lt::peer_request const &request) override;
	void sent_reject_request(lt::peer_request const &request) override;
	void sent_choke() override;

	void tell(piece_index piece);

private:
	/// Does it understand what is said here?
	bool is_told() const { return m_has_fast && m_dont_have_number != 0; }
	void reject(lt::peer_request const &request);
	void send(std::vector<char> const &message);
	/// The trial of a piece is over: who waits for it asks again, if it is worth it.
	void end_trial(lt::piece_index_t piece);

	std::shared_ptr<unreadable_plugin> m_torrent;
	lt::peer_connection_handle m_connection;
	bool m_has_fast = false;
	std::uint8_t m_dont_have_number = 0; ///< the peer's, 0 if it does not speak it
	std::vector<bool> m_is_good;         ///< by piece: a block of it was sent
	std::size_t m_held = 0;
	/// By piece of which one block is being read, the requests that wait for that.
	std::map<lt::piece_index_t, std::vector<lt::peer_request>> m_trials;
};

std::shared_ptr<lt::peer_plugin> unreadable_plugin::new_connection(
	lt::peer_connection_handle const &connection)
{
	auto peer = std::make_shared<unreadable_peer>(shared_from_this(), connection);
	std::erase_if(m_peers, [](auto const &known) { return known.expired(); });
	m_peers.push_back(peer);
	return peer;
}

void unreadable_plugin::tell_changes()
{
	for (auto const piece : m_watch.look()) {
		for (auto const &known : m_peers) {
			if (auto const peer = known.lock())
				peer->tell(piece);
		}
	}
}

bool unreadable_peer::on_handshake(lt::span<char const> reserved)
{
	// Its last byte, bit 3.
	m_has_fast = reserved.size() == 8 && (reserved[7] & 0x04) != 0;
	return true;
}

bool unreadable_peer::on_extension_handshake(lt::bdecode_node const &handshake)
{
	if (handshake.type() != lt::bdecode_node::dict_t)
		return true;
	auto const messages = handshake.dict_find_dict("m");
	auto const number = messages ? messages.dict_find_int_value("lt_donthave") : 0;
	auto const before = std::exchange(
		m_dont_have_number, static_cast<std::uint8_t>(number > 0 && number <= 255 ? number : 0));
	if (before != 0)
		return true;
	// Its turn comes after our bitfield.
	for (auto const piece : m_torrent->watch().list())
		tell(piece);
	return true;
}

void unreadable_peer::tell(piece_index piece)
{
	if (!is_told() || m_connection.in_handshake() || m_connection.is_disconnecting())
		return;
	send(m_torrent->watch().contains(piece) ? dont_have_message(m_dont_have_number, piece)
											: have_message(piece));
}

void unreadable_peer::reject(lt::peer_request const &request)
{
	send(reject_message(piece_index{static_cast<int>(request.piece)},
		static_cast<std::uint32_t>(request.start), static_cast<std::uint32_t>(request.length)));
}

void unreadable_peer::send(std::vector<char> const &message)
{
	m_connection.send_buffer(message.data(), static_cast<int>(message.size()));
}

bool unreadable_peer::on_request(lt::peer_request const &request)
{
	m_torrent->tell_changes();
	auto const &watch = m_torrent->watch();
	// What is wrong with a request is libtorrent's to say.
	if (!watch.is_any() || !is_told() || m_connection.is_choked() || request.piece < lt::piece_index_t{0} ||
		static_cast<std::size_t>(static_cast<int>(request.piece)) >= watch.pieces())
		return false;
	auto const piece = piece_index{static_cast<int>(request.piece)};
	if (watch.contains(piece)) {
		// It may have been told of all pieces at once since.
		tell(piece);
		reject(request);
		return true;
	}
	m_is_good.resize(watch.pieces());
	if (m_is_good[static_cast<std::size_t>(to_int(piece))])
		return false;
	auto const [trial, is_first] = m_trials.try_emplace(request.piece);
	if (is_first)
		return false;
	if (m_held >= held_max) {
		reject(request);
		return true;
	}
	trial->second.push_back(request);
	++m_held;
	return true;
}

bool unreadable_peer::on_cancel(lt::peer_request const &request)
{
	auto const trial = m_trials.find(request.piece);
	if (trial == m_trials.end())
		return false;
	auto &held = trial->second;
	auto const found = std::find(held.begin(), held.end(), request);
	if (found == held.end())
		return false;
	held.erase(found);
	--m_held;
	// Every request gets an answer, a cancelled one too.
	reject(request);
	return true;
}

void unreadable_peer::end_trial(lt::piece_index_t piece)
{
	auto const trial = m_trials.extract(piece);
	if (trial.empty())
		return;
	m_held -= trial.mapped().size();
	for (auto const &request : trial.mapped())
		reject(request);
}

void unreadable_peer::sent_piece(lt::peer_request const &request)
{
	if (!m_trials.contains(request.piece))
		return;
	m_is_good[static_cast<std::size_t>(static_cast<int>(request.piece))] = true;
	end_trial(request.piece);
}

void unreadable_peer::sent_reject_request(lt::peer_request const &request)
{
	// The first anyone hears of a failed read.
	m_torrent->tell_changes();
	end_trial(request.piece);
}

void unreadable_peer::sent_choke()
{
	while (!m_trials.empty())
		end_trial(m_trials.begin()->first);
}

} // namespace

std::shared_ptr<lt::torrent_plugin> make_unreadable_plugin(std::shared_ptr<unreadable_pieces const> pieces)
{
	return std::make_shared<unreadable_plugin>(std::move(pieces));
}

} // namespace ezio
