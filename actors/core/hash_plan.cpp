#include "actors/core/hash_plan.hpp"

#include "actors/core/error.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <string>

namespace ezio
{
namespace
{

using measure_clock = std::chrono::steady_clock;

/// Bytes a lane and run: long enough for a clock, short enough that all runs take a few milliseconds.
constexpr std::size_t sample_bytes = 4096;
/// The best of these counts: whatever disturbs a run only slows it down.
constexpr int sample_runs = 8;

double measure(sha_kernel const &kernel, sha_kind kind)
{
	std::vector<std::byte> const sample(sample_bytes);
	std::array<std::byte const *, sha_lanes_max> data{};
	data.fill(sample.data());
	alignas(64) std::array<std::uint32_t, sha_words_max * sha_lanes_max> states{};
	auto best = measure_clock::duration::max();
	for (int run = 0; run < sample_runs; ++run) {
		auto const start = measure_clock::now();
		kernel.advance(kind)(states.data(), data.data(), sample_bytes / sha_block_bytes);
		best = std::min(best, measure_clock::now() - start);
	}
	auto const seconds =
		std::max(std::chrono::duration<double>(best).count(), 1e-9); // a clock too coarse to tell
	return static_cast<double>(kernel.lanes * sample_bytes) / seconds;
}

/// What is left of a kernel's speed when @p messages do not fill its lanes.
double useful_rate(double bytes_per_second, std::size_t lanes, std::size_t messages)
{
	return bytes_per_second * static_cast<double>(std::min(messages, lanes)) / static_cast<double>(lanes);
}

} // namespace

result<std::shared_ptr<hash_plan const>> hash_plan::make(std::string_view word)
{
	bool const is_auto = word == "auto";
	auto const families = sha_kernel_families();
	if (!is_auto && std::find(families.begin(), families.end(), word) == families.end())
		return make_error(errc::invalid_argument, "no way to hash is called \"" + std::string(word) + "\"");
	std::vector<rate> rates;
	bool is_found = is_auto;
	for (auto const *const kernel : available_sha_kernels()) {
		bool const is_wanted = kernel->family == word;
		is_found = is_found || is_wanted;
		if (is_auto || is_wanted || kernel->family == "openssl")
			rates.push_back({kernel, measure(*kernel, sha_kind::sha1), measure(*kernel, sha_kind::sha256)});
	}
	if (!is_found)
		return make_error(errc::unsupported, "this processor cannot hash by " + std::string(word));
	return std::make_shared<hash_plan const>(std::move(rates));
}

hash_plan::hash_plan(std::vector<rate> rates)
	: m_rates(std::move(rates)), m_sha1(choices(&rate::sha1_bytes_per_second)),
	  m_sha256(choices(&rate::sha256_bytes_per_second))
{
}

sha_kernel const &hash_plan::choose(sha_kind kind, std::size_t messages) const
{
	assert(messages > 0);
	auto const &kernels = kind == sha_kind::sha1 ? m_sha1 : m_sha256;
	return *kernels[std::min(messages, kernels.size()) - 1];
}

std::size_t hash_plan::worthwhile_pieces() const
{
	auto const speed = [this](std::size_t pieces) {
		double best = 0;
		for (auto const &r : m_rates)
			best = std::max(best, useful_rate(r.sha1_bytes_per_second, r.kernel->lanes, pieces));
		return best;
	};
	for (std::size_t pieces = 2; pieces <= sha_lanes_max; ++pieces) {
		if (speed(pieces) >= 1.5 * speed(1))
			return pieces;
	}
	return 0;
}

hash_plan::table hash_plan::choices(double rate::*bytes_per_second) const
{
	assert(!m_rates.empty());
	table chosen{};
	for (std::size_t messages = 1; messages <= chosen.size(); ++messages) {
		auto const useful = [&](rate const &r) {
			return useful_rate(r.*bytes_per_second, r.kernel->lanes, messages);
		};
		auto const best = std::max_element(m_rates.begin(), m_rates.end(),
			[&](rate const &a, rate const &b) { return useful(a) < useful(b); });
		chosen[messages - 1] = best->kernel;
	}
	return chosen;
}

std::shared_ptr<hash_plan const> default_hash_plan()
{
	static std::shared_ptr<hash_plan const> const plan = [] {
		auto made = hash_plan::make("auto");
		assert(made); // it always has OpenSSL
		return *std::move(made);
	}();
	return plan;
}

} // namespace ezio
