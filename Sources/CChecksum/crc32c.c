#include "CChecksum.h"

uint32_t mailbox_crc32c_portable(uint32_t seed, const void *bytes, size_t count) {
    const uint8_t *byte = bytes;
    uint32_t crc = ~seed;
    for (size_t index = 0; index < count; index++) {
        crc ^= byte[index];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82F63B78 & (0 - (crc & 1)));
    }
    return ~crc;
}

uint32_t mailbox_crc32c(uint32_t seed, const void *bytes, size_t count) {
    return mailbox_crc32c_portable(seed, bytes, count);
}

const char *mailbox_crc32c_implementation(void) { return "portable"; }
