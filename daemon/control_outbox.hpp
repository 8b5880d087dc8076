#pragma once

#include "actors/control_types.hpp"
#include "actors/core/unique_fd.hpp"
#include "daemon/access_list.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace ezio
{

/// Events waiting for the socket's thread; the oldest beyond it are dropped, which subscribers see as a gap.
inline constexpr std::size_t control_events_max = 65536;

/// Whom a reply goes to.
struct return_address {
	std::string identity;
	bool has_delimiter = false;
};

struct queued_reply {
	return_address to;
	nlohmann::json id;
	control_reply reply;
};

struct queued_event {
	std::uint64_t sequence = 0;
	event what;
};

/// Where other threads leave what the thread of the sockets shall do. Outlives them as long as an answer is
/// outstanding. All members may be called from any thread; none blocks for long.
class control_outbox
{
public:
	static result<std::shared_ptr<control_outbox>> create();
	explicit control_outbox(unique_fd fd) : m_event_fd(std::move(fd)) {}

	void add(queued_reply reply);
	void add(queued_event e);
	/// From now on these clients are let in.
	void set(access_list clients);
	void close();

	struct content {
		std::deque<queued_reply> replies;
		std::deque<queued_event> events;
		std::optional<access_list> clients;
		bool is_closed = false;
	};
	/// All that has come since the last call.
	content take();

	/// Readable while there is something to take.
	int event_fd() const { return m_event_fd.number(); }

private:
	void wake() const;

	unique_fd m_event_fd;
	std::mutex m_mutex;
	content m_content; ///< guarded by m_mutex
};

} // namespace ezio
