#include "daemon/live_settings.hpp"

#include "actors/core/sha_lanes.hpp"
#include "config/schema.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace ezio;

namespace
{

struct fixture {
	std::filesystem::path directory;
	std::vector<disk_budget> budgets;
	std::vector<disk_budget> partitions;
	partition_change partition_outcome{true, std::nullopt};
	std::string partitions_now;
	std::vector<hash_sizes> hashers;
	std::vector<io_engine> engines;
	std::string engine_in_force = "uring with direct I/O";
	std::vector<std::string> levels;
	std::vector<std::uint64_t> verify_rates;
	std::vector<std::string> session;
	std::vector<std::string> metrics;
	std::optional<error> metrics_failure;
	std::vector<std::string> published;
	std::optional<error> session_failure;
	std::vector<std::string> foreign_keys; ///< of libtorrent, as far as a test knows them
	std::unique_ptr<live_settings> settings;

	fixture()
	{
		std::string pattern = "/tmp/ezio_live_settings.XXXXXX";
		REQUIRE(mkdtemp(pattern.data()) != nullptr);
		directory = pattern;
		write("");
		settings_context context{directory / "ezio.toml", {4, std::uint64_t{1} << 30}, 65536};
		settings_targets targets;
		targets.disk = [this](disk_budget const &b) { budgets.push_back(b); };
		targets.partitions = [this](disk_budget const &b) {
			partitions.push_back(b);
			return partition_outcome;
		};
		targets.partitions_now = [this] { return partitions_now; };
		targets.engine = [this](io_engine wanted) { engines.push_back(wanted); };
		targets.engine_in_force = [this] { return engine_in_force; };
		targets.kernel_in_force = [] { return "avx2"; };
		targets.hashers = [this](hash_sizes const &hashing) { hashers.push_back(hashing); };
		targets.verifying = [this](verify_rate rate) { verify_rates.push_back(rate.bytes_per_second); };
		targets.log = [this](std::string const &level, std::vector<std::string> const &) -> result<void> {
			levels.push_back(level);
			return {};
		};
		targets.session = [this](session_setting const &s) -> result<void> {
			if (session_failure)
				return *session_failure;
			session.push_back(s.key + "=" + s.value);
			return {};
		};
		targets.metrics = [this](std::string const &address) -> result<void> {
			if (metrics_failure)
				return *metrics_failure;
			metrics.push_back(address);
			return {};
		};
		targets.foreign = [this](std::string_view key, std::string_view value,
							  foreign_kind) -> result<std::string> {
			if (std::find(foreign_keys.begin(), foreign_keys.end(), key) == foreign_keys.end())
				return make_error(errc::unknown_key, "no such key");
			return std::string(value);
		};
		targets.publish = [this](event const &e) { published.push_back(e.key + "=" + e.new_value); };
		settings = std::make_unique<live_settings>(configuration(), std::move(context), std::move(targets));
	}
	~fixture() { std::filesystem::remove_all(directory); }

	void write(std::string const &text) { std::ofstream(directory / "ezio.toml") << text; }
	std::string effective(std::string const &key) { return settings->rows({key}).value().at(0).effective; }
};

using strings = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(fixture, "a live key is applied, published and in force")
{
	auto const change = settings->set("cache-size", "1024", false);
	REQUIRE(change);
	CHECK(change->is_active);
	CHECK(change->old_value == "512");
	REQUIRE(budgets.size() == 1);
	CHECK(budgets[0].capacity_blocks == 65536);
	CHECK(budgets[0].dirty_bytes == 256 * 1024 * 1024);
	CHECK_FALSE(budgets[0].partitions);
	CHECK(budgets[0].cores == 4);
	CHECK(published == strings{"cache-size=1024"});
	CHECK(effective("cache-size") == "1024");
}

TEST_CASE_METHOD(fixture, "dirty-limit is of all devices together, a quarter of the cache by itself")
{
	REQUIRE(settings->set("dirty-limit", "100", false));
	CHECK(budgets.back().dirty_bytes == 100 * 1024 * 1024);
	REQUIRE(settings->set("dirty-limit", "auto", false));
	CHECK(budgets.back().dirty_bytes == 128 * 1024 * 1024);
	CHECK(effective("dirty-limit") == "auto (128)");
}

TEST_CASE_METHOD(fixture, "retries and the rate of verifications change at once")
{
	REQUIRE(settings->set("retry-limit", "7", false));
	REQUIRE(settings->set("retry-delay", "30", false));
	CHECK(budgets.back().limits.retries == retry_limits{7, std::chrono::milliseconds(30)});
	REQUIRE(settings->set("verify-rate", "2MiB/s", false));
	CHECK(verify_rates == std::vector<std::uint64_t>{2 * 1024 * 1024});
	CHECK(budgets.size() == 2);
}

TEST_CASE_METHOD(fixture, "the address of metrics changes at once, or stays as it was")
{
	REQUIRE(settings->set("metrics-listen", "127.0.0.1:9417", false));
	metrics_failure = make_error(errc::unsupported, "taken");
	CHECK(settings->set("metrics-listen", "127.0.0.1:80", false).failure().message == "taken");
	CHECK(effective("metrics-listen") == "127.0.0.1:9417");
	metrics_failure.reset();
	REQUIRE(settings->set("metrics-listen", "", false));
	CHECK(metrics == strings{"127.0.0.1:9417", ""});
}

TEST_CASE_METHOD(fixture, "what may hold a secret is not published")
{
	foreign_keys = {"proxy_password"};
	REQUIRE(settings->set("proxy_password", "open-sesame", false));
	CHECK(published == strings{"proxy_password=(hidden)"});
	CHECK(settings->rows({"proxy_password"}).value().at(0).value == "open-sesame");
}

TEST_CASE_METHOD(fixture, "what a connection may hold follows cache-size and max-connections")
{
	REQUIRE(settings->set("cache-size", "64", false));
	CHECK(session ==
		strings{"send_buffer_watermark=524288", "send_buffer_low_watermark=524288", "receive-pool=12582912"});
	session.clear();
	REQUIRE(settings->set("coalesce-delay", "7", false));
	CHECK(session.empty());
	REQUIRE(settings->set("max-connections", "20", false));
	CHECK(std::find(session.begin(), session.end(), "send_buffer_watermark=4194304") != session.end());
	CHECK(session.back() == "max-connections=20");
}

TEST_CASE_METHOD(fixture, "what the operator has set for connections stays as it is")
{
	foreign_keys = {"send_buffer_watermark"};
	REQUIRE(settings->set("libtorrent.send_buffer_watermark", "1048576", false));
	session.clear();
	REQUIRE(settings->set("cache-size", "64", false));
	CHECK(session == strings{"send_buffer_low_watermark=524288", "receive-pool=12582912"});

	configuration config;
	config.assign_foreign("recv_socket_buffer_size", "1234");
	std::vector<std::string> received;
	for (auto const &setting : session_settings(config)) {
		if (setting.key == "recv_socket_buffer_size" || setting.key == "receive-pool")
			received.push_back(setting.key + "=" + setting.value);
	}
	CHECK(received == strings{"recv_socket_buffer_size=1234"});
}

TEST_CASE_METHOD(fixture, "a session that refuses its share keeps cache-size as it was")
{
	session_failure = make_error(errc::io_error, "no");
	CHECK_FALSE(settings->set("cache-size", "64", false));
	CHECK(budgets.empty());
	CHECK(effective("cache-size") == "512");
}

TEST_CASE_METHOD(fixture, "a cache beyond the reserved addresses is refused and nothing changes")
{
	CHECK(settings->set("cache-size", "1025", false).failure().code == errc::out_of_range);
	CHECK(budgets.empty());
	CHECK(session.empty());
	CHECK(published.empty());
	CHECK(effective("cache-size") == "512");
}

TEST_CASE_METHOD(fixture, "a restart key is configured but not active")
{
	auto const change = settings->set("direct-io", "off", false);
	REQUIRE(change);
	CHECK_FALSE(change->is_active);
	CHECK(settings->rows({"direct-io"}).value().at(0).value == "off");
	CHECK(effective("direct-io") == "auto");
}

TEST_CASE_METHOD(fixture, "partitions follow their setting")
{
	CHECK(effective("aio-threads") == "auto");
	partitions_now = "4 on /dev/sda, 2 on /srv";
	CHECK(effective("aio-threads") == "auto (4 on /dev/sda, 2 on /srv)");
	auto const change = settings->set("aio-threads", "8", false);
	REQUIRE(change);
	CHECK(change->is_active);
	REQUIRE(partitions.size() == 1);
	CHECK(partitions[0].partitions == 8u);
	CHECK(effective("aio-threads") == "8");
	// It stays in what is set later.
	REQUIRE(settings->set("cache-size", "1024", false));
	CHECK(budgets.back().partitions == 8u);
	REQUIRE(settings->set("aio-threads", "auto", false));
	CHECK_FALSE(partitions.back().partitions);
}

TEST_CASE_METHOD(fixture, "the kernel that was found to hash fastest is shown")
{
	CHECK(effective("hashing-simd") == "auto (avx2)");
}

TEST_CASE_METHOD(fixture, "an I/O engine is chosen live, and what is used instead of it is shown")
{
	CHECK(effective("io-engine") == "auto (uring with direct I/O)");
	auto const change = settings->set("io-engine", "uring", false);
	REQUIRE(change);
	CHECK(change->is_active);
	CHECK(engines == std::vector<io_engine>{io_engine::uring});
	engine_in_force = "uring";
	CHECK(effective("io-engine") == "uring");
	engine_in_force = "threads";
	CHECK(effective("io-engine") == "uring (threads)");
	REQUIRE(settings->set("io-engine", "auto", false));
	CHECK(effective("io-engine") == "auto (threads)");
	REQUIRE(settings->set("io-engine", "threads", false));
	CHECK(effective("io-engine") == "threads");
	CHECK(settings->set("io-engine", "aio", false).failure().code == errc::out_of_range);
	CHECK(engines.size() == 3);
}

TEST_CASE_METHOD(fixture, "a change of partitions that does not come about leaves everything as it was")
{
	partition_outcome = {false, make_error(errc::timed_out, "partition 1 did not answer in time")};
	CHECK(settings->set("aio-threads", "8", false).failure().code == errc::timed_out);
	CHECK(effective("aio-threads") == "auto");
	CHECK(published.empty());
	REQUIRE(settings->set("cache-size", "1024", false));
	CHECK_FALSE(budgets.back().partitions);
}

TEST_CASE_METHOD(fixture, "a change of partitions that one device does not follow is in force and says so")
{
	partition_outcome = {true, make_error(errc::timed_out, "/dev/sdb keeps 4 partitions")};
	auto const changed = settings->set("aio-threads", "8", false);
	REQUIRE_FALSE(changed);
	CHECK(changed.failure().code == errc::timed_out);
	CHECK(changed.failure().message ==
		"aio-threads is active, but not everywhere: /dev/sdb keeps 4 partitions");
	CHECK(effective("aio-threads") == "8");
	CHECK(published == strings{"aio-threads=8"});
	write("[disk]\naio-threads = 6\n");
	CHECK_FALSE(settings->reload());
	CHECK(effective("aio-threads") == "6");
}

TEST_CASE_METHOD(fixture, "auto shows what it amounts to")
{
	CHECK(effective("hashing-threads") == "auto (3)");
	REQUIRE(settings->set("hashing-threads", "7", false));
	CHECK(hashers.back().hashers == 7);
	REQUIRE(settings->set("hashing-threads", "auto", false));
	CHECK(hashers.back().hashers == 3);
}

TEST_CASE_METHOD(fixture, "hashers collect for collect-delay, within an eighth of the cache")
{
	constexpr std::uint64_t mib = 1024 * 1024;
	REQUIRE(settings->set("collect-delay", "5", false));
	CHECK(hashers.back().collecting.window == std::chrono::milliseconds(5));
	REQUIRE(settings->set("cache-size", "64", false));
	CHECK(hashers.back().collecting.bytes_max == 8 * mib);
	REQUIRE(settings->set("cache-size", "512", false));
	CHECK(hashers.back().collecting.bytes_max == 16 * mib);
}

TEST_CASE_METHOD(fixture, "what the session refuses is an error and not in force")
{
	session_failure = make_error(errc::timed_out, "the session did not answer in time");
	CHECK(settings->set("upload-limit", "100", false).failure().code == errc::timed_out);
	CHECK(effective("upload-limit") == "0");
	CHECK(published.empty());
}

TEST_CASE_METHOD(fixture, "a key that is saved is in the file and survives a reload")
{
	REQUIRE(settings->set("upload-limit", "100", true));
	auto const report = settings->reload();
	REQUIRE(report);
	CHECK(report->applied.empty());
	CHECK(effective("upload-limit") == "100");
}

TEST_CASE_METHOD(fixture, "a reload applies live keys and names those that need a restart")
{
	write("[session]\nupload-limit = 7\n[disk]\ndirect-io = \"off\"\n");
	auto const report = settings->reload();
	REQUIRE(report);
	REQUIRE(report->applied.size() == 1);
	CHECK(report->applied[0].key == "upload-limit");
	REQUIRE(report->needs_restart.size() == 1);
	CHECK(report->needs_restart[0].key == "direct-io");
	CHECK(session == strings{"upload-limit=7"});
}

TEST_CASE_METHOD(fixture, "a reload of a faulty file changes nothing")
{
	write("[session]\nupload-limit = 7\nnonsense = 1\n");
	CHECK_FALSE(settings->reload());
	CHECK(session.empty());
	CHECK(effective("upload-limit") == "0");
}

TEST_CASE("the words of hashing-simd are the known families of kernels")
{
	std::string words = "auto";
	for (auto const family : sha_kernel_families())
		words += " " + std::string(family);
	CHECK(find_row("hashing-simd")->words == words);
}

TEST_CASE("a reload reads the list of keys as well, and a list that cannot be read does not stop the rest")
{
	std::string directory = "/tmp/ezio_live_settings.XXXXXX";
	REQUIRE(mkdtemp(directory.data()) != nullptr);
	auto const path = directory + "/ezio.toml";
	std::ofstream(path) << "[disk]\nprefetch = 512\n";
	int times_read = 0;
	std::optional<error> failure;
	settings_targets targets;
	targets.disk = [](disk_budget const &) {};
	targets.hashers = [](hash_sizes const &) {};
	targets.publish = [](event const &) {};
	targets.clients = [&]() -> result<void> {
		++times_read;
		if (failure)
			return *failure;
		return {};
	};
	live_settings settings(configuration(), {path, {4, std::uint64_t{1} << 30}, 65536}, std::move(targets));
	CHECK(settings.reload());
	CHECK(times_read == 1);
	failure = make_error(errc::denied, "clients is not used: everybody may write it");
	std::ofstream(path) << "[disk]\nprefetch = 128\n";
	auto const reloaded = settings.reload();
	REQUIRE_FALSE(reloaded);
	CHECK(reloaded.failure().message.find("authorized-keys: clients is not used") != std::string::npos);
	CHECK(settings.rows({"prefetch"}).value().at(0).effective == "128");
	std::filesystem::remove_all(directory);
}
