#pragma once

#include "actors/core/sha_lanes.hpp"

// What the kernel files define, each compiled for its own instruction set; sha_lanes.cpp decides which may
// be called.
namespace ezio::sha
{

void openssl_sha1(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);
void openssl_sha256(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);

// x86-64 only.
void ni_sha1(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);
void ni_sha256(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);
void ni_sha1_x2(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);
void ni_sha256_x2(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);
void avx2_sha1(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);
void avx2_sha256(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);
void avx512_sha1(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);
void avx512_sha256(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);

} // namespace ezio::sha
