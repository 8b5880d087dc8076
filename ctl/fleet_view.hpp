#pragma once

#include "ctl/torrent_list.hpp"
#include "ctl/wire/status.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ezio::ctl
{

/// What is known of one node: its last list of torrents, and why its last request failed, if it did.
struct node_facts {
	std::string name;
	std::string endpoint;
	bool is_answered = false; ///< list is what it said last, however long ago
	torrent_list list;
	std::optional<error> failure;
};

/// How a node stands, the worst first: the order of rows.
enum class node_standing : std::uint8_t {
	failed,      ///< a torrent is in error, or the daemon answered with one
	unreachable, ///< nobody answers there, in time or at all
	asking,      ///< it has not been heard of yet
	empty,       ///< no torrent, or none of those asked for
	paused,
	active,
	done ///< all torrents complete and on stable storage
};
std::string_view to_string(node_standing standing);

/// One node in a row.
struct node_row {
	std::string name;
	std::string endpoint;
	node_standing standing = node_standing::asking;
	std::string state;      ///< the worst of its torrents' states, or the standing's name
	bool is_source = false; ///< all of its torrents were added as seeds
	std::size_t torrents = 0;
	std::uint64_t size_bytes = 0;
	std::uint64_t done_bytes = 0;
	std::uint64_t downloaded_bytes = 0;
	std::uint64_t uploaded_bytes = 0;
	std::uint64_t down_rate = 0;
	std::uint64_t up_rate = 0;
	std::uint64_t peers = 0;
	double progress = 0;                      ///< of all its torrents, by size
	std::optional<std::uint64_t> eta_seconds; ///< of its last torrent; nothing if that is not known
	std::optional<error> failure;             ///< the worst
	wire::exit_status status = wire::exit_status::done;
};

/// A node that does not answer keeps the figures that it told last.
node_row make_node_row(node_facts const &facts);

struct fleet_totals {
	std::map<node_standing, std::size_t> counts;
	std::size_t nodes = 0;
	std::uint64_t size_bytes = 0; ///< of the nodes that are no source, as is done_bytes
	std::uint64_t done_bytes = 0;
	std::uint64_t down_rate = 0;
	std::uint64_t up_rate = 0;
	/// Until the last active node is done; nothing if there is none or one of them does not know.
	std::optional<std::uint64_t> eta_seconds;
	std::uint64_t source_uploaded_bytes = 0;
	std::uint64_t source_up_rate = 0;
	std::uint64_t source_size_bytes = 0; ///< of what the sources hold, each image once
	/// Worst of all: 4, 5, 3, others, 7, 6, 0.
	wire::exit_status status = wire::exit_status::done;

	std::size_t count(node_standing standing) const
	{
		auto const found = counts.find(standing);
		return found == counts.end() ? 0 : found->second;
	}
};
fleet_totals sum_up(std::vector<node_facts> const &nodes, std::vector<node_row> const &rows);

/// Indices into @p rows: the worst standing first, then who will be last, then by name.
std::vector<std::size_t> worst_first(std::vector<node_row> const &rows);
/// The worse of two, as fleet_totals::status has it.
wire::exit_status worse(wire::exit_status a, wire::exit_status b);

/// The document of `fleet --json`, without its schema number; docs/cli.md lists the members.
nlohmann::json fleet_to_json(std::vector<node_facts> const &nodes);

} // namespace ezio::ctl
