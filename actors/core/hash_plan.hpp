#pragma once

#include "actors/core/result.hpp"
#include "actors/core/sha_lanes.hpp"

#include <array>
#include <memory>
#include <string_view>
#include <vector>

namespace ezio
{

/// Which kernel hashes how many ready messages. Lanes cost the same however many are filled, so that few
/// messages are better off one after the other: where the border lies is measured. Immutable.
class hash_plan
{
public:
	/// What one kernel reached, lanes full.
	struct rate {
		sha_kernel const *kernel = nullptr;
		double sha1_bytes_per_second = 0;
		double sha256_bytes_per_second = 0;
	};

	/// A plan by a word of `hashing-simd`: "auto" for everything this machine can run; a family of kernels
	/// for these and OpenSSL, where that is faster for few messages; "openssl" for OpenSSL alone. Measures
	/// for some milliseconds. errc::unsupported if the processor lacks the family, errc::invalid_argument
	/// for another word.
	static result<std::shared_ptr<hash_plan const>> make(std::string_view word);
	/// From given rates: the fastest kernel for each number of messages. For tests and benchmarks; @p rates
	/// must not be empty.
	explicit hash_plan(std::vector<rate> rates);

	/// The kernel for @p messages (at least 1) that are ready. It takes up to its lanes of them at once.
	sha_kernel const &choose(sha_kind kind, std::size_t messages) const;
	/// From how many pieces on hashing them side by side by SHA-1 is at least half again as fast as one by
	/// one; 0 if it never is.
	std::size_t worthwhile_pieces() const;
	std::vector<rate> const &rates() const { return m_rates; }

private:
	using table = std::array<sha_kernel const *, sha_lanes_max>; ///< by number of messages less one
	table choices(double rate::*bytes_per_second) const;

	std::vector<rate> m_rates;
	table m_sha1;
	table m_sha256;
};

/// "auto", measured at the first call. Thread-safe.
std::shared_ptr<hash_plan const> default_hash_plan();

} // namespace ezio
