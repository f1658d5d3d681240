#ifndef C_CHECKSUM_H
#define C_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of `count` bytes, continuing from `seed`: 0 to
/// begin, or the answer for the bytes before these. The CRC of "123456789" is 0xE3069283.
uint32_t mailbox_crc32c(uint32_t seed, const void *bytes, size_t count);

/// The same without special instructions, on any processor.
uint32_t mailbox_crc32c_portable(uint32_t seed, const void *bytes, size_t count);

/// Which implementation `mailbox_crc32c` uses here: "sse4.2+pclmulqdq", "sse4.2", "armv8-crc" or
/// "portable".
const char *mailbox_crc32c_implementation(void);

#endif
