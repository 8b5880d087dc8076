#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace ezio::ctl
{

/// A `report` reply as text that can be filed: one block a torrent, times in UTC.
std::string render_report(nlohmann::json const &reply);

} // namespace ezio::ctl
