#include "actors/core/posix_device_claim.hpp"
#include "actors/core/target_check.hpp"
#include "actors/core/target_rules.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <iterator>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

namespace ezio
{
namespace
{

std::string path_of(unique_fd const &fd)
{
	return "/proc/self/fd/" + std::to_string(fd.number());
}

/// Opens what @p fd is, once more. The new descriptor is of the same device whatever its path means by now.
unique_fd open_again(unique_fd const &fd, int flags)
{
	return unique_fd(::open(path_of(fd).c_str(), flags | O_CLOEXEC));
}

/// Removes a file that was created for a claim, unless the claim succeeded.
class created_file
{
public:
	created_file() = default;
	~created_file()
	{
		// Nothing more can be done about a file that stays: it is empty, and the caller gets the error that
		// led here.
		if (!m_path.empty())
			::unlink(m_path.c_str());
	}
	created_file(created_file const &) = delete;
	created_file &operator=(created_file const &) = delete;
	void created(std::string path) { m_path = std::move(path); }
	void keep() { m_path.clear(); }
	explicit operator bool() const { return !m_path.empty(); }

private:
	std::string m_path;
};

/// A claim that lives, or lived, and what it is of.
struct known_claim {
	std::weak_ptr<posix_device_claim> claim;
	std::uint64_t device_number = 0;
	std::uint64_t inode = 0;
	storage_identity storage;
};

/// What a descriptor is of, under whatever path.
struct opened_node {
	std::uint64_t device_number = 0;
	std::uint64_t inode = 0; ///< files only
	friend bool operator==(opened_node const &, opened_node const &) = default;
};

result<opened_node> node_of(unique_fd const &fd, std::string const &path)
{
	struct stat status {
	};
	if (::fstat(fd.number(), &status) != 0)
		return make_system_error("fstat", path, errno);
	if (S_ISBLK(status.st_mode))
		return opened_node{status.st_rdev, 0};
	return opened_node{status.st_dev, status.st_ino};
}

/// Lets a refusal pass that the operator overrides.
result<void> unless_allowed(target_request const &request, result<void> outcome)
{
	if (outcome)
		return {};
	auto const &e = outcome.failure();
	if (e.code != errc::target_refused || !request.allowed_checks.contains(e.check))
		return outcome;
	return {};
}

class posix_device_registry final : public device_registry
{
public:
	explicit posix_device_registry(registry_options options)
		: m_direct(options.direct), m_engines(std::move(options.engines)), m_paths(options.paths),
		  m_topology(std::move(options.paths))
	{
	}

	result<std::shared_ptr<device_claim>> claim(
		target_request const &request, std::string const &info_hash, extent_map const &extents) override;
	void release(std::string const &info_hash) override;

private:
	/// The right to claim one device or file, waited for while another thread does.
	class turn
	{
	public:
		turn(posix_device_registry &registry, opened_node node);
		~turn();
		turn(turn const &) = delete;
		turn &operator=(turn const &) = delete;

	private:
		posix_device_registry &m_registry;
		opened_node m_node;
	};

	result<unique_fd> open_to_look(
		target_request const &request, std::uint64_t highest_end_bytes, created_file &created) const;
	result<unique_fd> create_file(std::string const &path) const;
	result<target_facts> look(
		target_request const &request, unique_fd const &fd, extent_map const &extents) const;
	result<void> check_device(target_request const &request, target_facts const &target,
		extent_map const &extents, bool was_created) const;
	/// Is anything else using the device? The value says if what makes O_EXCL fail was overridden.
	result<bool> check_users(target_request const &request, target_facts const &target) const;
	/// The extents count as in use from now on, if no other torrent uses them.
	result<void> use_extents(extents_in_use use, target_facts const &target);
	void give_back_last(std::string const &info_hash);
	result<std::shared_ptr<posix_device_claim>> claim_unused(
		target_request const &request, target_facts const &target, unique_fd looked);
	result<std::shared_ptr<posix_device_claim>> claim_in_turn(target_request const &request,
		std::string const &info_hash, extent_map const &extents, unique_fd looked, bool was_created);
	result<std::shared_ptr<posix_device_claim>> open_claim(
		target_request const &request, target_facts const &target, unique_fd looked, bool is_busy_by_choice);
	result<unique_fd> open_block_device(
		target_request const &request, unique_fd const &looked, bool is_busy_by_choice) const;
	result<std::shared_ptr<file_lock>> lock_file(
		target_request const &request, target_facts const &target, unique_fd const &looked);
	std::shared_ptr<posix_device_claim> find_claim(target_facts const &target, device_access access);
	std::shared_ptr<flush_history> flushes_of(disk_identity const &disk);

	direct_io_mode m_direct;
	std::shared_ptr<io_engine_choice> m_engines;
	system_paths m_paths;
	block_topology m_topology;
	/// Held for a look or a change only: a device that hangs keeps nobody but who wants that device.
	std::mutex m_mutex;
	std::condition_variable m_turn_ended;
	std::vector<opened_node> m_turns;     ///< being claimed; guarded by m_mutex
	std::vector<known_claim> m_claims;    ///< guarded by m_mutex
	std::vector<extents_in_use> m_in_use; ///< guarded by m_mutex
	/// By device number of the disk; guarded by m_mutex.
	std::map<std::uint64_t, std::weak_ptr<flush_history>> m_flushes;
};

posix_device_registry::turn::turn(posix_device_registry &registry, opened_node node)
	: m_registry(registry), m_node(node)
{
	std::unique_lock lock(registry.m_mutex);
	auto &turns = registry.m_turns;
	registry.m_turn_ended.wait(
		lock, [&] { return std::find(turns.begin(), turns.end(), node) == turns.end(); });
	turns.push_back(node);
}

posix_device_registry::turn::~turn()
{
	{
		std::lock_guard const lock(m_registry.m_mutex);
		std::erase(m_registry.m_turns, m_node);
	}
	m_registry.m_turn_ended.notify_all();
}

result<unique_fd> posix_device_registry::create_file(std::string const &path) const
{
	auto parent = std::filesystem::path(path).parent_path();
	if (parent.empty())
		parent = ".";
	struct stat status {
	};
	if (::stat(parent.c_str(), &status) != 0)
		return make_system_error("stat", parent.string(), errno);
	auto const mounts = m_topology.mounts();
	if (!mounts)
		return mounts.failure();
	// A mistyped device name must not become a file in memory.
	std::error_code ec;
	bool const is_dev = std::filesystem::equivalent(parent, "/dev", ec) ||
		std::any_of(mounts->begin(), mounts->end(), [&](mounted_file_system const &mount) {
			return mount.device_number == status.st_dev && mount.type == "devtmpfs";
		});
	if (is_dev)
		return refuse_target("missing", path, "no such device", "no image file is created below /dev");
	unique_fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
	if (!fd && errno == EROFS)
		return refuse_target("read-only", path, "the file system is mounted read-only");
	if (!fd)
		return make_system_error("open", path, errno);
	return fd;
}

result<unique_fd> posix_device_registry::open_to_look(
	target_request const &request, std::uint64_t highest_end_bytes, created_file &created) const
{
	// O_PATH first: a terminal or a pipe must not be opened only to learn what it is.
	unique_fd const found(::open(request.path.c_str(), O_PATH | O_CLOEXEC));
	if (!found) {
		if (errno != ENOENT && errno != ENOTDIR)
			return make_system_error("open", request.path, errno);
		if (request.access == device_access::read_only)
			return refuse_target("missing", request.path, "it does not exist");
		if (!request.allowed_checks.contains("missing") && !request.allowed_checks.contains("too-small"))
			return refuse_target("missing", request.path, "it does not exist",
				"--allow missing creates a sparse image file of " + std::to_string(highest_end_bytes) +
					" bytes");
		auto fd = create_file(request.path);
		if (fd)
			created.created(request.path);
		return fd;
	}
	struct stat status {
	};
	if (::fstat(found.number(), &status) != 0)
		return make_system_error("fstat", request.path, errno);
	if (!S_ISBLK(status.st_mode) && !S_ISREG(status.st_mode))
		return refuse_target("not-a-target", request.path, "neither a block device nor a regular file");
	auto fd = open_again(found, O_RDONLY | O_NONBLOCK);
	if (!fd)
		return make_system_error("open", request.path, errno);
	return fd;
}

result<target_facts> posix_device_registry::look(
	target_request const &request, unique_fd const &fd, extent_map const &extents) const
{
	auto facts = read_device_facts(fd.number(), request.path);
	if (!facts)
		return facts.failure();
	target_facts target;
	target.path = request.path;
	target.access = request.access;
	target.device = *facts;
	target.highest_end_bytes = extents.highest_end_bytes();
	if (facts->geometry.is_block_device) {
		auto location = m_topology.locate_block_device(facts->device_number);
		if (!location)
			return location.failure();
		target.location = std::move(location).value();
	} else {
		// A file that is about to grow counts with its future size.
		target.location = m_topology.locate_file(facts->device_number, facts->inode,
			std::max(facts->geometry.size_bytes, target.highest_end_bytes));
	}
	for (auto const &range : extents.device_ranges())
		target.ranges.push_back(
			{target.location.range.offset_bytes + range.offset_bytes, range.length_bytes});
	return target;
}

result<void> posix_device_registry::check_device(target_request const &request, target_facts const &target,
	extent_map const &extents, bool was_created) const
{
	bool const is_write = request.access == device_access::read_write;
	if (is_write) {
		if (auto ok = unless_allowed(request, check_write_protection(target)); !ok)
			return ok;
	}
	if (!was_created) {
		// What --allow cannot do: make a device larger, or an image whole that is only read.
		auto fits = check_size(target);
		if (is_write && !target.device.geometry.is_block_device)
			fits = unless_allowed(request, std::move(fits));
		if (!fits)
			return fits;
	}
	if (is_write)
		return unless_allowed(request, check_alignment(target, extents));
	return {};
}

result<void> posix_device_registry::use_extents(extents_in_use use, target_facts const &target)
{
	std::lock_guard const lock(m_mutex);
	if (auto ok = check_overlap(target, m_in_use); !ok)
		return ok;
	m_in_use.push_back(std::move(use));
	return {};
}

void posix_device_registry::give_back_last(std::string const &info_hash)
{
	std::lock_guard const lock(m_mutex);
	auto const last = std::find_if(m_in_use.rbegin(), m_in_use.rend(),
		[&](extents_in_use const &use) { return use.info_hash == info_hash; });
	m_in_use.erase(std::next(last).base());
}

result<bool> posix_device_registry::check_users(
	target_request const &request, target_facts const &target) const
{
	if (request.access != device_access::read_write)
		return false;
	auto const unmounted = check_mounts(target, m_topology);
	auto const unheld = check_holders(target, m_topology);
	for (auto const &outcome : {check_swap(target, m_topology), unmounted, unheld}) {
		if (auto ok = unless_allowed(request, outcome); !ok)
			return ok.failure();
	}
	return !unmounted || !unheld;
}

std::shared_ptr<posix_device_claim> posix_device_registry::find_claim(
	target_facts const &target, device_access access)
{
	std::lock_guard const lock(m_mutex);
	for (auto const &known : m_claims) {
		if (known.device_number != target.device.device_number || known.inode != target.device.inode ||
			known.storage != target.location.storage)
			continue;
		if (auto claim = known.claim.lock(); claim && claim->access() == access)
			return claim;
	}
	return nullptr;
}

/// Partitions of one disk share its write cache, and with it what a failed flush means.
std::shared_ptr<flush_history> posix_device_registry::flushes_of(disk_identity const &disk)
{
	std::lock_guard const lock(m_mutex);
	std::erase_if(m_flushes, [](auto const &known) { return known.second.expired(); });
	auto &known = m_flushes[disk.device_number];
	auto flushes = known.lock();
	if (!flushes)
		known = flushes = std::make_shared<flush_history>();
	return flushes;
}

result<unique_fd> posix_device_registry::open_block_device(
	target_request const &request, unique_fd const &looked, bool is_busy_by_choice) const
{
	auto fd = open_again(looked, O_RDWR | O_EXCL);
	if (fd)
		return fd;
	if (errno != EBUSY)
		return make_system_error("open", request.path, errno);
	if (!is_busy_by_choice && !request.allowed_checks.contains("excl-busy"))
		return refuse_target("excl-busy", request.path, "another program has the device open exclusively",
			"stop it, or --allow excl-busy");
	fd = open_again(looked, O_RDWR);
	if (!fd)
		return make_system_error("open", request.path, errno);
	return fd;
}

result<std::shared_ptr<file_lock>> posix_device_registry::lock_file(
	target_request const &request, target_facts const &target, unique_fd const &looked)
{
	std::shared_ptr<file_lock> lock;
	for (auto const access : {device_access::read_write, device_access::read_only}) {
		auto const other = find_claim(target, access);
		if (other && !lock)
			lock = other->lock();
	}
	bool const is_allowed = request.allowed_checks.contains("excl-busy");
	if (lock) {
		if (request.access == device_access::read_only)
			return lock;
		auto upgraded = lock->upgrade(request.path);
		if (!upgraded && !is_allowed)
			return upgraded.failure();
		return lock;
	}
	auto fd = open_again(looked, request.access == device_access::read_write ? O_RDWR : O_RDONLY);
	if (!fd && errno == EROFS)
		return refuse_target("read-only", request.path, "the file system is mounted read-only");
	if (!fd)
		return make_system_error("open", request.path, errno);
	auto taken = file_lock::take(std::move(fd), request.path, request.access);
	if (!taken && is_allowed)
		return std::shared_ptr<file_lock>();
	return taken;
}

result<std::shared_ptr<posix_device_claim>> posix_device_registry::open_claim(
	target_request const &request, target_facts const &target, unique_fd looked, bool is_busy_by_choice)
{
	bool const is_write = request.access == device_access::read_write;
	bool const must_grow = is_write && !target.device.geometry.is_block_device &&
		target.device.geometry.size_bytes < target.highest_end_bytes;
	if (auto existing = find_claim(target, request.access);
		existing && existing->geometry().size_bytes == target.device.geometry.size_bytes && !must_grow)
		return existing;

	std::shared_ptr<file_lock> lock;
	unique_fd fd = std::move(looked);
	if (target.device.geometry.is_block_device) {
		if (is_write) {
			auto opened = open_block_device(request, fd, is_busy_by_choice);
			if (!opened)
				return opened.failure();
			fd = std::move(opened).value();
		}
	} else {
		auto locked = lock_file(request, target, fd);
		if (!locked)
			return locked.failure();
		lock = std::move(locked).value();
		if (is_write) {
			auto writable = open_again(fd, O_RDWR);
			if (!writable)
				return make_system_error("open", request.path, errno);
			fd = std::move(writable);
		}
	}
	if (must_grow && ::ftruncate(fd.number(), static_cast<off_t>(target.highest_end_bytes)) != 0)
		return make_io_error("ftruncate", request.path, 0, target.highest_end_bytes, errno);
	auto const number = target.device.device_number;
	auto disk = target.device.geometry.is_block_device ? disk_of_block_device(number, m_paths)
													   : disk_of_file(number, m_paths);
	// A flush of a file fails for its own pages, and says nothing of other files.
	auto flushes = target.device.geometry.is_block_device ? flushes_of(disk) : nullptr;
	return posix_device_claim::make(request.path, request.access, m_direct, m_engines, std::move(fd),
		std::move(lock), std::move(disk), std::move(flushes));
}

result<std::shared_ptr<posix_device_claim>> posix_device_registry::claim_unused(
	target_request const &request, target_facts const &target, unique_fd looked)
{
	auto const is_busy_by_choice = check_users(request, target);
	if (!is_busy_by_choice)
		return is_busy_by_choice.failure();
	return open_claim(request, target, std::move(looked), *is_busy_by_choice);
}

result<std::shared_ptr<posix_device_claim>> posix_device_registry::claim_in_turn(
	target_request const &request, std::string const &info_hash, extent_map const &extents, unique_fd looked,
	bool was_created)
{
	auto const target = look(request, looked, extents);
	if (!target)
		return target.failure();
	if (auto ok = check_device(request, *target, extents, was_created); !ok)
		return ok.failure();
	auto const used = use_extents({info_hash, request.access, target->location, target->ranges}, *target);
	if (!used)
		return used.failure();
	auto claim = claim_unused(request, *target, std::move(looked));
	if (!claim) {
		give_back_last(info_hash);
		return claim;
	}
	std::lock_guard const lock(m_mutex);
	std::erase_if(m_claims, [](known_claim const &known) { return known.claim.expired(); });
	m_claims.push_back(
		{claim.value(), target->device.device_number, target->device.inode, target->location.storage});
	return claim;
}

result<std::shared_ptr<device_claim>> posix_device_registry::claim(
	target_request const &request, std::string const &info_hash, extent_map const &extents)
{
	if (auto valid = validate_allowed_checks(request.allowed_checks); !valid)
		return valid.failure();
	created_file created;
	auto looked = open_to_look(request, extents.highest_end_bytes(), created);
	if (!looked)
		return looked.failure();
	auto const node = node_of(*looked, request.path);
	if (!node)
		return node.failure();
	turn const mine(*this, *node);
	auto claim =
		claim_in_turn(request, info_hash, extents, std::move(looked).value(), static_cast<bool>(created));
	if (!claim)
		return claim.failure();
	created.keep();
	return std::shared_ptr<device_claim>(std::move(claim).value());
}

void posix_device_registry::release(std::string const &info_hash)
{
	std::lock_guard const guard(m_mutex);
	std::erase_if(m_in_use, [&](extents_in_use const &use) { return use.info_hash == info_hash; });
}

} // namespace

std::unique_ptr<device_registry> make_device_registry(registry_options options)
{
	return std::make_unique<posix_device_registry>(std::move(options));
}

} // namespace ezio
