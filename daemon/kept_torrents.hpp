#pragma once

#include "actors/bt/resume_files.hpp"
#include "actors/core/checkpoint_policy.hpp"
#include "actors/core/rate_pacer.hpp"
#include "actors/core/torrent_session.hpp"
#include "config/config.hpp"

#include <memory>
#include <string>

namespace ezio
{

/// Opens the directory that `state.directory` names. Null, with the reason in @p why, if nothing is to be
/// kept, or if the place that "auto" means cannot be used; a directory that was asked for by its name must be
/// usable.
result<std::shared_ptr<resume_files>> open_state_directory(configuration const &config, std::string &why);

/// sync-interval and sync-size.
checkpoint_limits checkpoint_limits_of(configuration const &config);
/// verify-rate.
verify_rate verify_rate_of(configuration const &config);

/// The request that goes on with a torrent.
add_request to_add_request(kept_torrent const &kept);

} // namespace ezio
