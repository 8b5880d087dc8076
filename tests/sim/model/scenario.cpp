#include "tests/sim/model/scenario.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <variant>

namespace ezio::sim
{

namespace
{

using field =
	std::variant<std::uint64_t scenario::*, std::uint32_t scenario::*, double scenario::*, bool scenario::*>;

struct key {
	char const *name;
	field where;
	double least;
	double most;
	char const *meaning;
};

// What TCP carries of a line's bits at MTU 1500: 1460 of 1538.
constexpr double payload_share = 0.949;

constexpr key keys[] = {
	{"seed", &scenario::seed, 0, 1e18, "the same seed gives the same result"},
	{"nodes", &scenario::nodes, 1, 20000, "besides the source"},
	{"mbit", &scenario::mbit, 1, 1e6, "line rate of each link, each way"},
	{"overhead", &scenario::overhead, 0, 0.5,
		"share of the TCP payload rate that something else takes: acknowledgements, BitTorrent's messages, "
		"losses"},
	{"pieces", &scenario::pieces, 1, 65000, "of the image"},
	{"piece_kib", &scenario::piece_kib, 16, 65536, "size of a piece"},
	{"chunk_kib", &scenario::chunk_kib, 16, 65536, "what a link sends in one go; divides piece_kib"},
	{"window", &scenario::window, 1, 1000, "chunks under way on a connection, for each link after the first"},
	{"start_s", &scenario::start_s, 0, 1e6,
		"from the order to start until a node is connected to the source"},
	{"jitter_s", &scenario::jitter_s, 0, 1e6, "starts are spread over so much"},
	{"discover_s", &scenario::discover_s, 0, 1e6, "from there until a node knows the others"},
	{"reaction_s", &scenario::reaction_s, 0, 1e6, "from a piece's last byte until neighbours may ask for it"},
	{"conns", &scenario::conns, 1, 5000, "connections of a node at most; three quarters are sought"},
	{"source_conns", &scenario::source_conns, 1, 20000, "connections of the source at most"},
	{"queue_s", &scenario::queue_s, 0, 1e6,
		"requests under way on a connection: for so long a time at its rate"},
	{"queue_kib", &scenario::queue_kib, 16, 1e9, "... and at most so much; always one piece"},
	{"whole", &scenario::whole, 0, 1,
		"a piece is asked of one neighbour as a whole; else of several, in chunks"},
	{"slots", &scenario::slots, 0, 5000, "peers that a node serves at once; 0: all"},
	{"source_slots", &scenario::source_slots, 0, 20000, "the same of the source"},
	{"turn", &scenario::turn, 0, 65000, "pieces after which a slot goes to the next one who waits; 0: not"},
	{"rechoke_s", &scenario::rechoke_s, 0.1, 1e6, "how often slots are given anew, to those who gave most"},
	{"directed", &scenario::directed, 0, 1,
		"the source gives each piece to one node until each is out once, then serves all"},
	{"ahead", &scenario::ahead, 1, 65000, "... and has so many pieces on their way at once"},
	{"rack", &scenario::rack, 0, 20000, "nodes in a rack; 0: all on one switch. The source is outside"},
	{"oversubscribed", &scenario::oversubscribed, 1, 1000, "links of a rack's nodes by its uplink"},
	{"local", &scenario::local, 0, 1, "share of the neighbours sought in a node's own rack"},
	{"prefer_rack", &scenario::prefer_rack, 0, 1,
		"nothing is asked from elsewhere that a neighbour in the rack has"},
	{"stagger_s", &scenario::stagger_s, 0, 1e6, "the order to start reaches the nodes over so much time"},
	{"late", &scenario::late, 0, 20000, "nodes that start when half is done"},
	{"slow", &scenario::slow, 0, 20000, "nodes with a slower link"},
	{"slow_share", &scenario::slow_share, 0.001, 1, "... and what it has of the others' rate"},
	{"kill", &scenario::kill, 0, 0.99, "share of the nodes that die when half is done"},
	{"lose_source", &scenario::lose_source, 0, 1, "the source dies when the nodes have each piece"},
};

std::string number_text(double value)
{
	char text[32];
	return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.10g", value))};
}

double value_of(scenario const &s, key const &k)
{
	return std::visit([&](auto member) { return static_cast<double>(s.*member); }, k.where);
}

} // namespace

double scenario::payload_rate() const
{
	return mbit * 1e6 / 8 * payload_share;
}

std::optional<std::string> assign(scenario &s, std::string_view argument)
{
	auto const equals = argument.find('=');
	for (key const &k : keys) {
		if (equals == std::string_view::npos || argument.substr(0, equals) != k.name) {
			continue;
		}
		auto const text = argument.substr(equals + 1);
		double value = 0;
		auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
		bool const is_whole = std::trunc(value) == value;
		if (failure != std::errc{} || end != text.data() + text.size() ||
			!(value >= k.least && value <= k.most) ||
			(!std::holds_alternative<double scenario::*>(k.where) && !is_whole)) {
			return std::string(argument) + ": not a number that " + k.name +
				" may be: " + number_text(k.least) + " to " + number_text(k.most);
		}
		std::visit(
			[&](auto member) { s.*member = static_cast<std::decay_t<decltype(s.*member)>>(value); }, k.where);
		return std::nullopt;
	}
	return std::string(argument) + ": not KEY=VALUE of a known key; see --help";
}

std::optional<std::string> find_fault(scenario const &s)
{
	if (s.piece_kib % s.chunk_kib != 0 || s.chunks_per_piece() > 64) {
		return "piece_kib is not chunk_kib times 1 to 64";
	}
	if (s.late + s.slow >= s.nodes) {
		return "no node is left that is neither late nor slow";
	}
	return std::nullopt;
}

std::string describe_keys()
{
	std::string text;
	scenario const defaults;
	for (key const &k : keys) {
		char head[64];
		std::snprintf(head, sizeof head, "  %-15s %-6s ", k.name, number_text(value_of(defaults, k)).c_str());
		text += std::string(head) + k.meaning + "\n";
	}
	return text;
}

std::string to_json_members(scenario const &s)
{
	std::string text;
	for (key const &k : keys) {
		text += std::string(text.empty() ? "" : ", ") + "\"" + k.name + "\": " + number_text(value_of(s, k));
	}
	return text;
}

} // namespace ezio::sim
