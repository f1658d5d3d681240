#ifndef C_CHECKSUM_H
#define C_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of `count` bytes, continuing from `seed`: 0 to
/// begin, or the answer for the bytes before these. The CRC of "123456789" is 0xE3069283.
uint32_t mailbox_crc32c(uint32_t seed, const void *bytes, size_t count);

/// The same without special instructions, on any processor.
uint32_t mailbox_crc32c_portable(uint32_t seed, const void *bytes, size_t count);

/// Asks the processor for the memory that is about to be read, all at once: a cold page then costs
/// one wait for memory instead of one a cache line. Any address may be given; none is an error.
static inline void mailbox_prefetch(const void *bytes, size_t count) {
    const char *line = (const char *)((uintptr_t)bytes & ~(uintptr_t)63);
    for (; line < (const char *)bytes + count; line += 64) __builtin_prefetch(line, 0, 3);
}

/// Which implementation `mailbox_crc32c` uses here: "sse4.2+pclmulqdq", "sse4.2", "armv8-crc" or
/// "portable".
const char *mailbox_crc32c_implementation(void);

#endif
