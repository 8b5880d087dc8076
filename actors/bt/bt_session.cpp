#include "actors/bt/bt_session.hpp"

#include "actors/bt/bt_convert.hpp"
#include "actors/bt/piece_check.hpp"
#include "actors/bt/session_settings.hpp"
#include "actors/bt/swarm_torrent.hpp"
#include "actors/bt/torrent_file.hpp"
#include "actors/bt/unreadable_plugin.hpp"
#include "actors/core/device_identity.hpp"
#include "actors/core/target_rules.hpp"

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/extensions/smart_ban.hpp>
#include <libtorrent/extensions/ut_pex.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/peer_class.hpp>
#include <libtorrent/peer_info.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_handle.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>
#include <libtorrent/version.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace ezio
{
namespace
{

using fact_kind = session_fact::kind;

/// Payload since the torrent was added. libtorrent's own running total is brought up to date once a second
/// only, and its exact one starts anew when the torrent is paused.
struct payload_total {
	std::uint64_t before_pause = 0;
	std::uint64_t since_pause = 0;

	std::uint64_t update(std::int64_t counted)
	{
		auto const now = static_cast<std::uint64_t>(std::max<std::int64_t>(0, counted));
		if (now < since_pause)
			before_pause += since_pause;
		since_pause = now;
		return before_pause + since_pause;
	}
};

/// One torrent of the session. Its address is the torrent's user data in libtorrent.
struct torrent_entry {
	std::string info_hash;
	std::uint64_t size_bytes = 0; ///< without padding
	lt::torrent_handle handle;
	std::shared_ptr<lt::torrent_info const> info;
	std::vector<lt::tcp::endpoint> named_peers;
	/// Added as paused, to be resumed when its files are checked: nobody has to see that pause.
	bool starts_when_checked = false;
	bool is_source = false; ///< read-only
	/// May ask peers for something: it has a target of its own that is not known to be complete.
	bool is_receiving = false;
	bool awaits_check = false; ///< statuses from before the check are no news
	payload_total downloaded;
	payload_total uploaded;
};

/// One torrent on its way in. What examine() writes, the session reads after it has returned.
class bt_addition final : public torrent_addition
{
public:
	bt_addition(
		device_registry &devices, std::shared_ptr<add_request const> request, torrent_description description)
		: m_devices(devices), m_request(std::move(request)), m_description(std::move(description))
	{
		m_outline.info_hash = m_description.info_hash;
		m_outline.name = m_description.name;
		m_outline.size_bytes = m_description.extents.device_bytes();
		m_outline.pieces = static_cast<std::uint32_t>(m_description.pieces.piece_count());
		m_outline.piece_bytes = m_description.pieces.piece_bytes;
	}
	~bt_addition() override
	{
		if (claim == nullptr)
			return;
		// The device first: who is let in to its extents finds it free.
		claim.reset();
		m_devices.release(m_outline.info_hash);
	}

	torrent_outline const &outline() const override { return m_outline; }
	result<void> examine() override;
	torrent_description &description() { return m_description; }

	// Found by examine(); what the session takes is moved out of it.
	std::vector<lt::tcp::endpoint> named_peers;
	std::shared_ptr<lt::torrent_info const> info;
	std::shared_ptr<device_claim> claim;
	std::string doubt; ///< of the known pieces
	std::optional<device_identity> device;
	std::optional<error> identity_failure;
	std::string model;

private:
	result<void> look_up_peers();
	result<void> read_metainfo();
	result<void> claim_target();
	void question_known_pieces();

	device_registry &m_devices;
	std::shared_ptr<add_request const> m_request;
	torrent_description m_description;
	torrent_outline m_outline;
};

result<void> bt_addition::look_up_peers()
{
	for (auto const &peer : m_request->peers) {
		auto const endpoints = resolve_endpoints(peer);
		if (!endpoints)
			return endpoints.failure();
		named_peers.insert(named_peers.end(), endpoints->begin(), endpoints->end());
	}
	return {};
}

result<void> bt_addition::read_metainfo()
{
	lt::load_torrent_limits limits;
	limits.max_buffer_size = static_cast<int>(torrent_bytes_max);
	try {
		info = std::make_shared<lt::torrent_info>(m_request->torrent, limits, lt::from_span);
	} catch (lt::system_error const &e) {
		return make_error(errc::invalid_torrent, e.code().message());
	}
	return {};
}

result<void> bt_addition::claim_target()
{
	auto const &path = m_request->target;
	if (m_request->known_device) {
		auto const now = identify_device(path);
		if (!now)
			return now.failure();
		if (auto const other = difference(*m_request->known_device, *now); !other.empty())
			return refuse_target(
				"another-device", path, other, "add the torrent again if this is the right one");
	}
	target_request target;
	target.path = path;
	target.access = m_request->is_seed ? device_access::read_only : device_access::read_write;
	target.allowed_checks = m_request->allowed_checks;
	auto claimed = m_devices.claim(target, m_outline.info_hash, m_description.extents);
	if (!claimed)
		return claimed.failure();
	claim = std::move(*claimed);

	model = device_model(path);
	if (auto const now = identify_device(path))
		device = *now;
	else
		identity_failure = now.failure();
	return {};
}

void bt_addition::question_known_pieces()
{
	if (m_request->is_check || m_request->known_pieces.empty())
		return;
	// For these reads only; nobody routes jobs of it.
	auto const probe = std::make_shared<storage>(
		storage_id{0}, m_outline.info_hash, m_description.pieces, m_description.extents, claim);
	doubt = doubt_known_pieces(*info, probe, m_request->known_pieces, [this] { return is_abandoned(); });
}

result<void> bt_addition::examine()
{
	if (is_abandoned())
		return make_error(errc::aborted, "given up before the target was looked at");
	for (auto const step :
		{&bt_addition::look_up_peers, &bt_addition::read_metainfo, &bt_addition::claim_target}) {
		if (auto const done = (this->*step)(); !done)
			return done;
	}
	question_known_pieces();
	return {};
}

session_fact make_fact(fact_kind kind, std::string info_hash)
{
	session_fact fact;
	fact.what = kind;
	fact.info_hash = std::move(info_hash);
	return fact;
}

session_fact::swarm_status to_core(lt::torrent_status const &status, torrent_entry &entry)
{
	session_fact::swarm_status out;
	out.is_checking = status.state == lt::torrent_status::checking_files ||
		status.state == lt::torrent_status::checking_resume_data;
	out.is_complete =
		status.state == lt::torrent_status::finished || status.state == lt::torrent_status::seeding;
	out.is_paused = bool(status.flags & lt::torrent_flags::paused) && !entry.starts_when_checked;
	out.size_bytes = entry.size_bytes;
	out.done_bytes = std::min(
		static_cast<std::uint64_t>(std::max<std::int64_t>(0, status.total_wanted_done)), entry.size_bytes);
	if (out.is_complete)
		out.done_bytes = entry.size_bytes;
	out.downloaded_bytes = entry.downloaded.update(status.total_payload_download);
	out.uploaded_bytes = entry.uploaded.update(status.total_payload_upload);
	out.peers = static_cast<std::uint32_t>(std::max(0, status.num_peers));
	out.seeds = static_cast<std::uint32_t>(std::max(0, status.num_seeds));
	out.pieces_done = static_cast<std::uint32_t>(std::max(0, status.num_pieces));
	out.progress = status.progress_ppm / 1e6;
	return out;
}

lt::typed_bitfield<lt::piece_index_t> to_lt_bitfield(std::vector<bool> const &pieces)
{
	lt::typed_bitfield<lt::piece_index_t> bits(static_cast<int>(pieces.size()), false);
	for (std::size_t i = 0; i < pieces.size(); ++i) {
		if (pieces[i])
			bits.set_bit(lt::piece_index_t(static_cast<int>(i)));
	}
	return bits;
}

std::string source_name(lt::peer_info const &peer)
{
	if (peer.flags & lt::peer_info::local_connection) {
		if (peer.source & lt::peer_info::tracker)
			return "tracker";
		if (peer.source & lt::peer_info::pex)
			return "pex";
		if (peer.source & lt::peer_info::lsd)
			return "lsd";
		if (peer.source & lt::peer_info::dht)
			return "dht";
		return "manual";
	}
	return "incoming";
}

peer_row to_core(lt::peer_info const &peer)
{
	peer_row row;
	row.endpoint = to_text(peer.ip);
	row.client = peer.client;
	row.progress = peer.progress_ppm / 1e6;
	row.down_rate = static_cast<std::uint64_t>(std::max(0, peer.payload_down_speed));
	row.up_rate = static_cast<std::uint64_t>(std::max(0, peer.payload_up_speed));
	row.downloaded_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, peer.total_download));
	row.uploaded_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, peer.total_upload));
	row.is_incoming = !(peer.flags & lt::peer_info::local_connection);
	row.is_seed = bool(peer.flags & lt::peer_info::seed);
	row.source = source_name(peer);
	if (peer.flags & lt::peer_info::interesting)
		row.flags += 'i';
	if (peer.flags & lt::peer_info::remote_interested)
		row.flags += 'I';
	if (peer.flags & lt::peer_info::choked)
		row.flags += 'c';
	if (peer.flags & lt::peer_info::remote_choked)
		row.flags += 'C';
	if (peer.flags & lt::peer_info::snubbed)
		row.flags += 's';
	return row;
}

/// By default libtorrent exempts peers of private networks from limits; ours are all there.
void put_all_peers_in_global_class(lt::session &session)
{
	lt::ip_filter filter;
	auto const global = std::uint32_t{1} << static_cast<std::uint32_t>(lt::session::global_peer_class_id);
	filter.add_rule(lt::make_address("0.0.0.0"), lt::make_address("255.255.255.255"), global);
	filter.add_rule(
		lt::make_address("::"), lt::make_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), global);
	session.set_peer_class_filter(filter);
}

class bt_session final : public torrent_session
{
public:
	explicit bt_session(bt_session_config config) : m_config(std::move(config)) {}
	~bt_session() override { close(); }

	result<void> start();

	void set_wakeup(std::function<void()> wakeup) override;
	std::vector<session_fact> collect() override;
	void request_status() override { m_session->post_torrent_updates({}); }
	result<std::shared_ptr<torrent_addition>> begin(std::shared_ptr<add_request const> request) override;
	result<added_torrent> add(torrent_addition &examined, add_request const &request) override;
	result<void> pause(std::string const &info_hash) override;
	result<void> resume(std::string const &info_hash) override;
	result<void> recheck(std::string const &info_hash) override;
	result<void> remove(std::string const &info_hash) override;
	result<void> reannounce(std::string const &info_hash) override;
	result<void> set_limits(std::string const &info_hash, torrent_limits const &limits) override;
	result<void> connect_named_peers(std::string const &info_hash) override;
	result<std::vector<peer_row>> peers(std::string const &info_hash) override;
	result<std::vector<bool>> pieces(std::string const &info_hash) override;
	bool piece_matches(std::string const &info_hash, disk_job const &job) override;
	void prepare_hash(std::string const &info_hash, disk_job &job) override;
	result<void> apply(session_setting const &setting) override;
	std::uint16_t listen_port() override { return m_session->listen_port(); }
	void close() override;

private:
	result<torrent_entry *> find(std::string const &info_hash);
	result<void> check_is_new(std::string const &info_hash) const;
	/// For a torrent that knows peers and takes none of them for worth a connection.
	void count_peers_anew(lt::torrent_handle const &torrent);
	/// Any thread: a fact that is not one of libtorrent's alerts.
	void report(session_fact fact);
	void on_disk_error(disk_job const &job);
	/// Tells the disk side whether room for what peers send is needed.
	void announce_receiving();
	/// The torrent that an alert is about; null if it is no longer known. libtorrent's object can outlive the
	/// removed fact, while a last hash is under way, and its user data would then point nowhere.
	torrent_entry *entry_of(lt::torrent_handle const &handle) const;
	/// Translates an alert; nothing if it concerns nobody.
	void translate(lt::alert const &alert, std::vector<session_fact> &facts);
	/// Runs a call on the torrent; libtorrent throws when the torrent is already gone.
	template <class Call>
	result<void> on_torrent(std::string const &info_hash, Call &&call);

	bt_session_config m_config;
	storage_lobby m_lobby;
	torrent_defaults m_defaults;
	std::shared_ptr<receive_room> m_room = std::make_shared<receive_room>([this](error const &failure) {
		auto fact = make_fact(fact_kind::warning, {});
		fact.text = to_string(failure);
		report(std::move(fact));
	});
	std::uint64_t m_next_storage = 1;
	std::map<std::string, std::unique_ptr<torrent_entry>> m_torrents;
	std::vector<std::unique_ptr<torrent_entry>>
		m_removing; ///< until their removed fact; alerts may point at them
	std::mutex m_mutex;
	std::vector<session_fact> m_reported;   ///< guarded by m_mutex
	std::function<void()> m_wakeup;         ///< guarded by m_mutex
	std::unique_ptr<lt::session> m_session; ///< last: its threads use all of the above
};

result<void> bt_session::start()
{
	auto pack = lan_settings();
	for (auto const &setting : m_config.settings) {
		if (auto const translated = translate_setting(setting, pack, m_defaults); !translated)
			return translated.failure();
	}
	m_room->set_pool(m_defaults.receive_pool_bytes);
	// Extensions are added per torrent, since PEX can be switched off.
	lt::session_params params(std::move(pack), std::vector<std::shared_ptr<lt::plugin>>{});
	params.disk_io_constructor = [this](lt::io_context &network, lt::settings_interface const &,
									 lt::counters &) {
		disk_adapter_config adapter;
		adapter.arena = m_config.arena;
		adapter.lobby = &m_lobby;
		adapter.on_error = [this](disk_job const &job) { on_disk_error(job); };
		adapter.on_removed = [this](storage const &gone) {
			report(make_fact(fact_kind::removed, gone.info_hash()));
		};
		return std::make_unique<disk_adapter>(network, std::move(adapter));
	};
	m_session = std::make_unique<lt::session>(std::move(params));
	put_all_peers_in_global_class(*m_session);

	// A synchronous call, behind the opening of the sockets.
	if (m_session->is_listening())
		return {};
	std::vector<lt::alert *> alerts;
	m_session->pop_alerts(&alerts);
	std::string reasons;
	for (auto const *alert : alerts) {
		if (auto const *failed = lt::alert_cast<lt::listen_failed_alert>(alert))
			reasons += (reasons.empty() ? "" : "; ") +
				to_text({failed->address, static_cast<std::uint16_t>(failed->port)}) + ": " +
				failed->error.message();
	}
	return make_error(
		errc::io_error, "no listening socket could be opened" + (reasons.empty() ? "" : ": " + reasons));
}

void bt_session::set_wakeup(std::function<void()> wakeup)
{
	{
		std::lock_guard const lock(m_mutex);
		m_wakeup = wakeup;
	}
	m_session->set_alert_notify(std::move(wakeup));
}

void bt_session::report(session_fact fact)
{
	std::function<void()> wakeup;
	{
		std::lock_guard const lock(m_mutex);
		m_reported.push_back(std::move(fact));
		wakeup = m_wakeup;
	}
	if (wakeup)
		wakeup();
}

void bt_session::on_disk_error(disk_job const &job)
{
	// Aborted jobs are consequences of an error that was reported; a missing buffer is no error of the
	// device.
	if (job.target == nullptr || job.failure->code == errc::aborted || job.failure->code == errc::no_memory)
		return;
	auto const is_write =
		job.kind == job_kind::write || job.kind == job_kind::release || job.kind == job_kind::sync;
	if (is_write && !job.is_first_failure)
		return;
	if (job.kind == job_kind::read)
		job.target->unreadable()->add(job.piece);
	auto fact = make_fact(fact_kind::disk_error, job.target->info_hash());
	fact.failure = job.failure;
	fact.piece = to_int(job.piece);
	fact.is_fatal = is_write || job.kind == job_kind::open;
	report(std::move(fact));
}

void bt_session::announce_receiving()
{
	bool const is_any = std::any_of(m_torrents.begin(), m_torrents.end(),
							[](auto const &t) { return t.second->is_receiving; }) ||
		std::any_of(m_removing.begin(), m_removing.end(), [](auto const &t) { return t->is_receiving; });
	m_config.routes->set_receiving(is_any);
}

std::vector<session_fact> bt_session::collect()
{
	std::vector<session_fact> facts;
	std::vector<lt::alert *> alerts;
	// Reported facts first: what the disk said explains what libtorrent made of it.
	{
		std::lock_guard const lock(m_mutex);
		facts.swap(m_reported);
	}
	if (m_session != nullptr)
		m_session->pop_alerts(&alerts);
	for (auto const *alert : alerts)
		translate(*alert, facts);
	for (auto const &fact : facts) {
		if (fact.what != fact_kind::removed)
			continue;
		m_config.devices->release(fact.info_hash);
		std::erase_if(m_removing, [&](auto const &entry) { return entry->info_hash == fact.info_hash; });
	}
	if (!facts.empty())
		announce_receiving();
	return facts;
}

torrent_entry *bt_session::entry_of(lt::torrent_handle const &handle) const
{
	auto *const entry = handle.userdata().get<torrent_entry>();
	auto const is_it = [entry, &handle](
						   torrent_entry const &known) { return &known == entry && known.handle == handle; };
	bool const is_known =
		std::any_of(m_torrents.begin(), m_torrents.end(), [&](auto const &t) { return is_it(*t.second); }) ||
		std::any_of(m_removing.begin(), m_removing.end(), [&](auto const &t) { return is_it(*t); });
	return is_known ? entry : nullptr;
}

void bt_session::translate(lt::alert const &alert, std::vector<session_fact> &facts)
{
	if (auto const *update = lt::alert_cast<lt::state_update_alert>(&alert)) {
		for (auto const &status : update->status) {
			auto *const entry = entry_of(status.handle);
			if (entry == nullptr)
				continue;
			auto fact = make_fact(fact_kind::status, entry->info_hash);
			fact.status = to_core(status, *entry);
			entry->is_receiving = !entry->is_source && (!fact.status.is_complete || entry->awaits_check);
			facts.push_back(std::move(fact));
		}
		return;
	}
	if (auto const *failed = lt::alert_cast<lt::listen_failed_alert>(&alert)) {
		auto fact = make_fact(fact_kind::listen_failed, {});
		fact.text = failed->message();
		facts.push_back(std::move(fact));
		return;
	}
	if (lt::alert_cast<lt::alerts_dropped_alert>(&alert) != nullptr ||
		lt::alert_cast<lt::session_error_alert>(&alert) != nullptr) {
		auto fact = make_fact(fact_kind::warning, {});
		fact.text = alert.message();
		facts.push_back(std::move(fact));
		return;
	}

	auto const *of_torrent = dynamic_cast<lt::torrent_alert const *>(&alert);
	if (of_torrent == nullptr)
		return;
	auto *entry = entry_of(of_torrent->handle);
	if (entry == nullptr)
		return;
	auto fact = make_fact(fact_kind::warning, entry->info_hash);

	if (auto const *of_peer = dynamic_cast<lt::peer_alert const *>(&alert)) {
		fact.peer = to_text(of_peer->endpoint);
		if (auto const *connected = lt::alert_cast<lt::peer_connect_alert>(&alert)) {
			fact.what = fact_kind::peer_connected;
			fact.text =
				connected->direction == lt::peer_connect_alert::direction_t::in ? "incoming" : "outgoing";
		} else if (auto const *gone = lt::alert_cast<lt::peer_disconnected_alert>(&alert)) {
			fact.what = fact_kind::peer_disconnected;
			fact.text = gone->error.message();
		} else if (lt::alert_cast<lt::peer_ban_alert>(&alert) != nullptr) {
			fact.what = fact_kind::peer_banned;
		} else {
			return;
		}
	} else if (lt::alert_cast<lt::torrent_finished_alert>(&alert) != nullptr) {
		// Completeness travels in a status, so that the counters are those of its moment.
		request_status();
		return;
	} else if (lt::alert_cast<lt::torrent_checked_alert>(&alert) != nullptr) {
		if (entry->starts_when_checked)
			entry->handle.resume();
		entry->awaits_check = false;
		fact.what = fact_kind::checked;
	} else if (lt::alert_cast<lt::torrent_resumed_alert>(&alert) != nullptr) {
		entry->starts_when_checked = false;
		return;
	} else if (auto const *failed = lt::alert_cast<lt::hash_failed_alert>(&alert)) {
		fact.what = fact_kind::hash_failed;
		fact.piece = static_cast<int>(failed->piece_index);
	} else if (auto const *tracker = lt::alert_cast<lt::tracker_error_alert>(&alert)) {
		fact.what = fact_kind::tracker_error;
		fact.text = tracker->message();
	} else if (auto const *stopped = lt::alert_cast<lt::torrent_error_alert>(&alert)) {
		fact.what = fact_kind::torrent_error;
		fact.is_fatal = true;
		fact.failure = make_error(errc::io_error, stopped->error.message());
	} else {
		return;
	}
	facts.push_back(std::move(fact));
}

result<torrent_entry *> bt_session::find(std::string const &info_hash)
{
	auto const found = m_torrents.find(info_hash);
	if (found == m_torrents.end())
		return make_error(errc::not_found, "no torrent " + info_hash);
	return found->second.get();
}

result<void> bt_session::check_is_new(std::string const &info_hash) const
{
	if (m_torrents.contains(info_hash))
		return make_error(errc::already_exists, "torrent " + info_hash + " was added before");
	for (auto const &entry : m_removing) {
		if (entry->info_hash == info_hash)
			return make_error(
				errc::already_exists, "torrent " + info_hash + " is still being removed; try again");
	}
	return {};
}

result<std::shared_ptr<torrent_addition>> bt_session::begin(std::shared_ptr<add_request const> request)
{
	auto description = parse_torrent(request->torrent);
	if (!description)
		return description.failure();
	if (auto const is_new = check_is_new(description->info_hash); !is_new)
		return is_new.failure();
	return std::shared_ptr<torrent_addition>(
		std::make_shared<bt_addition>(*m_config.devices, std::move(request), std::move(*description)));
}

result<added_torrent> bt_session::add(torrent_addition &examined, add_request const &request)
{
	auto &addition = static_cast<bt_addition &>(examined);
	auto const &info_hash = addition.outline().info_hash;
	if (auto const is_new = check_is_new(info_hash); !is_new)
		return is_new.failure();
	auto &description = addition.description();
	auto entry = std::make_unique<torrent_entry>();
	entry->info_hash = info_hash;
	entry->size_bytes = description.extents.device_bytes();
	entry->named_peers = addition.named_peers;
	entry->info = addition.info;

	added_torrent added;
	added.info_hash = info_hash;
	added.info_hash_v2 = description.info_hash_v2;
	added.name = description.name;
	added.target = request.target;
	added.doubt = addition.doubt;
	added.device = addition.device;
	added.identity_failure = addition.identity_failure;
	added.model = addition.model;
	auto route = m_config.routes->route_for(addition.claim->disk());
	added.target_storage = std::make_shared<storage>(storage_id{m_next_storage++}, info_hash,
		description.pieces, description.extents, addition.claim, std::move(route));
	bool const is_check = request.is_check || !added.doubt.empty();
	if (!is_check)
		added.pieces = request.known_pieces;

	lt::add_torrent_params params;
	params.ti = std::make_shared<lt::torrent_info>(*entry->info);
	params.save_path = m_lobby.deposit({added.target_storage, is_check});
	params.userdata = entry.get();
	params.flags = lt::torrent_flags::update_subscribe | lt::torrent_flags::need_save_resume;
	// Seed mode hashes a piece before it is first sent, and until then goes through all waiting requests of
	// the peer, one mutex each, whenever another one arrives. A check does both jobs at once, before.
	if (request.is_seed && m_defaults.verifies_source && !is_check)
		params.flags |= lt::torrent_flags::seed_mode;
	else if (request.is_seed && !is_check)
		params.have_pieces.resize(params.ti->num_pieces(), true);
	else if (!added.pieces.empty())
		params.have_pieces = to_lt_bitfield(added.pieces);
	// libtorrent connects to the peers of a new torrent at its next tick, up to a second later, but to those
	// of a resumed one at once. A check would not run while the torrent is paused.
	bool const is_held = request.is_paused || request.known_failure.has_value();
	entry->starts_when_checked = !is_held && !is_check && !entry->named_peers.empty();
	if (is_held || entry->starts_when_checked)
		params.flags |= lt::torrent_flags::paused;
	if (request.is_sequential || m_defaults.is_sequential)
		params.flags |= lt::torrent_flags::sequential_download;
	params.peers = entry->named_peers;
	params.trackers = m_defaults.trackers;
	params.trackers.insert(params.trackers.end(), request.trackers.begin(), request.trackers.end());
	params.tracker_tiers.assign(params.trackers.size(), 0);
	params.max_uploads = request.uploads_max;
	params.max_connections = request.connections_max;
	params.extensions.emplace_back(&lt::create_smart_ban_plugin);
	if (m_defaults.has_pex)
		params.extensions.emplace_back(&lt::create_ut_pex_plugin);
	swarm_role role;
	role.pieces = params.ti->num_pieces();
	role.is_source = request.is_seed;
	role.unreadable = added.target_storage->unreadable();
	role.tells_peers = m_defaults.has_pex && !params.ti->priv();
	role.room = m_room;
	role.audience = added.target_storage->audience();
	params.extensions.emplace_back([role](lt::torrent_handle const &torrent, lt::client_data_t) {
		return std::make_shared<swarm_torrent>(torrent, role);
	});
	// Behind the others, since it keeps requests from those that come after it.
	params.extensions.emplace_back(
		[unreadable = added.target_storage->unreadable()](
			lt::torrent_handle const &, lt::client_data_t) { return make_unreadable_plugin(unreadable); });

	auto const save_path = params.save_path;
	entry->is_source = request.is_seed;
	entry->is_receiving = !entry->is_source;
	if (entry->is_receiving)
		m_config.routes->set_receiving(true);
	lt::error_code code;
	entry->handle = m_session->add_torrent(std::move(params), code);
	if (code) {
		m_lobby.withdraw(save_path);
		announce_receiving();
		return make_error(errc::invalid_torrent, "libtorrent refused the torrent: " + code.message());
	}
	m_torrents.emplace(info_hash, std::move(entry));
	addition.claim.reset();
	announce_receiving();
	return added;
}

template <class Call>
result<void> bt_session::on_torrent(std::string const &info_hash, Call &&call)
{
	auto const entry = find(info_hash);
	if (!entry)
		return entry.failure();
	try {
		call(**entry);
	} catch (lt::system_error const &e) {
		return make_error(errc::not_found, "torrent " + info_hash + ": " + e.code().message());
	}
	return {};
}

result<void> bt_session::pause(std::string const &info_hash)
{
	return on_torrent(info_hash, [](torrent_entry &entry) {
		// Only a torrent that runs says that it pauses.
		if (entry.starts_when_checked)
			entry.handle.resume();
		entry.handle.pause();
	});
}

result<void> bt_session::resume(std::string const &info_hash)
{
	return on_torrent(info_hash, [](torrent_entry &entry) {
		entry.handle.clear_error();
		entry.handle.resume();
	});
}

result<void> bt_session::recheck(std::string const &info_hash)
{
	return on_torrent(info_hash, [this](torrent_entry &entry) {
		entry.is_receiving = !entry.is_source;
		entry.awaits_check = true;
		announce_receiving();
		entry.handle.clear_error();
		entry.handle.force_recheck();
	});
}

result<void> bt_session::remove(std::string const &info_hash)
{
	auto const found = m_torrents.find(info_hash);
	if (found == m_torrents.end())
		return make_error(errc::not_found, "no torrent " + info_hash);
	m_removing.push_back(std::move(found->second));
	m_torrents.erase(found);
	m_session->remove_torrent(m_removing.back()->handle);
	return {};
}

result<void> bt_session::reannounce(std::string const &info_hash)
{
	return on_torrent(info_hash, [](torrent_entry &entry) {
		entry.handle.force_reannounce(0, -1, lt::torrent_handle::ignore_min_interval);
		entry.handle.force_lsd_announce();
	});
}

result<void> bt_session::set_limits(std::string const &info_hash, torrent_limits const &limits)
{
	auto const to_int = [](std::uint64_t limit) {
		return static_cast<int>(std::min<std::uint64_t>(limit, std::numeric_limits<int>::max()));
	};
	return on_torrent(info_hash, [&](torrent_entry &entry) {
		entry.handle.set_upload_limit(to_int(limits.up));
		entry.handle.set_download_limit(to_int(limits.down));
	});
}

result<void> bt_session::connect_named_peers(std::string const &info_hash)
{
	return on_torrent(info_hash, [this](torrent_entry &entry) {
		for (auto const &peer : entry.named_peers)
			entry.handle.connect_peer(peer);
		auto const status = entry.handle.status({});
		if (status.list_peers > 0 && status.connect_candidates == 0)
			count_peers_anew(entry.handle);
	});
}

void bt_session::count_peers_anew(lt::torrent_handle const &torrent)
{
	// Of a complete torrent libtorrent leaves out the seeds when it counts the peers worth connecting to.
	// When a check finds that it is not complete after all, it does not count again, and would never connect
	// to one of them. A change of this setting makes it do so.
	auto const limit = m_session->get_settings().get_int(lt::settings_pack::max_failcount);
	for (auto const value : {limit + 1, limit}) {
		lt::settings_pack pack;
		pack.set_int(lt::settings_pack::max_failcount, value);
		m_session->apply_settings(std::move(pack));
	}
	// It looks at the number when something else of the torrent is set.
	torrent.set_max_connections(torrent.max_connections());
}

result<std::vector<peer_row>> bt_session::peers(std::string const &info_hash)
{
	std::vector<lt::peer_info> peers;
	auto const asked =
		on_torrent(info_hash, [&peers](torrent_entry &entry) { entry.handle.get_peer_info(peers); });
	if (!asked)
		return asked.failure();
	std::vector<peer_row> rows;
	rows.reserve(peers.size());
	for (auto const &peer : peers)
		rows.push_back(to_core(peer));
	return rows;
}

result<std::vector<bool>> bt_session::pieces(std::string const &info_hash)
{
	lt::torrent_status status;
	auto const asked = on_torrent(info_hash,
		[&status](torrent_entry &entry) { status = entry.handle.status(lt::torrent_handle::query_pieces); });
	if (!asked)
		return asked.failure();
	std::vector<bool> pieces(static_cast<std::size_t>(std::max(0, status.pieces.size())));
	for (auto const piece : status.pieces.range())
		pieces[static_cast<std::size_t>(static_cast<int>(piece))] = status.pieces.get_bit(piece);
	return pieces;
}

bool bt_session::piece_matches(std::string const &info_hash, disk_job const &job)
{
	auto const entry = find(info_hash);
	return entry && ezio::piece_matches(*(*entry)->info, job);
}

void bt_session::prepare_hash(std::string const &info_hash, disk_job &job)
{
	if (auto const entry = find(info_hash))
		ezio::prepare_hash(*(*entry)->info, job);
}

result<void> bt_session::apply(session_setting const &setting)
{
	lt::settings_pack pack;
	auto const translated = translate_setting(setting, pack, m_defaults);
	if (translated) {
		m_session->apply_settings(std::move(pack));
		m_room->set_pool(m_defaults.receive_pool_bytes);
	}
	return translated;
}

void bt_session::close()
{
	if (m_session == nullptr)
		return;
	// The proxy's destructor joins the network thread, which ends when every job has come back.
	auto const proxy = m_session->abort();
	m_session.reset();
}

} // namespace

result<std::unique_ptr<torrent_session>> make_bt_session(bt_session_config config)
{
	auto session = std::make_unique<bt_session>(std::move(config));
	if (auto const started = session->start(); !started)
		return started.failure();
	return result<std::unique_ptr<torrent_session>>(std::move(session));
}

std::string libtorrent_version()
{
	return lt::version();
}

result<std::string> check_libtorrent_setting(std::string_view key, std::string_view value)
{
	if (auto const passed = check_is_ours_to_pass(key); !passed)
		return passed.failure();
	lt::settings_pack pack;
	if (auto const set = set_libtorrent_setting(pack, key, value); !set)
		return set.failure();
	return std::string(value);
}

} // namespace ezio
