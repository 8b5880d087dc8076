#include "daemon/log_setup.hpp"

#include "actors/core/unix_time.hpp"
#include "config/schema.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace ezio
{

namespace
{

class json_formatter : public spdlog::formatter
{
public:
	void format(spdlog::details::log_msg const &message, spdlog::memory_buf_t &to) override
	{
		auto const since_epoch = message.time.time_since_epoch();
		auto const level = spdlog::level::to_string_view(message.level);
		auto const text = [](spdlog::string_view_t view) { return std::string(view.data(), view.size()); };
		nlohmann::ordered_json const line{
			{"unix_ms", std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()},
			{"level", text(level)}, {"component", text(message.logger_name)},
			{"message", text(message.payload)}};
		// File names need not be UTF-8.
		auto const bytes = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
		to.append(bytes.data(), bytes.data() + bytes.size());
	}
	std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<json_formatter>(); }
};

/// Stamps messages with the time that the system's clock shows, since spdlog's own does not follow it here.
class clock_formatter : public spdlog::formatter
{
public:
	explicit clock_formatter(std::unique_ptr<spdlog::formatter> inner) : m_inner(std::move(inner)) {}

	void format(spdlog::details::log_msg const &message, spdlog::memory_buf_t &to) override
	{
		auto stamped = message;
		stamped.time = spdlog::log_clock::time_point(std::chrono::milliseconds(unix_ms_now()));
		m_inner->format(stamped, to);
	}
	std::unique_ptr<spdlog::formatter> clone() const override
	{
		return std::make_unique<clock_formatter>(m_inner->clone());
	}

private:
	std::unique_ptr<spdlog::formatter> m_inner;
};

std::optional<spdlog::level::level_enum> level_from(std::string_view name)
{
	static constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 7> levels{{
		{"trace", spdlog::level::trace},
		{"debug", spdlog::level::debug},
		{"info", spdlog::level::info},
		{"warning", spdlog::level::warn},
		{"error", spdlog::level::err},
		{"critical", spdlog::level::critical},
		{"off", spdlog::level::off},
	}};
	for (auto const &[word, level] : levels)
		if (word == name)
			return level;
	return std::nullopt;
}

result<std::map<std::string, spdlog::level::level_enum>> parse_levels(
	std::string const &level, std::vector<std::string> const &levels)
{
	auto const common = level_from(level);
	if (!common)
		return make_error(errc::out_of_range, "\"" + level + "\" is no log level");
	std::map<std::string, spdlog::level::level_enum> parsed;
	for (auto const component : log_component_names())
		parsed.emplace(component, *common);
	for (auto const &item : levels) {
		auto const equals = item.find('=');
		auto const found = parsed.find(item.substr(0, equals));
		auto const own = equals == std::string::npos ? std::nullopt
													 : level_from(std::string_view(item).substr(equals + 1));
		if (found == parsed.end() || !own)
			return make_error(errc::out_of_range, "\"" + item + "\" is not COMPONENT=LEVEL");
		found->second = *own;
	}
	return parsed;
}

} // namespace

result<void> open_log(log_options const &options)
{
	auto const levels = parse_levels(options.level, options.levels);
	if (!levels)
		return levels.failure();
	spdlog::sink_ptr sink;
	try {
		if (options.file.empty())
			sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
		else
			sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
	} catch (spdlog::spdlog_ex const &e) {
		return make_error(errc::io_error, std::string("log file: ") + e.what());
	}
	std::unique_ptr<spdlog::formatter> line;
	if (options.is_json)
		line = std::make_unique<json_formatter>();
	else
		line = std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%e%z %l %n: %v");
	sink->set_formatter(std::make_unique<clock_formatter>(std::move(line)));
	for (auto const &[component, level] : *levels) {
		auto logger = std::make_shared<spdlog::logger>(component, sink);
		logger->set_level(level);
		logger->flush_on(spdlog::level::info);
		spdlog::drop(component);
		spdlog::register_logger(std::move(logger));
	}
	spdlog::set_default_logger(spdlog::get("daemon"));
	return {};
}

result<void> set_log_levels(std::string const &level, std::vector<std::string> const &levels)
{
	auto const parsed = parse_levels(level, levels);
	if (!parsed)
		return parsed.failure();
	for (auto const &[component, own] : *parsed)
		if (auto const logger = spdlog::get(component))
			logger->set_level(own);
	return {};
}

std::shared_ptr<spdlog::logger> component_log(std::string const &component)
{
	auto logger = spdlog::get(component);
	return logger ? logger : spdlog::default_logger();
}

} // namespace ezio
