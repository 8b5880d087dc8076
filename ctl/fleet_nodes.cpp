#include "ctl/fleet_nodes.hpp"

#include "ctl/connect_attempt.hpp"

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace ezio::ctl
{

namespace
{

constexpr std::uintmax_t file_bytes_max = 4u << 20;

/// "10.0.0.7", "lab7:5555", "[fe80::1]", "tcp://...", "ipc://..." as a URL.
result<std::string> url_of(std::string const &word)
{
	if (word.starts_with("ipc://"))
		return word.size() > 6 ? result<std::string>(word)
							   : make_error(errc::invalid_argument, "ipc:// needs a path");
	auto url = word.starts_with("tcp://") ? word : "tcp://" + word;
	// The colons of an IPv6 address stand in brackets.
	auto const host_end = url[6] == '[' ? url.find(']') : 6;
	if (host_end != std::string::npos && url.find(':', host_end) == std::string::npos)
		url += ":" + std::string(fleet_port);
	auto const parts = split_tcp(url);
	auto const is_bare_v6 = parts && url[6] != '[' && parts->host.find(':') != std::string::npos;
	if (!parts || is_bare_v6 || url.find('/', 6) != std::string::npos)
		return make_error(errc::invalid_argument,
			"\"" + word + "\": expected HOST, HOST:PORT, tcp://HOST:PORT or ipc://PATH");
	return url;
}

/// Refuses what would count one node twice.
class fleet_builder
{
public:
	explicit fleet_builder(daemon_endpoint const &defaults) : m_defaults(defaults) {}

	result<void> add(
		std::string const &name, std::string const &endpoint, std::optional<std::string> server_key)
	{
		auto const url = url_of(endpoint);
		if (!url)
			return url.failure();
		if (nodes.size() == fleet_nodes_max)
			return make_error(
				errc::invalid_argument, "more than " + std::to_string(fleet_nodes_max) + " nodes");
		if (auto const [other, is_new] = m_names.emplace(name, nodes.size()); !is_new)
			return make_error(errc::invalid_argument, "the name \"" + name + "\" is there twice");
		if (auto const [other, is_new] = m_urls.emplace(*url, nodes.size()); !is_new)
			return make_error(errc::invalid_argument,
				*url + " is the endpoint of \"" + nodes[other->second].name + "\" already");
		fleet_node node{name, m_defaults};
		node.daemon.url = *url;
		if (server_key)
			node.daemon.server_key = std::move(server_key);
		nodes.push_back(std::move(node));
		return {};
	}

	std::vector<fleet_node> nodes;

private:
	daemon_endpoint const &m_defaults;
	std::map<std::string, std::size_t> m_names;
	std::map<std::string, std::size_t> m_urls;
};

result<std::vector<fleet_node>> parse_list(std::string_view list, daemon_endpoint const &defaults)
{
	fleet_builder builder(defaults);
	while (!list.empty()) {
		auto const comma = list.find(',');
		auto const word = std::string(list.substr(0, comma));
		list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
		if (word.empty())
			continue;
		auto const added = builder.add(word, word, std::nullopt);
		if (!added)
			return make_error(errc::invalid_argument, "--nodes: " + added.failure().message);
	}
	if (builder.nodes.empty())
		return make_error(errc::invalid_argument, "--nodes names no node");
	return std::move(builder.nodes);
}

} // namespace

result<std::vector<fleet_node>> parse_fleet(
	std::string_view text, std::string const &origin, daemon_endpoint const &defaults)
{
	fleet_builder builder(defaults);
	std::istringstream lines{std::string(text)};
	std::string line;
	for (std::size_t number = 1; std::getline(lines, line); ++number) {
		std::istringstream words(line);
		std::vector<std::string> found;
		for (std::string word; words >> word;)
			found.push_back(word);
		if (found.empty() || found.front().front() == '#')
			continue;
		auto const wrong = [&](std::string const &why) {
			return make_error(
				errc::invalid_argument, origin + " line " + std::to_string(number) + ": " + why);
		};
		if (found.size() > 3)
			return wrong("expected NAME [ENDPOINT [SERVER-KEY]]");
		auto const added = builder.add(found[0], found.size() > 1 ? found[1] : found[0],
			found.size() > 2 ? std::optional(found[2]) : std::nullopt);
		if (!added)
			return wrong(added.failure().message);
	}
	if (builder.nodes.empty())
		return make_error(errc::invalid_argument, origin + " names no node");
	return std::move(builder.nodes);
}

result<std::vector<fleet_node>> read_fleet(std::string const &file_or_list, daemon_endpoint const &defaults)
{
	std::error_code failure;
	auto const kind = std::filesystem::status(file_or_list, failure).type();
	if (kind == std::filesystem::file_type::not_found || kind == std::filesystem::file_type::none) {
		// A host has no slash but in an ipc endpoint; a path that is misspelt should not become a host.
		if (file_or_list.find('/') != std::string::npos && file_or_list.find("://") == std::string::npos)
			return make_error(errc::not_found, "--nodes: there is no file " + file_or_list);
		return parse_list(file_or_list, defaults);
	}
	errno = 0;
	std::ifstream file(file_or_list, std::ios::binary);
	std::string text;
	char buffer[4096];
	while (file && text.size() <= file_bytes_max) {
		file.read(buffer, sizeof buffer);
		text.append(buffer, static_cast<std::size_t>(file.gcount()));
	}
	if (text.size() > file_bytes_max)
		return make_error(
			errc::invalid_argument, "--nodes: " + file_or_list + " is too long for a list of nodes");
	if (!file.eof()) {
		auto e = make_error(errc::invalid_argument, "--nodes: cannot read " + file_or_list);
		e.os_errno = errno;
		return e;
	}
	return parse_fleet(text, file_or_list, defaults);
}

} // namespace ezio::ctl
