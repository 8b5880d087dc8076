#include "daemon/eziod.hpp"

#include "actors/admission.hpp"
#include "actors/bt/bt_session.hpp"
#include "actors/bt/torrent_file.hpp"
#include "actors/caf_error.hpp"
#include "actors/control.hpp"
#include "actors/core/target_check.hpp"
#include "actors/event_outlet.hpp"
#include "actors/hasher.hpp"
#include "actors/partition_pool.hpp"
#include "actors/session.hpp"
#include "actors/settings.hpp"
#include "actors/state_keeper.hpp"
#include "actors/stats.hpp"
#include "config/text_checks.hpp"
#include "ctl/wire/protocol.hpp"
#include "daemon/boot_torrents.hpp"
#include "daemon/control_socket.hpp"
#include "daemon/kept_torrents.hpp"
#include "daemon/live_settings.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/metrics_endpoint.hpp"
#include "daemon/metrics_source.hpp"
#include "daemon/sizing.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

namespace ezio
{

namespace
{

struct caf_config : caf::actor_system_config {
	caf_config()
	{
		// The default policy, stealing, polls: 18 to 30 % of a CPU at a message a millisecond.
		set("scheduler.policy", caf::atom("sharing"));
		set("scheduler.max-threads", std::size_t{2});
	}
};

/// The control actor, for the socket that is open before it exists.
class control_gate
{
public:
	void open(control_actor actor)
	{
		std::lock_guard const lock(m_mutex);
		m_actor = std::move(actor);
	}
	control_actor actor() const
	{
		std::lock_guard const lock(m_mutex);
		return m_actor;
	}

private:
	mutable std::mutex m_mutex;
	control_actor m_actor; ///< guarded by m_mutex
};

std::string caf_version()
{
	return std::to_string(CAF_MAJOR_VERSION) + "." + std::to_string(CAF_MINOR_VERSION) + "." +
		std::to_string(CAF_PATCH_VERSION);
}

direct_io_mode direct_io_of(configuration const &config)
{
	auto const &word = config.text("direct-io");
	if (word == "on")
		return direct_io_mode::on;
	return word == "off" ? direct_io_mode::off : direct_io_mode::automatic;
}

} // namespace

foreign_key_check libtorrent_keys()
{
	return [](std::string_view key, std::string_view value, foreign_kind) {
		return check_libtorrent_setting(key, value);
	};
}

/// Destroyed last to first, after stop(): what actors use stands before the actor system.
struct eziod::impl {
	configuration config;
	std::string config_path;
	std::function<void()> wake;
	machine here = machine::here();
	std::shared_ptr<spdlog::logger> log = component_log("daemon");
	std::atomic<bool> must_stop{false};

	std::unique_ptr<block_arena> arena;
	std::shared_ptr<io_engine_choice> engines;
	std::unique_ptr<device_registry> devices;

	caf_config actor_config;
	caf::actor_system system{actor_config};
	std::unique_ptr<hasher_pool> hashers;
	std::string kernel_in_force; ///< of many pieces, as a word of hashing-simd
	std::unique_ptr<partition_pool> partitions;
	supervisor_actor supervisor;
	session_actor session;
	std::shared_ptr<resume_files> state; ///< null: nothing is kept
	state_keeper_actor keeper;           ///< none if there is no state
	std::set<std::string> restored;      ///< info-hashes of the last run
	settings_actor settings;
	stats_actor stats;
	control_gate gate;
	std::unique_ptr<control_socket> socket;
	std::unique_ptr<metrics_endpoint> metrics;
	std::thread prefault;

	impl(configuration with, std::string path, std::function<void()> on_wake)
		: config(std::move(with)), config_path(std::move(path)), wake(std::move(on_wake))
	{
	}

	result<void> start();
	result<void> start_socket();
	result<void> read_clients_again();
	result<void> open_state();
	result<void> restore_torrents();
	result<void> make_hashers();
	result<void> make_devices();
	void apply_hashing(hash_sizes const &sizes);
	result<void> start_session();
	void start_partitions();
	result<void> start_metrics();
	result<void> listen_for_metrics(std::string const &address);
	void start_settings();
	void start_control();
	void add_torrents();
	template <class Actor>
	void watch(child_role role, std::string name, Actor const &actor);
	void ask_to_stop();
	std::string partitions_now() const;
	result<void> set_in_session(session_setting const &setting);
	void handle(control_request request, std::function<void(control_reply)> answer);
};

template <class Actor>
void eziod::impl::watch(child_role role, std::string name, Actor const &actor)
{
	caf::anon_send(
		supervisor, watch_atom::value, child{role, std::move(name), caf::actor_cast<caf::actor>(actor)});
}

void eziod::impl::ask_to_stop()
{
	must_stop = true;
	wake();
}

std::string eziod::impl::partitions_now() const
{
	std::string text;
	for (auto const &device : partitions->numbers().devices)
		text += (text.empty() ? "" : ", ") + std::to_string(device.partitions) + " on " + device.name;
	return text;
}

/// On the settings actor's own thread, which may wait.
result<void> eziod::impl::set_in_session(session_setting const &setting)
{
	result<void> outcome;
	caf::scoped_actor self{system};
	self->request(session, timeouts::session_request, setting_atom::value, setting)
		.receive([&outcome](void_reply const &reply) { outcome = reply; },
			[&outcome](caf::error const &failure) { outcome = from_caf(failure, "the session"); });
	return outcome;
}

void eziod::impl::handle(control_request request, std::function<void(control_reply)> answer)
{
	auto const control = gate.actor();
	if (!control)
		return answer(make_error(errc::aborted, "the daemon is starting"));
	ask_control(system, control, std::move(request), std::move(answer));
}

result<void> eziod::impl::start_socket()
{
	auto const access = parse_ipc_access(config.text("socket-mode"), config.text("socket-group"));
	if (!access)
		return access.failure();
	auto curve = read_curve_access(config.text("curve-secret-key"), config.text("authorized-keys"));
	if (!curve)
		return curve.failure();
	if (*curve)
		component_log("control")->info("{} keys are let in over tcp", (*curve)->clients.size());
	auto opened = control_socket::open(
		{config.text("endpoint"), config.text("events-endpoint"), *access, std::move(*curve)},
		[this](control_request request, std::function<void(control_reply)> answer) {
			handle(std::move(request), std::move(answer));
		});
	if (!opened)
		return opened.failure();
	socket = std::move(*opened);
	return {};
}

/// On the settings actor's thread. A list that cannot be read leaves the old one in force.
result<void> eziod::impl::read_clients_again()
{
	auto clients = access_list::read(config.text("authorized-keys"));
	if (!clients)
		return clients.failure();
	component_log("control")->info("{} keys are let in over tcp", clients->size());
	socket->set_clients(std::move(*clients));
	return {};
}

/// Before anything else is touched: another daemon may have the directory.
result<void> eziod::impl::open_state()
{
	std::string why;
	auto opened = open_state_directory(config, why);
	if (!opened)
		return opened.failure();
	state = std::move(*opened);
	if (state == nullptr)
		log->warn("a restart will not go on with the torrents of this run: {}", why);
	return {};
}

/// Goes on with the torrents of the last run, before anybody can ask for them. What cannot be read or added
/// stays where it is, for the next start.
result<void> eziod::impl::restore_torrents()
{
	if (state == nullptr)
		return {};
	auto const kept = state->load();
	if (!kept)
		return kept.failure();
	auto const warn = [this](std::string const &info_hash, std::string text, error const &why) {
		auto e = make_event(event_kind::warning, info_hash, std::move(text) + ": " + to_string(why));
		e.failure = why;
		publish(system, std::move(e));
	};
	for (auto const &fault : kept->faults)
		warn({}, "a torrent of the last run is lost", fault);
	for (auto const &torrent : kept->torrents) {
		restored.insert(torrent.info_hash);
		// A failure is the session's to show. Ahead of every request: who asks for its torrents finds them
		// all.
		caf::anon_send(session, add_atom::value, to_add_request(torrent));
	}
	return {};
}

result<void> eziod::impl::make_hashers()
{
	auto plan = hash_plan::make(config.text("hashing-simd"));
	if (!plan)
		return plan.failure();
	auto const report = component_log("hash");
	for (auto const &rate : (*plan)->rates())
		report->debug("{}: SHA-1 {:.2f} GB/s, SHA-256 {:.2f} GB/s", rate.kernel->name,
			rate.sha1_bytes_per_second / 1e9, rate.sha256_bytes_per_second / 1e9);
	auto const &lanes = (*plan)->choose(sha_kind::sha1, sha_lanes_max);
	report->info("hashing one piece by {}, many by {}", (*plan)->choose(sha_kind::sha1, 1).name, lanes.name);
	kernel_in_force = lanes.family;
	hashers = std::make_unique<hasher_pool>(system, std::move(*plan));
	return {};
}

void eziod::impl::apply_hashing(hash_sizes const &sizes)
{
	hashers->set_limits(sizes.collecting);
	hashers->resize(sizes.hashers);
}

result<void> eziod::impl::make_devices()
{
	auto const engine = io_engine_from_string(config.text("io-engine"));
	if (!engine)
		return engine.failure();
	engines = std::make_shared<io_engine_choice>(*engine, [report = component_log("disk")](error const &why) {
		report->warn("io_uring is not used, threads wait for each transfer: {}", to_string(why));
	});
	registry_options options;
	options.direct = direct_io_of(config);
	options.engines = engines;
	devices = make_device_registry(std::move(options));
	return {};
}

void eziod::impl::start_partitions()
{
	partition_pool_config own;
	own.arena = arena.get();
	own.hashers = hashers.get();
	own.on_birth = [this](std::string const &name, disk_partition_actor const &partition) {
		watch(child_role::partition, name, partition);
	};
	own.on_retirement = [this](disk_partition_actor const &partition) {
		caf::anon_send(supervisor, retire_atom::value, caf::actor_cast<caf::actor>(partition));
	};
	partitions = std::make_unique<partition_pool>(system, std::move(own), disk_budget_of(config, here));
}

result<void> eziod::impl::start_session()
{
	bt_session_config own;
	own.arena = arena.get();
	own.routes = partitions.get();
	own.devices = devices.get();
	rate_policy rates;
	for (auto &setting : session_settings(config)) {
		if (!rate_policy::owns(setting)) {
			own.settings.push_back(std::move(setting));
			continue;
		}
		if (auto const taken = rates.set(setting); !taken)
			return taken.failure();
	}
	auto made = make_bt_session(std::move(own));
	if (!made)
		return made.failure();
	auto parts = std::make_shared<session_config>();
	parts->session = std::move(*made);
	parts->admissions.spawn = [this](std::string const &target) {
		auto examiner = system.spawn<caf::detached>(ezio::admission);
		watch(child_role::admission, "the examination of " + target, examiner);
		return examiner;
	};
	parts->admissions.retire = [this](admission_actor const &examiner) {
		caf::anon_send(supervisor, retire_atom::value, caf::actor_cast<caf::actor>(examiner));
	};
	parts->keeper = keeper;
	parts->checkpoints = checkpoint_limits_of(config);
	parts->verifying = verify_rate_of(config);
	parts->rates = std::move(rates);
	session = system.spawn<caf::detached>(ezio::session, std::move(parts));
	watch(child_role::session, "session", session);
	return {};
}

/// Before the settings, which may change the address.
result<void> eziod::impl::start_metrics()
{
	metrics = std::make_unique<metrics_endpoint>([this] {
		auto taken = take_metrics(system, session, stats);
		taken.version = EZIO_VERSION;
		taken.libtorrent = libtorrent_version();
		taken.caf = caf_version();
		return taken;
	});
	return listen_for_metrics(config.text("metrics-listen"));
}

result<void> eziod::impl::listen_for_metrics(std::string const &address)
{
	auto const listening = metrics->listen(address);
	if (!listening || address.empty())
		return listening;
	component_log("stats")->info("metrics on http://{}/metrics", address);
	if (is_metrics_address_outside(address))
		component_log("stats")->warn("whoever reaches {} can read names and targets of all torrents there: "
									 "metrics ask for no password",
			address);
	return {};
}

void eziod::impl::start_settings()
{
	settings_context context;
	context.config_path = config_path;
	context.on = here;
	context.arena_blocks_max = arena->blocks_max();
	settings_targets targets;
	targets.disk = [this](disk_budget const &budget) {
		arena->set_capacity(budget.capacity_blocks);
		partitions->set_budget(budget);
	};
	targets.partitions = [this](disk_budget const &budget) { return partitions->resize(budget); };
	targets.partitions_now = [this] { return partitions_now(); };
	targets.engine = [this](io_engine wanted) { engines->choose(wanted); };
	targets.engine_in_force = [this] { return engines->in_force(); };
	targets.kernel_in_force = [this] { return kernel_in_force; };
	targets.hashers = [this](hash_sizes const &sizes) { apply_hashing(sizes); };
	targets.checkpoints = [this](checkpoint_limits const &limits) {
		caf::anon_send(session, limits_atom::value, limits);
	};
	targets.verifying = [this](verify_rate rate) { caf::anon_send(session, limits_atom::value, rate); };
	targets.log = set_log_levels;
	if (!config.text("curve-secret-key").empty())
		targets.clients = [this] { return read_clients_again(); };
	targets.session = [this](session_setting const &setting) { return set_in_session(setting); };
	targets.metrics = [this](std::string const &address) { return listen_for_metrics(address); };
	targets.publish = [this](event e) { publish(system, std::move(e)); };
	targets.foreign = libtorrent_keys();
	std::shared_ptr<settings_service> service =
		std::make_shared<live_settings>(config, std::move(context), std::move(targets));
	settings = system.spawn<caf::detached>(ezio::settings, std::move(service));
	watch(child_role::settings, "settings", settings);
}

void eziod::impl::start_control()
{
	control_config own;
	own.session = session;
	own.settings = settings;
	own.stats = stats;
	own.version.version = EZIO_VERSION;
	own.version.protocol = wire::protocol_version;
	own.version.libtorrent = libtorrent_version();
	own.version.caf = caf_version();
	own.version.pid = getpid();
	own.version.events_endpoint = socket->events_endpoint();
	own.request_shutdown = [this] { ask_to_stop(); };
	auto const control = system.spawn(ezio::control, std::move(own));
	watch(child_role::control, "control", control);
	gate.open(control);
}

void eziod::impl::add_torrents()
{
	for (auto const &entry : config.torrents()) {
		auto const failed = [this, file = entry.file, target = entry.target](error const &e) {
			auto const text = "the torrent " + file + " of the configuration was not added to " + target;
			auto report = make_event(event_kind::warning, {}, text);
			report.failure = e;
			publish(system, std::move(report));
		};
		auto request = to_add_request(entry);
		if (!request) {
			failed(request.failure());
			continue;
		}
		// One of the last run goes on as it was then.
		if (auto const known = parse_torrent(request->torrent); known && restored.contains(known->info_hash))
			continue;
		ask_control(system, gate.actor(), {std::move(*request)}, [failed](control_reply const &reply) {
			if (!reply)
				failed(reply.failure());
		});
	}
}

result<void> eziod::impl::start()
{
	// First: whoever finds another daemon there has touched nothing else.
	auto const bound = start_socket();
	if (!bound)
		return bound.failure();
	auto const with_state = open_state();
	if (!with_state)
		return with_state.failure();
	auto const with_hashers = make_hashers();
	if (!with_hashers)
		return with_hashers.failure();
	auto made =
		block_arena::create(disk_budget_of(config, here).capacity_blocks, arena_blocks_max(config, here));
	if (!made)
		return made.failure();
	arena = std::move(*made);
	auto const with_devices = make_devices();
	if (!with_devices)
		return with_devices.failure();

	supervisor = system.spawn(ezio::supervisor,
		supervisor_config{component_log("supervisor"), [this](std::string const &) { ask_to_stop(); }});
	watch(child_role::event_logger, "event_logger",
		join_bus(system, system.spawn(event_logger, component_log("events"))));
	watch(child_role::event_outlet, "event_outlet",
		join_bus(
			system, system.spawn(event_outlet, [out = socket.get()](std::uint64_t sequence, event const &e) {
				out->publish(sequence, e);
			})));

	apply_hashing(hash_sizes_of(config, here));
	start_partitions();
	stats = join_bus(system,
		system.spawn(ezio::stats,
			stats_sources{
				arena.get(), [this] { return partitions->numbers(); }, [this] { return hashers->stats(); }}));
	watch(child_role::stats, "stats", stats);
	if (state != nullptr) {
		keeper = system.spawn<caf::detached>(ezio::state_keeper, std::shared_ptr<resume_store>(state));
		watch(child_role::state_keeper, "state_keeper", keeper);
	}
	auto const with_session = start_session();
	if (!with_session)
		return with_session.failure();
	// Before those of the configuration, which are often the same ones.
	auto const gone_on = restore_torrents();
	if (!gone_on)
		return gone_on.failure();
	auto const with_metrics = start_metrics();
	if (!with_metrics)
		return with_metrics.failure();
	start_settings();
	start_control();
	auto const cache_bytes = std::uint64_t{arena->capacity_blocks()} * block_bytes;
	if (here.available_bytes != 0 && cache_bytes > here.available_bytes)
		log->warn("cache-size is {} MiB, and {} MiB of memory are available", cache_bytes >> 20,
			here.available_bytes >> 20);
	prefault = std::thread([this, blocks = prefault_blocks(config, here)] { arena->prefault(blocks); });
	add_torrents();
	publish(system, make_event(event_kind::daemon_started, {}, "eziod " EZIO_VERSION " has started"));
	log->info("control on {}, events on {}, {} hashers, I/O by {}", socket->endpoint(),
		socket->events_endpoint(), hashers->size(), engines->in_force());
	return {};
}

eziod::eziod(std::unique_ptr<impl> parts) : m_impl(std::move(parts)) {}

eziod::~eziod() = default;

result<std::unique_ptr<eziod>> eziod::start(
	configuration config, std::string config_path, std::function<void()> wake)
{
	auto daemon = std::unique_ptr<eziod>(
		new eziod(std::make_unique<impl>(std::move(config), std::move(config_path), std::move(wake))));
	auto const started = daemon->m_impl->start();
	if (started)
		return daemon;
	auto const report = daemon->stop();
	if (!report.not_ended.empty())
		// Their threads still use it.
		[[maybe_unused]]
		auto *const left = daemon.release();
	return started.failure();
}

bool eziod::must_stop() const
{
	return m_impl->must_stop;
}

void eziod::reload(std::function<void()> done)
{
	auto const log = m_impl->log;
	ask_control(m_impl->system, m_impl->gate.actor(), {reload_request{}},
		[log, done = std::move(done)](control_reply const &reply) {
			if (!reply) {
				log->error("reload: {}", to_string(reply.failure()));
				return done();
			}
			auto const &report = std::get<reload_report>(*reply);
			for (auto const &change : report.applied)
				log->info("reload: {} changed from \"{}\" to \"{}\"", change.key, change.old_value,
					change.new_value);
			for (auto const &change : report.needs_restart)
				log->warn("reload: {} changes from \"{}\" to \"{}\" when the daemon is restarted", change.key,
					change.old_value, change.new_value);
			if (report.applied.empty() && report.needs_restart.empty())
				log->info("reload: nothing has changed");
			done();
		});
}

stop_report eziod::stop()
{
	stop_report report;
	auto &parts = *m_impl;
	// Beside the rest: a client that hangs there must not hold up what is to be written.
	std::thread closing([&parts] {
		if (parts.metrics != nullptr)
			parts.metrics->close();
	});
	if (parts.supervisor) {
		publish(parts.system, make_event(event_kind::daemon_stopping, {}, "eziod stops"));
		caf::scoped_actor self{parts.system};
		self->request(parts.supervisor, timeouts::stop_all, stop_atom::value)
			.receive([&report](stop_report const &came) { report = came; },
				[&report](caf::error const &failure) {
					report.failures.push_back(from_caf(failure, "the supervisor"));
					report.not_ended.emplace_back("supervisor");
				});
	}
	closing.join();
	if (parts.prefault.joinable())
		parts.prefault.join();
	parts.socket.reset();
	parts.gate.open(control_actor());
	return report;
}

} // namespace ezio
