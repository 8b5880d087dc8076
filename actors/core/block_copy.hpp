#pragma once

#include <cstddef>
#include <span>

namespace ezio
{

/// Copies what a peer sent into a block that nobody reads soon: past the processor's caches, where it can. A
/// received block is next touched when its piece is complete, by the hasher and by the device, after
/// megabytes of others; an ordinary copy would first read the block's old bytes into the caches and then push
/// out what the network thread works with. @p to is 64-byte aligned and does not overlap @p from. Any thread;
/// what was copied is visible to whoever is told of it by the usual means.
void copy_to_block(std::byte *to, std::span<std::byte const> from);

} // namespace ezio
