#pragma once

#include "actors/core/result.hpp"
#include "daemon/metrics.hpp"

#include <functional>
#include <memory>
#include <string>

namespace ezio
{

/// Serves what a snapshot says under http://ADDRESS/metrics, in Prometheus' text format, with two threads of
/// its own while it listens: one accepts, one answers, so that whatever clients do costs no more than one
/// core. All functions may be called from any thread.
class metrics_endpoint
{
public:
	/// @p take is called by the thread that answers, one call at a time; it may wait for some seconds.
	explicit metrics_endpoint(std::function<metrics_snapshot()> take);
	/// As close().
	~metrics_endpoint();

	/// Listens on "127.0.0.1:9417" instead of where it did before; empty: nowhere. On failure
	/// everything is as it was. Waits for the old threads as close() does.
	result<void> listen(std::string const &address);
	/// Ends for good. A client that is being answered is cut short; one that hangs holds it up for
	/// timeouts::metrics_client, and a snapshot that is being taken as long as that takes.
	void close();

private:
	class impl;
	std::unique_ptr<impl> m_impl;
};

} // namespace ezio
