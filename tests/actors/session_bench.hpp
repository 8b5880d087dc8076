#pragma once

#include "actors/admission.hpp"
#include "actors/disk_partition.hpp"
#include "actors/partition_pool.hpp"
#include "actors/session.hpp"
#include "actors/state_keeper.hpp"
#include "actors/timeouts.hpp"
#include "tests/support/fake_block_device.hpp"
#include "tests/support/test_system.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <set>

/// A session actor over real partitions, with the swarm, the disk and the examination of targets played.
namespace ezio::test
{

constexpr std::uint64_t mib = 1024 * 1024;
inline std::string const hash_one(40, '1');
inline std::string const hash_two(40, '2');

/// An addition whose target is a fake: refused if it is /dev/mounted, and that is.
class scripted_addition final : public torrent_addition
{
public:
	scripted_addition(
		std::string info_hash, std::shared_ptr<add_request const> request, bool const &is_mounted)
		: m_request(std::move(request)), m_is_mounted(is_mounted)
	{
		m_outline = {std::move(info_hash), "image", 4 * mib, 4, mib};
	}
	torrent_outline const &outline() const override { return m_outline; }
	result<void> examine() override
	{
		if (is_abandoned())
			return make_error(errc::aborted, "given up");
		if (m_request->target != "/dev/mounted" || !m_is_mounted)
			return {};
		auto e = make_error(errc::target_refused, "it is mounted");
		e.check = "mounted";
		return e;
	}

private:
	std::shared_ptr<add_request const> m_request;
	bool const &m_is_mounted;
	torrent_outline m_outline;
};

/// The swarm's stand-in: what it is told to report, and what it was asked to do.
class scripted_session final : public torrent_session
{
public:
	/// @p journal outlives it: a stopped session is gone, what it was asked is not.
	scripted_session(std::shared_ptr<fake_disk> disk, std::shared_ptr<device_route> route,
		std::vector<std::string> &journal, bool const &mounted)
		: asked(journal), is_mounted(mounted), m_disk(std::move(disk)), m_route(std::move(route))
	{
	}

	void set_wakeup(std::function<void()> wakeup) override { m_wakeup = std::move(wakeup); }
	std::vector<session_fact> collect() override { return std::exchange(m_facts, {}); }
	void request_status() override { asked.push_back("status"); }
	/// The torrent's bytes are its info-hash; without any it is the first one.
	result<std::shared_ptr<torrent_addition>> begin(std::shared_ptr<add_request const> request) override
	{
		auto info_hash = request->torrent.empty() ? hash_one : request->torrent;
		return std::shared_ptr<torrent_addition>(
			std::make_shared<scripted_addition>(std::move(info_hash), std::move(request), is_mounted));
	}
	result<added_torrent> add(torrent_addition &examined, add_request const &request) override
	{
		asked.push_back(request.is_paused ? "add paused" : request.is_check ? "add checking" : "add");
		torrent_file_entry const file{"0", 4 * mib, false};
		added_torrent added;
		added.info_hash = examined.outline().info_hash;
		added.name = "image";
		added.target = request.target;
		added.target_storage = std::make_shared<storage>(storage_id{1}, added.info_hash,
			piece_geometry{4 * mib, mib}, extent_map::build(std::span(&file, 1)).value(),
			std::make_shared<fake_device_claim>(m_disk), m_route);
		added.identity_failure = make_io_error("statx", request.target, 0, 0, ENOENT);
		if (added.info_hash == hash_one)
			target = added.target_storage;
		return added;
	}
	result<void> pause(std::string const &) override { return note("pause"); }
	result<void> resume(std::string const &) override { return note("resume"); }
	result<void> recheck(std::string const &) override { return note("recheck"); }
	result<void> remove(std::string const &) override { return note("remove"); }
	result<void> reannounce(std::string const &) override { return note("reannounce"); }
	result<void> set_limits(std::string const &, torrent_limits const &limits) override
	{
		return note("limits " + std::to_string(limits.up) + " " + std::to_string(limits.down));
	}
	result<void> connect_named_peers(std::string const &) override { return note("connect"); }
	result<std::vector<peer_row>> peers(std::string const &) override { return std::vector<peer_row>(2); }
	result<std::vector<bool>> pieces(std::string const &) override { return pieces_now; }
	bool piece_matches(std::string const &, disk_job const &job) override
	{
		auto const bytes = m_disk->bytes(static_cast<std::uint64_t>(to_int(job.piece)) * mib, mib);
		auto const right = wanted ? sha1_of(std::vector(mib, *wanted)) : sha1_of(bytes);
		return job.sha1 == right && to_int(job.piece) != wrong_piece;
	}
	void prepare_hash(std::string const &, disk_job &job) override { job.want_sha1 = true; }
	result<void> apply(session_setting const &setting) override
	{
		return note("set " + setting.key + " " + setting.value);
	}
	std::uint16_t listen_port() override { return 6881; }
	void close() override
	{
		asked.push_back("close");
		for (auto &fact : at_close)
			report(std::move(fact));
		at_close.clear();
	}

	void report(session_fact fact)
	{
		fact.info_hash = hash_one;
		m_facts.push_back(std::move(fact));
		m_wakeup();
	}
	void report(session_fact::kind what)
	{
		session_fact fact;
		fact.what = what;
		report(std::move(fact));
	}
	void report_status(bool is_complete, std::uint32_t peers = 1, std::uint32_t seeds = 0)
	{
		session_fact fact;
		fact.what = session_fact::kind::status;
		fact.status.is_complete = is_complete;
		fact.status.peers = peers;
		fact.status.seeds = seeds;
		report(std::move(fact));
	}
	bool was_asked(std::string const &what) const
	{
		return std::find(asked.begin(), asked.end(), what) != asked.end();
	}

	std::vector<std::string> &asked;
	bool const &is_mounted;
	std::shared_ptr<storage> target;
	std::int32_t wrong_piece = -1;
	std::optional<std::byte> wanted; ///< the torrent's content; without it, whatever is on the disk
	std::vector<bool> pieces_now = std::vector<bool>(4);
	std::vector<session_fact> at_close; ///< what comes out only while the session closes

private:
	result<void> note(std::string what)
	{
		asked.push_back(std::move(what));
		return {};
	}

	std::shared_ptr<fake_disk> m_disk;
	std::shared_ptr<device_route> m_route;
	std::vector<session_fact> m_facts;
	std::function<void()> m_wakeup;
};

/// A write to the device has failed for good.
inline session_fact failed_write()
{
	session_fact fact;
	fact.what = session_fact::kind::disk_error;
	fact.failure = make_io_error("pwritev", "/dev/fake0", 0, 16384, EIO);
	fact.is_fatal = true;
	return fact;
}

/// Remembers what it was told to keep.
class remembering_store final : public resume_store
{
public:
	result<void> save(kept_torrent const &torrent) override
	{
		if (failure)
			return *failure;
		kept[torrent.info_hash] = torrent;
		++saves;
		return {};
	}
	result<void> erase(std::string const &info_hash) override
	{
		kept.erase(info_hash);
		return {};
	}

	std::map<std::string, kept_torrent> kept;
	int saves = 0;
	std::optional<error> failure;
};

/// A session actor over two real partitions on a fake disk, all moved by the test.
struct session_bench {
	session_bench()
	{
		arena = std::move(block_arena::create(1024, 1024)).value();
		disk = std::make_shared<fake_disk>("/dev/fake0", 4 * mib, std::make_shared<fault_plan>());
		for (std::uint32_t i = 0; i < 2; ++i) {
			disk_partition_config config;
			config.index = i;
			config.arena = arena.get();
			config.hashers = &hashers;
			config.stats = stats[i];
			partitions.push_back(world.system().spawn(disk_partition, config));
			ports.push_back(make_partition_port(partitions.back(), stats[i]));
		}
		router.hold();
		router.release(ports);
		auto config = std::make_shared<session_config>();
		auto scripted = std::make_unique<scripted_session>(disk, route, asked, is_mounted);
		swarm = scripted.get();
		config->session = std::move(scripted);
		config->admissions = {[this](std::string const &target) { return open_gate(target); },
			[this](admission_actor const &gate) {
				++gates_retired;
				caf::anon_send(gate, stop_atom::value);
			}};
		keeper = world.system().spawn(state_keeper, store);
		config->keeper = keeper;
		config->checkpoints = {std::chrono::seconds(0), 2 * mib};
		actor = world.system().spawn(session, config);
		watcher = world.system().spawn([this](caf::event_based_actor *self) -> caf::behavior {
			self->join(self->system().groups().get_local(bus_name));
			return {[this](event const &e) { events.push_back(e); }, [self](stop_atom) { self->quit(); }};
		});
		world.run();
	}
	~session_bench()
	{
		if (!is_stopped)
			world.ask<void_reply>(actor, stop_atom::value);
		caf::anon_send(keeper, stop_atom::value);
		for (auto const &partition : partitions)
			world.ask<void_reply>(partition, stop_atom::value);
		caf::anon_send(watcher, stop_atom::value);
		world.run();
		router.hold();
		router.release({});
		ports.clear();
		partitions.clear();
		held.clear();
		gates.clear();
		actor = nullptr;
		keeper = nullptr;
		watcher = nullptr;
	}

	/// One that examines, or, for a target that hangs, one that keeps what it is to examine until the test
	/// lets it go on.
	admission_actor open_gate(std::string const &target)
	{
		++gates_opened;
		if (!hanging.contains(target))
			return world.system().spawn(admission);
		auto gate = world.system().spawn([this](caf::event_based_actor *self) -> caf::behavior {
			return {
				[this, self](admit_atom, addition_ptr &addition) -> caf::result<void_reply> {
					auto promise = self->make_response_promise<void_reply>();
					held.push_back([promise, mine = std::move(addition)]() mutable {
						auto const outcome = mine->examine();
						mine.reset();
						promise.deliver(outcome);
					});
					return promise;
				},
				// Only an actor that runs can answer.
				[this](flush_atom) {
					for (auto &examination : std::exchange(held, {}))
						examination();
				},
				[self](stop_atom) { self->quit(); },
			};
		});
		gates.push_back(gate);
		return caf::actor_cast<admission_actor>(gate);
	}
	/// The devices that hang answer.
	void let_go()
	{
		for (auto const &gate : std::exchange(gates, {}))
			caf::anon_send(gate, flush_atom::value);
		world.run();
	}
	using answer_to_add = std::shared_ptr<test_system::answer<text_reply>>;
	answer_to_add ask_to_add(add_request const &request)
	{
		return world.ask<text_reply>(actor, add_atom::value, request);
	}
	std::vector<torrent_row> rows()
	{
		auto const answer = world.ask<rows_reply>(actor, status_atom::value);
		REQUIRE(answer->value);
		REQUIRE(*answer->value);
		return **answer->value;
	}

	text_reply add(std::string const &target = "/dev/fake0")
	{
		add_request request;
		request.target = target;
		auto const answer = world.ask<text_reply>(actor, add_atom::value, request);
		REQUIRE(answer->value);
		return *answer->value;
	}
	torrent_row row()
	{
		auto const answer = world.ask<rows_reply>(actor, status_atom::value);
		REQUIRE(answer->value);
		REQUIRE((*answer->value)->size() == 1);
		return (*answer->value)->front();
	}
	void_reply stop()
	{
		is_stopped = true;
		auto const answer = world.ask<void_reply>(actor, stop_atom::value);
		REQUIRE(answer->value);
		return *answer->value;
	}
	template <class Atom>
	void_reply tell(Atom verb)
	{
		auto const answer = world.ask<void_reply>(actor, verb, hash_one);
		REQUIRE(answer->value);
		return *answer->value;
	}
	std::vector<std::string> states() const
	{
		std::vector<std::string> seen;
		for (auto const &e : events) {
			if (e.kind == event_kind::torrent_state)
				seen.push_back(e.new_value);
		}
		return seen;
	}
	std::size_t count(event_kind kind) const
	{
		return static_cast<std::size_t>(
			std::count_if(events.begin(), events.end(), [kind](event const &e) { return e.kind == kind; }));
	}
	/// The swarm has these pieces of 1 MiB now, and time has passed.
	void receive(std::vector<bool> pieces)
	{
		session_fact fact;
		fact.what = session_fact::kind::status;
		fact.status.done_bytes =
			mib * static_cast<std::uint64_t>(std::count(pieces.begin(), pieces.end(), true));
		fact.status.peers = 1;
		swarm->pieces_now = std::move(pieces);
		swarm->report(std::move(fact));
		world.run();
		world.pass(timeouts::status_interval);
	}
	kept_torrent const &kept()
	{
		world.run();
		REQUIRE(store->kept.contains(hash_one));
		return store->kept[hash_one];
	}
	void complete_and_sync()
	{
		swarm->report_status(false);
		swarm->report_status(true);
		world.run();
	}
	/// The same, but partitions see the flush only when the test releases the router.
	void complete_and_hold_sync()
	{
		router.hold();
		complete_and_sync();
		REQUIRE(row().state == torrent_state::syncing);
	}

	std::vector<std::string> asked; ///< of the session, in order
	bool is_mounted = true;         ///< /dev/mounted
	std::set<std::string> hanging;  ///< targets
	int gates_opened = 0;
	int gates_retired = 0;
	inline_hash_dispatcher hashers;
	std::unique_ptr<block_arena> arena;
	std::shared_ptr<fake_disk> disk;
	std::shared_ptr<partition_stats> stats[2]{
		std::make_shared<partition_stats>(), std::make_shared<partition_stats>()};
	test_system world;
	std::vector<disk_partition_actor> partitions;
	partition_ports ports;
	std::shared_ptr<device_route> route = std::make_shared<device_route>(disk_identity{});
	job_router &router = route->router();
	scripted_session *swarm = nullptr;
	std::shared_ptr<remembering_store> store = std::make_shared<remembering_store>();
	state_keeper_actor keeper;
	session_actor actor;
	caf::actor watcher;
	std::vector<event> events;
	bool is_stopped = false;
	std::vector<caf::actor> gates;           ///< of targets that hang
	std::vector<std::function<void()>> held; ///< examinations of those targets
};

} // namespace ezio::test
