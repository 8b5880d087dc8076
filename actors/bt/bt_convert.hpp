#pragma once

#include "actors/core/disk_job.hpp"
#include "actors/core/error.hpp"
#include "actors/core/result.hpp"

#include <libtorrent/error_code.hpp>
#include <libtorrent/fwd.hpp>
#include <libtorrent/info_hash.hpp>
#include <libtorrent/settings_pack.hpp>
#include <libtorrent/sha1_hash.hpp>
#include <libtorrent/socket.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace ezio
{

/// Our error as libtorrent shall see it. libtorrent stops a torrent only for some errors: a full or read-only
/// device would merely switch it to upload mode, without a word. Failed writes therefore all look like EIO;
/// the operator gets the true story from the event. Later failures of a storage that has failed already look
/// like an aborted operation, which is not reported again.
lt::storage_error to_lt_error(error const &failure, job_kind kind, bool is_first_failure);

/// "0123..." of v1, or of the first 20 bytes of v2 where there is no v1.
std::string to_hex(lt::info_hash_t const &hashes);

lt::sha1_hash to_lt(sha1_digest const &digest);
lt::sha256_hash to_lt(sha256_digest const &digest);

/// "10.0.0.7:6881" or "[fe80::1]:6881".
std::string to_text(lt::tcp::endpoint const &endpoint);

/// Resolves "host:port", "a.b.c.d:port" or "[v6]:port" to all its addresses. May block on the resolver.
result<std::vector<lt::tcp::endpoint>> resolve_endpoints(std::string const &host_and_port);

/// Sets one of libtorrent's own settings from text: integers, true/false, or strings. errc::unknown_key or
/// errc::out_of_range.
result<void> set_libtorrent_setting(lt::settings_pack &pack, std::string_view key, std::string_view value);

/// May the operator set this one of libtorrent's settings? Not those that a key of ours stands for, whose
/// value would then be shown and not be in force, nor those of the disk I/O that the partitions replace,
/// which nothing reads: errc::unsupported, with the key to use.
result<void> check_is_ours_to_pass(std::string_view key);

} // namespace ezio
