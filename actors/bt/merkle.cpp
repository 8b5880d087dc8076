#include "actors/bt/merkle.hpp"

#include "actors/core/piece_digest.hpp"

#include <array>
#include <cassert>
#include <cstring>
#include <vector>

namespace ezio
{

sha256_digest merkle_root(std::span<sha256_digest const> block_hashes, std::size_t leaves)
{
	assert(leaves >= block_hashes.size() && leaves != 0 && (leaves & (leaves - 1)) == 0);
	std::vector<sha256_digest> layer(leaves);
	std::copy(block_hashes.begin(), block_hashes.end(), layer.begin());
	while (layer.size() > 1) {
		for (std::size_t i = 0; i < layer.size() / 2; ++i) {
			std::array<std::byte, 64> pair;
			std::memcpy(pair.data(), layer[2 * i].data(), 32);
			std::memcpy(pair.data() + 32, layer[2 * i + 1].data(), 32);
			layer[i] = sha256_of(pair);
		}
		layer.resize(layer.size() / 2);
	}
	return layer.front();
}

} // namespace ezio
