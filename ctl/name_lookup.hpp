#pragma once

#include "ctl/connect_attempt.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace ezio::ctl
{

/// Looks names of hosts up in the background: the system's resolver takes as long as it likes for one name,
/// and must hold up no other. Used by one thread.
class name_lookup
{
public:
	struct answer {
		std::size_t node; ///< as it was asked for
		result<std::vector<socket_address>> addresses;
	};

	name_lookup();
	/// What is still being looked up is left to itself.
	~name_lookup();
	name_lookup(name_lookup const &) = delete;
	name_lookup &operator=(name_lookup const &) = delete;

	/// Readable when there are answers; -1 if the system had no descriptor, then ask collect() now and then.
	int fd() const;
	/// Does nothing while the node's name is being looked up already.
	void start(std::size_t node, host_and_port const &name);
	std::vector<answer> collect();

private:
	struct shared;
	std::shared_ptr<shared> m_shared;
};

} // namespace ezio::ctl
