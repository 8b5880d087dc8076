#pragma once

#include "actors/core/resume_store.hpp"
#include "actors/core/unique_fd.hpp"

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ezio
{

/// The text of a resume file: a line with the format's number, a line with the SHA-256 of the rest, and the
/// rest in bencoding (BEP 3). Does not hold the metainfo, which does not change and has a file of its own.
std::string encode_resume(kept_torrent const &torrent);
/// The inverse; request->torrent is @p metainfo. errc::integrity if a byte of it was damaged,
/// errc::unsupported if a later version wrote it.
result<kept_torrent> decode_resume(std::string_view text, std::string metainfo);

/// A directory with two files for each torrent: INFOHASH.torrent and INFOHASH.resume. One process has it at a
/// time.
class resume_files final : public resume_store
{
public:
	/// Makes the directory, and those above it, if need be (mode 0700), and locks it. errc::already_exists if
	/// another process has it.
	static result<std::unique_ptr<resume_files>> open(std::string directory);

	result<void> save(kept_torrent const &torrent) override;
	result<void> erase(std::string const &info_hash) override;

	/// All that is kept, oldest first; and of what cannot be read, why: those files stay where they are.
	struct contents {
		std::vector<kept_torrent> torrents;
		std::vector<error> faults;
	};
	result<contents> load() const;

private:
	resume_files(std::string directory, unique_fd lock);

	std::string path_of(std::string const &info_hash, char const *suffix) const;
	result<kept_torrent> load_one(std::string const &info_hash) const;

	std::string m_directory;
	unique_fd m_lock;
	std::set<std::string> m_written; ///< torrents whose metainfo is there
};

} // namespace ezio
