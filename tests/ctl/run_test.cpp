#include "ctl/event_source.hpp"
#include "ctl/run.hpp"
#include "tests/ctl/fake_daemon.hpp"
#include "tests/ctl/run_line.hpp"

#include <catch2/catch.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;
using namespace std::chrono_literals;
using nlohmann::json;

namespace
{

json torrent(char const *name, char const *state, json more = json::object())
{
	json t{{"info_hash", std::string(40, name[0])}, {"name", name}, {"target", std::string("/dev/") + name},
		{"state", state}, {"seed", false}, {"synced", false}, {"verified", false}, {"size_bytes", 1000},
		{"done_bytes", 0}, {"down_rate", 0}, {"up_rate", 0}, {"pieces_total", 10}, {"pieces_done", 0},
		{"progress", 0.0}, {"eta_seconds", nullptr}, {"error", nullptr}, {"bad_pieces", nullptr}};
	t.update(more);
	return t;
}

json torrents(std::vector<json> rows)
{
	return {{"torrents", std::move(rows)}, {"totals", json::object()}};
}

/// Answers `status` with one reply after the other; the last one for ever.
fake_daemon::script status_script(std::vector<result<json>> replies)
{
	return [replies = std::move(replies), next = std::size_t{0}](
			   std::string_view verb, json const &) mutable -> std::optional<result<json>> {
		if (verb != "status")
			return result<json>(make_error(errc::internal, "unexpected verb"));
		auto const index = std::min(next++, replies.size() - 1);
		return replies[index];
	};
}

std::string event_bytes(std::uint64_t seq, char const *kind)
{
	wire::event_message event;
	event.seq = seq;
	event.kind = kind;
	event.text = "text";
	return wire::encode_event(event);
}

} // namespace

TEST_CASE("a daemon that is not there is reported at once, with what to check")
{
	auto const start = clock::now();
	auto const o = run_line({"ping"});
	CHECK(o.status == 7);
	CHECK(o.out.empty());
	CHECK(o.err ==
		"ezioctl: no daemon at ipc:///nonexistent/socket: there is no such socket; check that eziod "
		"runs and that its control.endpoint is this one: ENOENT (No such file or directory)\n");
	CHECK(clock::now() - start < 5s);
}

TEST_CASE("a socket that nobody listens on is told from one that is missing")
{
	scratch_dir const directory;
	auto const path = directory.path("dead");
	::sockaddr_un address{};
	address.sun_family = AF_UNIX;
	std::memcpy(address.sun_path, path.data(), path.size());
	auto const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
	REQUIRE(fd >= 0);
	REQUIRE(::bind(fd, reinterpret_cast<::sockaddr *>(&address), sizeof address) == 0);
	::close(fd);
	auto const o = run_line({"ping"}, "ipc://" + path);
	CHECK(o.status == 7);
	CHECK(o.err.find("nobody listens") != std::string::npos);
	CHECK(o.err.find("ECONNREFUSED") != std::string::npos);
}

TEST_CASE("a tcp port that refuses is unreachable")
{
	auto const o = run_line({"ping"}, "tcp://127.0.0.1:1");
	CHECK(o.status == 7);
	CHECK(o.err.find("ECONNREFUSED") != std::string::npos);
}

TEST_CASE("an endpoint that cannot be is a usage error")
{
	CHECK(run_line({"ping"}, "nonsense").status == 2);
	CHECK(run_line({"ping"}, "tcp://nohost").status == 2);
	CHECK(run_line({"ping"}, "ipc://" + std::string(200, 'x')).status == 2);
}

TEST_CASE("a daemon that does not answer is a time-out")
{
	fake_daemon const daemon([](auto, auto const &) { return std::nullopt; });
	auto const o = run_line({"ping", "--timeout", "0.2"}, daemon.endpoint());
	CHECK(o.status == 6);
	CHECK(o.err.find("did not answer \"ping\" in time") != std::string::npos);
}

TEST_CASE("a signal ends a request that waits")
{
	std::atomic<bool> interrupted{false};
	fake_daemon const daemon([&](auto, auto const &) {
		interrupted = true;
		return std::nullopt;
	});
	CHECK(run_line({"ping"}, daemon.endpoint(), &interrupted).status == 8);
}

TEST_CASE("the daemon's error gives its exit status and its whole story")
{
	fake_daemon const daemon([](auto, auto const &) {
		auto e = make_error(errc::target_refused, "mounted on /mnt");
		e.device = "/dev/sda1";
		e.check = "mounted";
		return result<json>(e);
	});
	auto const text = run_line({"pause", "all"}, daemon.endpoint());
	CHECK(text.status == 3);
	CHECK(text.err == "ezioctl: /dev/sda1: mounted on /mnt\n");
	auto const o = run_line({"pause", "all", "--json"}, daemon.endpoint());
	CHECK(o.status == 3);
	auto const document = json::parse(o.out);
	CHECK(document["schema"] == 1);
	CHECK(document["error"]["code"] == "target-refused");
	CHECK(document["error"]["context"]["check"] == "mounted");
}

TEST_CASE("set says old, new, and whether it is active")
{
	json seen;
	fake_daemon const daemon([&](auto, json const &args) {
		seen = args;
		return result<json>(
			json{{"key", "cache-size"}, {"old", "512"}, {"new", "2048"}, {"active", !args.contains("save")}});
	});
	CHECK(run_line({"set", "cache-size", "2048"}, daemon.endpoint()).out ==
		"cache-size: 512 -> 2048 (active now)\n");
	CHECK(run_line({"set", "cache-size", "2048", "--save"}, daemon.endpoint()).out ==
		"cache-size: 512 -> 2048 (after restart)\n");
	CHECK(seen == json{{"key", "cache-size"}, {"value", "2048"}, {"save", true}});
	auto const document = json::parse(run_line({"set", "cache-size", "1", "--json"}, daemon.endpoint()).out);
	CHECK(document ==
		json{{"schema", 1}, {"key", "cache-size"}, {"old", "512"}, {"new", "2048"}, {"active", true}});
}

TEST_CASE("add sends the file and every option, and prints the info-hash")
{
	scratch_dir const directory;
	auto const file = directory.path("x.torrent");
	std::ofstream(file) << "foo";
	json seen;
	fake_daemon const daemon([&](auto, json const &args) {
		seen = args;
		return result<json>(json{{"info_hash", "abcd"}});
	});
	auto const o = run_line(
		{"add", file, "/dev/loop0", "--seed", "--peer", "a:1", "--peer", "b:2", "--tracker", "http://t",
			"--sequential", "--check", "--max-uploads", "3", "--max-connections", "4", "--upload-limit",
			"2MiB/s", "--download-limit", "100", "--priority", "low", "--paused", "--allow", "mounted"},
		daemon.endpoint());
	CHECK(o.err.empty());
	CHECK(o.out == "abcd\n");
	CHECK(seen ==
		json{{"torrent_base64", "Zm9v"}, {"target", "/dev/loop0"}, {"seed", true}, {"peers", {"a:1", "b:2"}},
			{"trackers", {"http://t"}}, {"sequential", true}, {"check", true}, {"uploads_max", 3},
			{"connections_max", 4}, {"upload_limit", 2097152}, {"download_limit", 102400},
			{"priority", "low"}, {"paused", true}, {"allow", {"mounted"}}});
}

TEST_CASE("tune sends what is named, and nothing else")
{
	json seen;
	fake_daemon const daemon([&](auto, json const &args) {
		seen = args;
		return result<json>(json{{"info_hashes", {"abcd"}}});
	});
	auto const o = run_line({"tune", "x", "--download-limit", "none"}, daemon.endpoint());
	CHECK(o.status == 0);
	CHECK(o.out == "abcd\n");
	CHECK(seen == json{{"selectors", {"x"}}, {"download_limit", 0}});
	CHECK(run_line({"tune", "x", "--upload-limit", "1 GiB/s", "--priority", "high"}, daemon.endpoint())
			  .status == 0);
	CHECK(seen == json{{"selectors", {"x"}}, {"upload_limit", 1073741824}, {"priority", "high"}});
}

TEST_CASE("limits and priorities that cannot be are usage errors before the daemon is asked")
{
	CHECK(run_line({"tune", "x"}).status == 2);
	for (auto const *rate : {"", "fast", "-1", "2GiB/s", "1MB/s", "1.5MiB/s", "99999999999999999999"})
		CHECK(run_line({"tune", "x", "--upload-limit", rate}).status == 2);
	CHECK(run_line({"tune", "x", "--priority", "urgent"}).status == 2);
}

TEST_CASE("add makes a relative target absolute")
{
	CHECK(absolute_path("/a/../b") == "/a/../b");
	auto const path = absolute_path("img");
	CHECK(path.front() == '/');
	CHECK(path.ends_with("/img"));
}

TEST_CASE("add refuses a torrent file that is missing, empty or no file before asking the daemon")
{
	scratch_dir const directory;
	std::ofstream(directory.path("empty"));
	CHECK(run_line({"add", directory.path("missing"), "/dev/x"}).status == 1);
	CHECK(run_line({"add", directory.path("empty"), "/dev/x"}).status == 3);
	CHECK(run_line({"add", directory.path("."), "/dev/x"}).status == 3);
	CHECK(run_line({"add", directory.path("missing"), "/dev/x", "--max-uploads", "0"}).status == 2);
}

TEST_CASE("status in JSON keeps each torrent whole, in the order and selection asked for")
{
	auto const slow = torrent("slow", "downloading", {{"down_rate", 1}, {"future", "member"}});
	auto const fast = torrent("fast", "downloading", {{"down_rate", 9}});
	fake_daemon const daemon(status_script({torrents({slow, torrent("off", "paused"), fast})}));
	auto const o =
		run_line({"status", "--json", "--sort", "speed", "--filter", "downloading"}, daemon.endpoint());
	CHECK(json::parse(o.out) == json{{"schema", 1}, {"torrents", {fast, slow}}, {"totals", json::object()}});
	CHECK(run_line({"status", "--sort", "colour"}, daemon.endpoint()).status == 2);
	CHECK(run_line({"status", "--columns", "name,colour"}, daemon.endpoint()).status == 2);
}

TEST_CASE("top needs a terminal, and says what to use without one")
{
	for (auto const &arguments : std::vector<std::vector<std::string>>{{"top"}, {"top", "--json"}}) {
		auto const o = run_line(arguments);
		CHECK(o.status == 2);
		CHECK(o.err ==
			"ezioctl: top draws on a terminal; see status --watch, or status --json --watch for programs\n");
	}
}

TEST_CASE("wait ends when all torrents have reached the condition")
{
	auto const done = torrent("a", "seeding", {{"synced", true}});
	fake_daemon const daemon(status_script({torrents({torrent("a", "downloading"), torrent("b", "syncing")}),
		torrents({done, torrent("b", "syncing")}),
		torrents({done, torrent("b", "finished", {{"synced", true}})})}));
	auto const o = run_line({"wait", "--for", "synced", "--timeout", "20"}, daemon.endpoint());
	CHECK(o.status == 0);
	CHECK(o.out == "synced: a (/dev/a)\nsynced: b (/dev/b)\n");
}

TEST_CASE("wait looks again when an event comes, without waiting for its second")
{
	std::atomic<int> looks{0};
	fake_daemon const daemon(
		[&](std::string_view, json const &) -> std::optional<result<json>> {
			auto const is_done = ++looks >= 6;
			return result<json>(torrents({torrent("a", "finished", {{"synced", is_done}})}));
		},
		[] { return event_bytes(1, "torrent-state"); });
	auto const start = clock::now();
	CHECK(run_line({"wait", "--for", "synced", "--timeout", "20"}, daemon.endpoint()).status == 0);
	CHECK(clock::now() - start < 4s); // five looks a second apart would take five
}

TEST_CASE("wait works without events by looking every second")
{
	fake_daemon const daemon(status_script({torrents({torrent("a", "syncing")}),
								 torrents({torrent("a", "seeding", {{"synced", true}})})}),
		{}, false);
	CHECK(run_line({"wait", "--for", "synced", "--timeout", "20"}, daemon.endpoint()).status == 0);
}

TEST_CASE("wait ends with the error of a torrent and its exit status")
{
	auto const io = wire::error_to_json(make_io_error("pwritev", "/dev/a", 4096, 16384, ENOSPC));
	auto const hash = wire::error_to_json(make_error(errc::integrity, "bad"));
	fake_daemon const failing(status_script({torrents({torrent("a", "error", {{"error", io}})})}));
	auto const o = run_line({"wait", "--for", "synced", "--json"}, failing.endpoint());
	CHECK(o.status == 4);
	CHECK(o.err ==
		"ezioctl: a (/dev/a): pwritev /dev/a offset 4096 length 16384: ENOSPC (No space left on device)\n");
	auto const document = json::parse(o.out);
	CHECK(document["reached"] == false);
	CHECK(document["error"] == io);
	CHECK(document["torrents"].size() == 1);
	fake_daemon const corrupt(status_script({torrents({torrent("a", "error", {{"error", hash}})})}));
	CHECK(run_line({"wait", "--for", "ready"}, corrupt.endpoint()).status == 5);
	fake_daemon const bad(status_script({torrents({torrent("a", "seeding", {{"bad_pieces", 2}})})}));
	CHECK(run_line({"wait", "--for", "verified"}, bad.endpoint()).status == 5);
}

TEST_CASE("wait is out of time with status 6 and says where things stand")
{
	fake_daemon const daemon(status_script({torrents({torrent("a", "downloading")})}));
	auto const o = run_line({"wait", "--for", "synced", "--timeout", "0.3"}, daemon.endpoint());
	CHECK(o.status == 6);
	CHECK(o.err.find("not synced in time") != std::string::npos);
	CHECK(o.err.find("1 downloading") != std::string::npos);
}

TEST_CASE("wait never takes nothing for success")
{
	fake_daemon const empty(status_script({torrents({})}));
	for (auto const *condition : {"downloaded", "synced", "verified"}) {
		INFO(condition);
		CHECK(run_line({"wait", "--for", condition, "--timeout", "5"}, empty.endpoint()).status == 1);
	}
	CHECK(run_line({"wait", "--for", "idle", "--timeout", "5"}, empty.endpoint()).status == 0);
	CHECK(run_line({"wait", "--for", "gone", "--timeout", "5"}, empty.endpoint()).status == 0);
	fake_daemon const removed(status_script({torrents({torrent("a", "downloading"), torrent("b", "syncing")}),
		torrents({torrent("b", "seeding", {{"synced", true}})})}));
	auto const o = run_line({"wait", "--for", "synced", "--timeout", "20"}, removed.endpoint());
	CHECK(o.status == 1);
	CHECK(o.err.find("was removed") != std::string::npos);
}

TEST_CASE("wait for ready waits for a torrent that is not known yet")
{
	fake_daemon const daemon(status_script({result<json>(make_error(errc::not_found, "none")),
		torrents({torrent("a", "checking")}), torrents({torrent("a", "downloading")})}));
	CHECK(run_line({"wait", "a", "--for", "ready", "--timeout", "20"}, daemon.endpoint()).status == 0);
}

TEST_CASE("wait for gone ends when the torrents that were named are removed")
{
	fake_daemon const daemon(status_script({torrents({torrent("a", "paused")}),
		torrents({torrent("a", "paused"), torrent("b", "seeding")}), torrents({torrent("b", "seeding")})}));
	CHECK(run_line({"wait", "a", "--for", "gone", "--timeout", "20"}, daemon.endpoint()).status == 0);
	fake_daemon const unknown(status_script(
		{result<json>(make_error(errc::not_found, "none")), torrents({torrent("b", "seeding")})}));
	CHECK(run_line({"wait", "a", "--for", "gone", "--timeout", "20"}, unknown.endpoint()).status == 0);
}

TEST_CASE("wait is interrupted by a signal")
{
	std::atomic<bool> interrupted{false};
	fake_daemon const daemon([&](auto, auto const &) {
		interrupted = true;
		return result<json>(torrents({torrent("a", "downloading")}));
	});
	CHECK(run_line({"wait", "--for", "synced"}, daemon.endpoint(), &interrupted).status == 8);
}

TEST_CASE("wait without a condition or with an unknown one is a usage error")
{
	CHECK(run_line({"wait"}).status == 2);
	CHECK(run_line({"wait", "--for", "christmas"}).status == 2);
}

TEST_CASE("events ends after the first event of the kind asked for")
{
	std::uint64_t seq = 0;
	fake_daemon const daemon(
		[](auto, auto const &) {
			return result<json>(json{{"pong", true}});
		},
		[&] {
			++seq;
			return event_bytes(seq, seq % 2 == 0 ? "warning" : "torrent-state");
		});
	auto const o =
		run_line({"events", "--filter", "warning", "--json", "--timeout", "20"}, daemon.endpoint());
	CHECK(o.status == 0);
	auto const document = json::parse(o.out);
	CHECK(document["schema"] == 1);
	CHECK(document["kind"] == "warning");
	CHECK_FALSE(document.contains("v"));
}

TEST_CASE("events reports a gap and goes on until the time is over")
{
	std::uint64_t seq = 0;
	fake_daemon const daemon(
		[](auto, auto const &) {
			return result<json>(json{{"pong", true}});
		},
		[&] {
			seq += 3;
			return event_bytes(seq, "warning");
		});
	auto const o = run_line({"events", "--follow", "--timeout", "1"}, daemon.endpoint());
	CHECK(o.status == 6);
	CHECK(o.err.find("ezioctl: 2 events lost\n") != std::string::npos);
	CHECK(o.out.find("warning  text\n") != std::string::npos);
}

TEST_CASE("events of a daemon that publishes none is an error")
{
	fake_daemon const daemon([](auto, auto const &) { return std::nullopt; }, {}, false);
	auto const o = run_line({"events"}, daemon.endpoint());
	CHECK(o.status == 1);
	CHECK(o.err.find("publishes no events") != std::string::npos);
}

TEST_CASE("events that listen everywhere are looked for on the control endpoint's host")
{
	CHECK(reachable_events_endpoint("tcp://host:1", "tcp://*:2") == "tcp://host:2");
	CHECK(reachable_events_endpoint("tcp://[fe80::1]:1", "tcp://[::]:2") == "tcp://[fe80::1]:2");
	CHECK(reachable_events_endpoint("tcp://host:1", "tcp://other:2") == "tcp://other:2");
	CHECK(reachable_events_endpoint("ipc:///a", "tcp://*:2") == "tcp://*:2");
	CHECK(reachable_events_endpoint("tcp://host:1", "ipc:///b") == "ipc:///b");
}

TEST_CASE("version names the client also when there is no daemon")
{
	auto const o = run_line({"version"});
	CHECK(o.status == 7);
	CHECK(o.out.find("ezioctl ") == 0);
	fake_daemon const daemon([](auto, auto const &) { return std::nullopt; });
	auto const document = json::parse(run_line({"version", "--json"}, daemon.endpoint()).out);
	CHECK(document["daemon"]["version"] == "9.9");
	CHECK(document["client"]["protocol"] == 1);
}

TEST_CASE("create and inspect agree on an image")
{
	scratch_dir const directory;
	auto const image = directory.path("image");
	auto const file = directory.path("image.torrent");
	std::ofstream(image) << std::string(1 << 20, 'x');
	auto const made =
		run_line({"create", image, "--fs", "raw", "-o", file, "--piece-size", "256K", "--json"});
	INFO(made.err);
	REQUIRE(made.status == 0);
	auto const report = json::parse(made.out);
	CHECK(report["schema"] == 1);
	CHECK(report["pieces"] == 4);
	auto const inspected = run_line({"inspect", file, "--json"});
	CHECK(inspected.status == 0);
	auto const seen = json::parse(inspected.out);
	CHECK(seen["usable"] == true);
	CHECK(seen["info_hash"] == report["info_hash"]);
	CHECK(seen["extents"] == json::array({{{"offset_bytes", 0}, {"length_bytes", 1 << 20}}}));
	CHECK(run_line({"inspect", file}).out.find("usable\n") != std::string::npos);
	auto const faulty = run_line({"inspect", image});
	CHECK(faulty.status == 3);
	CHECK(faulty.out.find("FAULT") != std::string::npos);
}

TEST_CASE("create without an output or with an impossible piece size is a usage error")
{
	CHECK(run_line({"create", "/nonexistent"}).status == 2);
	for (auto const *size : {"", "x", "1G", "-1", "99999999999M", "1 M"}) {
		INFO(size);
		CHECK(run_line({"create", "/nonexistent", "-o", "/nonexistent/x", "--piece-size", size}).status == 2);
	}
}
