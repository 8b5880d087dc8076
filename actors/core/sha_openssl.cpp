// The EVP interface cannot take up a state that another kernel left: these older functions can, and reach the
// same assembly.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "actors/core/sha_kernels.hpp"

#include <openssl/sha.h>

#include <algorithm>

namespace ezio::sha
{

void openssl_sha1(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	SHA_CTX context{};
	context.h0 = states[0];
	context.h1 = states[1];
	context.h2 = states[2];
	context.h3 = states[3];
	context.h4 = states[4];
	SHA1_Update(&context, *data, blocks * sha_block_bytes); // whole blocks: nothing can fail
	states[0] = context.h0;
	states[1] = context.h1;
	states[2] = context.h2;
	states[3] = context.h3;
	states[4] = context.h4;
}

void openssl_sha256(std::uint32_t *states, std::byte const *const *data, std::size_t blocks)
{
	SHA256_CTX context{};
	context.md_len = SHA256_DIGEST_LENGTH;
	std::copy_n(states, sha_words_max, context.h);
	SHA256_Update(&context, *data, blocks * sha_block_bytes);
	std::copy_n(context.h, sha_words_max, states);
}

} // namespace ezio::sha
