#include "ctl/commands.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace ezio::ctl
{
namespace
{

constexpr std::array<option_info, 7> globals{{
	{"--endpoint", "", "URL", false, "the daemon; else EZIO_ENDPOINT, else ipc:///run/ezio/control.sock"},
	{"--key", "", "FILE", false, "this client's secret key, for tcp; else EZIO_KEY; see keygen"},
	{"--server-key", "", "KEY|FILE", false, "the daemon's public key, for tcp; else EZIO_SERVER_KEY"},
	{"--timeout", "", "SEC", false,
		"give up after so long; default 15 s a request, 75 s for add; wait and "
		"events wait for ever"},
	{"--json", "", "", false, "print JSON with a schema number instead of text"},
	{"--no-color", "", "", false, "no colours, also on a terminal; so does a NO_COLOR that is not empty"},
	{"--help", "-h", "", false, "this help"},
}};

constexpr option_info sort_option{"--sort", "", "KEY", false,
	"name, path, progress, speed, down, up, peers, size, eta, state or added; "
	"numbers start with the largest"};
constexpr option_info reverse_option{"--reverse", "", "", false, "turn the order round"};
constexpr option_info filter_option{"--filter", "", "F[,F]", false,
	"all, active, downloading, seeding, finished, checking, paused, error: "
	"torrents in any of them; other words: text in name or target"};

constexpr std::array<option_info, 6> status_options{{
	sort_option,
	reverse_option,
	filter_option,
	{"--columns", "", "C[,C]", false,
		"name, target, state, progress, done, size, down, up, peers, seeds, "
		"pieces, eta, added, hash or error"},
	{"--watch", "", "[SEC]", false, "again and again, every 2 s or as told, until interrupted"},
	{"--verbose", "-v", "", false, "all that is known of each torrent, on several lines"},
}};

constexpr std::array<option_info, 5> top_options{{
	sort_option,
	reverse_option,
	filter_option,
	{"--interval", "", "SEC", false, "ask the daemon so often; default 2 s"},
	{"--verbose", "-v", "", false, "a second line for each torrent, with what does not fit into the first"},
}};

constexpr std::array<option_info, 13> add_options{{
	{"--seed", "", "", false, "the target holds the data already: share it, never write"},
	{"--peer", "", "HOST:PORT", true, "a peer to connect to"},
	{"--tracker", "", "URL", true, "a tracker beside those in the torrent"},
	{"--sequential", "", "", false, "ask for the pieces in order"},
	{"--check", "", "", false, "hash what is on the target first and fetch only what differs"},
	{"--verify", "", "", false,
		"read the target back once all is on stable storage; see wait --for verified"},
	{"--max-uploads", "", "N", false, "peers uploaded to at once"},
	{"--max-connections", "", "N", false, "connections of this torrent, 2 or more"},
	{"--upload-limit", "", "RATE", false, "of this torrent: 500KiB/s, 16MiB/s, a number of KiB/s, or none"},
	{"--download-limit", "", "RATE", false, "of this torrent"},
	{"--priority", "", "PRIORITY", false, "low, normal or high: torrents of a higher one download first"},
	{"--paused", "", "", false, "do not start"},
	{"--allow", "", "CHECK", true, "override one safety check, by the name its refusal gave"},
}};

constexpr std::array<option_info, 3> tune_options{{
	{"--upload-limit", "", "RATE", false, "500KiB/s, 16MiB/s, a number of KiB/s, or none"},
	{"--download-limit", "", "RATE", false, "the same"},
	{"--priority", "", "PRIORITY", false, "low, normal or high: torrents of a higher one download first"},
}};

constexpr std::array<option_info, 1> set_options{{
	{"--save", "", "", false, "write the configuration file as well, with its comments kept"},
}};

constexpr std::array<option_info, 2> events_options{{
	{"--follow", "-f", "", false, "go on until interrupted; without it, end after the first event"},
	{"--filter", "", "KIND[,KIND]", false, "only events of these kinds, such as torrent-state"},
}};

constexpr std::array<option_info, 1> wait_options{{
	{"--for", "", "CONDITION", false, "ready, downloaded, synced, verified, idle or gone"},
}};

constexpr std::array<option_info, 3> fleet_options{{
	{"--nodes", "", "FILE|HOST,...", false,
		"the nodes: a file with a line NAME [ENDPOINT [SERVER-KEY]] for each, or a list of HOST, HOST:PORT "
		"or "
		"URL; without a port, 5555"},
	{"--for", "", "CONDITION", false, "wait: ready, downloaded, synced, verified, idle or gone"},
	{"--grace", "", "SEC", false,
		"wait: a node that does not answer, or has no torrent, for so long has failed; default 30 s"},
}};

constexpr std::array<option_info, 9> create_options_table{{
	{"--output", "-o", "FILE", false, "the torrent file to write; required"},
	{"--fs", "", "FS", false, "auto, raw, or a filesystem of partclone: ext4, xfs, btrfs, ntfs, vfat, ..."},
	{"--piece-size", "", "BYTES", false, "a power of two, 64K to 16M; default: by covered size"},
	{"--tracker", "", "URL", true, "a tracker"},
	{"--comment", "", "TEXT", false, "a comment"},
	{"--name", "", "NAME", false, "default: the last part of the source's path"},
	{"--hybrid", "", "", false, "BitTorrent v1 and v2 hashes instead of v1 alone"},
	{"--threads", "", "N", false, "hashing threads; default: one a core"},
	{"--allow-mounted", "", "", false, "read the source although it is mounted for writing"},
}};

constexpr std::array<option_info, 3> keygen_options{{
	{"--output", "-o", "BASE", false,
		"writes BASE.key and BASE.pub; default: ezio, in the working directory"},
	{"--name", "", "NAME", false, "the name in the printed line; default: the last part of BASE"},
	{"--role", "", "ROLE", false, "the role in the printed line: full or read-only; default: read-only"},
}};

constexpr std::string_view selector_details =
	"SEL is an info-hash prefix of 4 digits or more, a torrent's name, its target, or \"all\".";

constexpr auto table = std::to_array<command_info>({
	{"status", "[SEL...]", 0, operands_unlimited, status_options, "show torrents and totals",
		selector_details},
	{"top", "[SEL...]", 0, operands_unlimited, top_options,
		"fill the screen with torrents and totals, and follow them until q is typed",
		"h shows the keys: scroll, sort, filter, search, details, pause and resume. SEL is an info-hash "
		"prefix "
		"of 4 digits or more, a torrent's name, its target, or \"all\". Needs a terminal; programs use "
		"status "
		"--json --watch."},
	{"add", "TORRENT TARGET", 2, 2, add_options, "check the target, add a torrent, print its info-hash",
		"TARGET is a block device or an image file. Nothing is written before all safety checks have "
		"passed. Until then it is shown in state checking; one whose device hangs there stays so, whether or "
		"not its answer has timed out, until the device answers or it is removed."},
	{"pause", "SEL...", 1, operands_unlimited, {}, "stop transfers, keep the torrent", selector_details},
	{"resume", "SEL...", 1, operands_unlimited, {},
		"go on; after an error, check the target first, once what failed has ended", selector_details},
	{"remove", "SEL...", 1, operands_unlimited, {}, "forget torrents; what is on the target stays",
		selector_details},
	{"verify", "SEL...", 1, operands_unlimited, {},
		"start reading the target itself and comparing every piece; see wait --for verified",
		"SEL is an info-hash prefix of 4 digits or more, a torrent's name, its target, or \"all\". Of an "
		"incomplete torrent the pieces that are there are read. What differs puts the torrent in state "
		"error; "
		"resume fetches it again. After an error it is resumed first, and read when all of it is there."},
	{"warm", "SEL...", 1, operands_unlimited, {},
		"start reading sources into the cache before they are asked for, as far as there is room",
		"SEL is an info-hash prefix of 4 digits or more, a torrent's name, its target, or \"all\". What "
		"several peers ask for, and what is to be written, stays. status --verbose shows how far it is, the "
		"event torrent-warmed tells of its end; pause and remove end it."},
	{"tune", "SEL...", 1, operands_unlimited, tune_options,
		"change limits and priority of torrents, at once and for restarts", selector_details},
	{"reannounce", "SEL...", 1, operands_unlimited, {}, "look for peers now", selector_details},
	{"peers", "[SEL...]", 0, operands_unlimited, {}, "show the peers of torrents",
		"FLAGS: i interested, I peer interested, c choked, C peer choked, s snubbed."},
	{"report", "[SEL...]", 0, operands_unlimited, {}, "print what can be filed as evidence of torrents",
		"Verdict (verified, synced, incomplete, failed), bytes, pieces, info-hashes, times, which device it "
		"is, errors seen, stretches that differ. SEL is an info-hash prefix of 4 digits or more, a torrent's "
		"name, its target, or \"all\"."},
	{"set", "KEY VALUE", 2, 2, set_options, "change a configuration key of the running daemon",
		"Prints the old value, the new one, and whether it is active now or after a restart."},
	{"get", "[KEY...]", 0, operands_unlimited, {}, "print configuration values", ""},
	{"settings", "[KEY...]", 0, operands_unlimited, {},
		"show configuration keys with all that is known of them", ""},
	{"reload", "", 0, 0, {}, "read the configuration file again", ""},
	{"stats", "", 0, 0, {},
		"show counters, latencies, the buffer budget and what each device has still to write",
		"HITS are the blocks found in the cache. UNUSED: of the blocks read ahead, those that were evicted "
		"before anybody asked for them. LANES: pieces that a hasher hashes side by side, on "
		"average; the more, the less a piece costs."},
	{"events", "", 0, 0, events_options, "print what happens, as it happens",
		"A gap in the sequence numbers is reported as events lost."},
	{"wait", "[SEL...]", 0, operands_unlimited, wait_options, "wait until torrents have reached a condition",
		"Without SEL: all torrents."},
	{"fleet", "status|wait|top [SEL...]", 1, operands_unlimited, fleet_options,
		"show many daemons, the worst first, wait for all of them, or watch them",
		"Exit status: the worst of all nodes, in the order 4, 5, 3, 1, 7, 6, 0. status asks every node once, "
		"for "
		"at most --timeout (5 s); wait ends when every node has reached the condition or failed, or after "
		"--timeout. top fills the screen until q is typed; d hides the nodes that are done."},
	{"create", "SOURCE", 1, 1, create_options_table,
		"make a torrent of a block device, an image or partclone's torrent.info", ""},
	{"inspect", "FILE", 1, 1, {}, "show what a torrent file covers and what is wrong with it",
		"Exit status 3 if eziod would not accept it."},
	{"keygen", "", 0, 0, keygen_options, "make a pair of keys for tcp and print the line that lets it in",
		"For a client: keep BASE.key, add the line to the daemon's control.authorized-keys, reload. For a "
		"daemon: "
		"BASE.key is control.curve-secret-key, and what is in BASE.pub is its clients' --server-key."},
	{"shutdown", "", 0, 0, {}, "stop the daemon: data written and flushed first", ""},
	{"version", "", 0, 0, {}, "print versions of client and daemon", ""},
	{"ping", "", 0, 0, {}, "ask whether the daemon answers", ""},
});

error usage(std::string message, command_info const *command)
{
	auto const help = command == nullptr ? std::string("ezioctl --help")
										 : "ezioctl " + std::string(command->name) + " --help";
	return make_error(errc::invalid_argument, std::move(message) + "; see " + help);
}

option_info const *find_option(std::span<option_info const> options, std::string_view name)
{
	auto const found = std::ranges::find_if(options,
		[&](option_info const &o) { return o.name == name || (!o.alias.empty() && o.alias == name); });
	return found == options.end() ? nullptr : &*found;
}

bool is_number(std::string_view text)
{
	double value = 0;
	auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
	return failure == std::errc() && end == text.data() + text.size();
}

class parser
{
public:
	explicit parser(std::span<std::string const> arguments) : m_left(arguments) {}

	result<invocation> run()
	{
		bool is_operand_only = false;
		while (!m_left.empty()) {
			auto const argument = take();
			if (!is_operand_only && argument == "--") {
				is_operand_only = true;
			} else if (!is_operand_only && argument.size() > 1 && argument.front() == '-') {
				auto const taken = take_option(argument);
				if (!taken)
					return taken.failure();
			} else if (m_invocation.command == nullptr) {
				auto const found = std::ranges::find(table, argument, &command_info::name);
				if (found == table.end())
					return usage("there is no verb \"" + argument + "\"", nullptr);
				m_invocation.command = &*found;
			} else {
				m_invocation.operands.push_back(argument);
			}
		}
		return finish();
	}

private:
	std::string take()
	{
		auto const first = m_left.front();
		m_left = m_left.subspan(1);
		return first;
	}

	result<void> take_option(std::string const &argument)
	{
		auto const equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
		auto const name = argument.substr(0, equals);
		auto const *command = m_invocation.command;
		auto const *option = command != nullptr ? find_option(command->options, name) : nullptr;
		if (option == nullptr)
			option = find_option(globals, name);
		if (option == nullptr)
			return usage("there is no option " + name, command);
		auto &values = m_invocation.options[std::string(option->name)];
		if (!values.empty() && !option->is_repeatable)
			values.clear();
		if (equals != std::string::npos) {
			if (option->value.empty())
				return usage(name + " takes no value", command);
			values.push_back(argument.substr(equals + 1));
		} else if (option->value.empty()) {
			values.emplace_back();
		} else if (option->value.front() == '[') {
			values.push_back(!m_left.empty() && is_number(m_left.front()) ? take() : std::string());
		} else if (m_left.empty()) {
			return usage(name + " needs a value: " + std::string(option->value), command);
		} else {
			values.push_back(take());
		}
		return {};
	}

	result<invocation> finish()
	{
		auto const *command = m_invocation.command;
		m_invocation.is_help = m_invocation.has("--help");
		if (m_invocation.is_help)
			return std::move(m_invocation);
		if (command == nullptr)
			return usage("which verb?", nullptr);
		auto const count = m_invocation.operands.size();
		if (count < command->operands_min)
			return usage(std::string(command->name) + " needs " + std::string(command->operands), command);
		if (count > command->operands_max)
			return usage(std::string(command->name) + ": \"" + m_invocation.operands[command->operands_max] +
					"\" is one word too many",
				command);
		return std::move(m_invocation);
	}

	std::span<std::string const> m_left;
	invocation m_invocation;
};

std::string synopsis(command_info const &command)
{
	std::string line = "ezioctl " + std::string(command.name);
	if (!command.operands.empty())
		line += " " + std::string(command.operands);
	for (auto const &option : command.options) {
		line += " [" + std::string(option.name);
		if (!option.value.empty())
			line += " " + std::string(option.value);
		line += option.is_repeatable ? "]..." : "]";
	}
	return line;
}

std::string option_words(option_info const &option)
{
	std::string words;
	if (!option.alias.empty())
		words += std::string(option.alias) + ", ";
	words += option.name;
	if (!option.value.empty())
		words += " " + std::string(option.value);
	return words;
}

std::string option_lines(std::span<option_info const> options)
{
	std::size_t width = 0;
	for (auto const &option : options)
		width = std::max(width, option_words(option).size());
	std::string lines;
	for (auto const &option : options) {
		auto words = option_words(option);
		words.resize(width, ' ');
		lines += "  " + words + "  " + std::string(option.help) + "\n";
	}
	return lines;
}

} // namespace

std::span<command_info const> commands()
{
	return table;
}

std::span<option_info const> global_options()
{
	return globals;
}

std::optional<std::string> invocation::value(std::string_view option) const
{
	auto const found = options.find(option);
	if (found == options.end() || found->second.empty())
		return std::nullopt;
	return found->second.back();
}

std::vector<std::string> invocation::values(std::string_view option) const
{
	auto const found = options.find(option);
	return found == options.end() ? std::vector<std::string>() : found->second;
}

result<std::optional<std::int64_t>> invocation::integer(
	std::string_view option, std::int64_t least, std::int64_t most) const
{
	auto const text = value(option);
	if (!text)
		return std::optional<std::int64_t>();
	std::int64_t number = 0;
	auto const [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
	if (failure != std::errc() || end != text->data() + text->size() || number < least || number > most)
		return usage(std::string(option) + " \"" + *text + "\": expected an integer from " +
				std::to_string(least) + " to " + std::to_string(most),
			command);
	return std::optional(number);
}

result<std::optional<double>> invocation::seconds(std::string_view option) const
{
	auto const text = value(option);
	if (!text || text->empty())
		return std::optional<double>();
	constexpr double most = 1e9; // 30 years; more would overflow a clock
	double number = 0;
	auto const [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
	if (failure != std::errc() || end != text->data() + text->size() || !(number > 0) || number > most)
		return usage(
			std::string(option) + " \"" + *text + "\": expected a number of seconds above 0", command);
	return std::optional(number);
}

result<invocation> parse_command_line(std::span<std::string const> arguments)
{
	return parser(arguments).run();
}

std::string help_text(command_info const *command)
{
	if (command != nullptr) {
		std::string text = "usage: " + synopsis(*command) + "\n\n" + std::string(command->help) + "\n";
		if (!command->details.empty())
			text += std::string(command->details) + "\n";
		if (!command->options.empty())
			text += "\noptions:\n" + option_lines(command->options);
		return text + "\nglobal options:\n" + option_lines(globals);
	}
	std::string text = "usage: ezioctl [GLOBAL OPTION]... VERB [OPERAND]... [OPTION]...\n\nverbs:\n";
	for (auto const &entry : table) {
		std::string words = std::string(entry.name) + " " + std::string(entry.operands);
		words.resize(std::max<std::size_t>(words.size(), 20), ' ');
		text += "  " + words + "  " + std::string(entry.help) + "\n";
	}
	return text + "\nglobal options:\n" + option_lines(globals) +
		"\nexit status: 0 done, 1 failure, 2 usage, 3 refused by a safety check, 4 I/O error, 5 integrity,\n"
		"6 time-out, 7 daemon unreachable or access denied, 8 interrupted\n";
}

std::string help_markdown()
{
	std::string text;
	for (auto const &entry : table) {
		text += "### `" + std::string(entry.name) + "`\n\n    " + synopsis(entry) + "\n\n" +
			std::string(entry.help) + ".";
		if (!entry.details.empty())
			text += " " + std::string(entry.details);
		text += "\n";
		if (!entry.options.empty())
			text += "\n";
		for (auto const &option : entry.options)
			text += "- `" + option_words(option) + "`: " + std::string(option.help) + "\n";
		text += "\n";
	}
	return text;
}

} // namespace ezio::ctl
