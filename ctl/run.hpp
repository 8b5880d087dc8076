#pragma once

#include "actors/core/result.hpp"
#include "ctl/client.hpp"
#include "ctl/commands.hpp"
#include "ctl/console.hpp"
#include "ctl/torrent_list.hpp"
#include "ctl/wire/status.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ezio::ctl
{

/// The parts of the environment that count. Read once, in main.
struct environment {
	std::optional<std::string> endpoint;   ///< EZIO_ENDPOINT
	std::optional<std::string> key;        ///< EZIO_KEY
	std::optional<std::string> server_key; ///< EZIO_SERVER_KEY
	bool no_color = false;                 ///< NO_COLOR is set and not empty, or TERM is "dumb"
};

/// Runs one command line and reports its failure. Never throws; the number is the exit status.
int run(std::vector<std::string> const &arguments, environment const &env, console const &io);

/// One command under way: what it was asked, how it talks to the daemon and where it prints.
struct command_context {
	invocation const &line;
	global_settings const &settings;
	console const &io;
};

/// How long one request may take unless --timeout says otherwise.
inline constexpr std::chrono::seconds request_time{15};
/// The daemon itself allows a sleeping disk a minute to answer the safety checks.
inline constexpr std::chrono::seconds add_time{75};

clock::time_point deadline_in(
	std::optional<std::chrono::duration<double>> timeout, std::chrono::seconds otherwise);
/// One request on a connection of its own.
result<nlohmann::json> ask(command_context const &context, std::string_view verb, nlohmann::json const &args,
	std::chrono::seconds otherwise = request_time);
/// Operands as selectors; a relative path becomes absolute, as `add` made it.
std::vector<std::string> selectors_of(invocation const &line);
/// @p path behind the working directory if it is relative. Symbolic links stay as they are.
std::string absolute_path(std::string const &path);
/// Writes one JSON document on one line, with its schema number.
void print_document(command_context const &context, nlohmann::json document);
/// Flushes standard output; false if nobody reads it any more.
bool flush_output(command_context const &context);
/// False if interrupted before the time was over.
bool sleep_for(console const &io, std::chrono::duration<double> time);

using handler_result = result<wire::exit_status>;
using handler = handler_result (*)(command_context const &);
/// Null if the verb has none: a test forbids it.
handler find_handler(std::string_view verb);

handler_result run_status(command_context const &context);
/// What --sort says; by name without it.
result<sort_key> read_sort_key(invocation const &line);
handler_result run_top(command_context const &context);
handler_result run_events(command_context const &context);
handler_result run_wait(command_context const &context);
handler_result run_add(command_context const &context);
handler_result run_create(command_context const &context);
handler_result run_inspect(command_context const &context);
handler_result run_fleet(command_context const &context);
handler_result run_tune(command_context const &context);
/// Adds what --upload-limit, --download-limit and --priority say to the arguments of a request.
result<void> read_tuning(invocation const &line, nlohmann::json &args);
handler_result run_keygen(command_context const &context);

} // namespace ezio::ctl
