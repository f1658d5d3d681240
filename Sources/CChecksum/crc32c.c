#include "CChecksum.h"

#include <string.h>

// Polynomials over two elements are written as CRC-32C has them: reflected, the coefficient of
// x^31 in the lowest bit. Inside, `crc` is the register: the caller's value with all bits turned.

/// The generator polynomial, without its x^32.
#define POLYNOMIAL 0x82F63B78u

typedef uint32_t (*crc32c_function)(uint32_t crc, const uint8_t *bytes, size_t count);

/// `slices[s][b]` is what byte b does to the register when s more bytes follow it.
static uint32_t slices[8][256];

static inline uint32_t times_x(uint32_t polynomial) {
    return (polynomial >> 1) ^ (POLYNOMIAL & (0u - (polynomial & 1u)));
}

static uint32_t bitwise(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count > 0; bytes++, count--) {
        crc ^= *bytes;
        for (int bit = 0; bit < 8; bit++) crc = times_x(crc);
    }
    return crc;
}

/// Eight bytes a step, each with a table of its own, so that the look-ups do not wait for each
/// other.
static uint32_t sliced(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= 8; bytes += 8, count -= 8) {
        uint32_t low = crc ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
                              (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
        crc = slices[7][low & 0xFF] ^ slices[6][low >> 8 & 0xFF] ^
              slices[5][low >> 16 & 0xFF] ^ slices[4][low >> 24] ^ slices[3][bytes[4]] ^
              slices[2][bytes[5]] ^ slices[1][bytes[6]] ^ slices[0][bytes[7]];
    }
    for (; count > 0; bytes++, count--) crc = crc >> 8 ^ slices[0][(crc ^ *bytes) & 0xFF];
    return crc;
}

static void fill_slices(void) {
    for (uint32_t value = 0; value < 256; value++) {
        uint8_t byte = (uint8_t)value;
        slices[0][value] = bitwise(0, &byte, 1);
    }
    for (int slice = 1; slice < 8; slice++) {
        for (uint32_t value = 0; value < 256; value++) {
            uint32_t before = slices[slice - 1][value];
            slices[slice][value] = before >> 8 ^ slices[0][before & 0xFF];
        }
    }
}

#if defined(__x86_64__) || defined(__aarch64__)
static inline uint64_t load64(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}
#endif

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse4.2")))
static inline uint32_t stream(uint32_t crc, const uint8_t *bytes, size_t count) {
    uint64_t wide = crc;
    for (; count >= 8; bytes += 8, count -= 8) wide = _mm_crc32_u64(wide, load64(bytes));
    crc = (uint32_t)wide;
    if (count & 4) {
        uint32_t word;
        memcpy(&word, bytes, sizeof word);
        crc = _mm_crc32_u32(crc, word);
        bytes += 4;
    }
    if (count & 2) {
        uint16_t word;
        memcpy(&word, bytes, sizeof word);
        crc = _mm_crc32_u16(crc, word);
        bytes += 2;
    }
    if (count & 1) crc = _mm_crc32_u8(crc, *bytes);
    return crc;
}

__attribute__((target("sse4.2")))
static uint32_t sse42(uint32_t crc, const uint8_t *bytes, size_t count) {
    return stream(crc, bytes, count);
}

/// The most words in each of three interleaved streams.
#define STREAM_WORDS 128

/// From here on three streams are faster than one.
#define INTERLEAVED_BYTES 96

/// `powers[n]` is x^(64n - 33). A register that n words follow is multiplied by x^(64n): the
/// carry-less product of reflected numbers brings one factor x, the CRC instruction the other 32.
static uint32_t powers[2 * STREAM_WORDS + 1];

static void fill_powers(void) {
    uint32_t power = 1;  // x^31
    for (int words = 1; words <= 2 * STREAM_WORDS; words++) {
        powers[words] = power;
        for (int bit = 0; bit < 64; bit++) power = times_x(power);
    }
}

/// The instruction takes one word a cycle and answers after three, so three independent stretches
/// of the input take the time of one. The first two registers are moved behind the third stretch
/// by one multiplication each and enter with the third's last word.
__attribute__((target("sse4.2,pclmul")))
static uint32_t sse42_interleaved(uint32_t crc, const uint8_t *bytes, size_t count) {
    while (count >= INTERLEAVED_BYTES) {
        size_t words = count / 24;
        if (words > STREAM_WORDS) words = STREAM_WORDS;
        const uint8_t *second = bytes + 8 * words;
        const uint8_t *third = second + 8 * words;
        uint64_t a = crc, b = 0, c = 0;
        size_t offset = 0;
        for (; offset < 8 * (words - 1); offset += 8) {
            a = _mm_crc32_u64(a, load64(bytes + offset));
            b = _mm_crc32_u64(b, load64(second + offset));
            c = _mm_crc32_u64(c, load64(third + offset));
        }
        a = _mm_crc32_u64(a, load64(bytes + offset));
        b = _mm_crc32_u64(b, load64(second + offset));
        __m128i moved_a = _mm_clmulepi64_si128(
            _mm_cvtsi64_si128((int64_t)a), _mm_cvtsi32_si128((int)powers[2 * words]), 0);
        __m128i moved_b = _mm_clmulepi64_si128(
            _mm_cvtsi64_si128((int64_t)b), _mm_cvtsi32_si128((int)powers[words]), 0);
        uint64_t moved = (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(moved_a, moved_b));
        crc = (uint32_t)_mm_crc32_u64(c, load64(third + offset) ^ moved);
        bytes += 24 * words;
        count -= 24 * words;
    }
    return stream(crc, bytes, count);
}

static crc32c_function accelerated(const char **name) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.2")) return NULL;
    if (!__builtin_cpu_supports("pclmul")) {
        *name = "sse4.2";
        return sse42;
    }
    fill_powers();
    *name = "sse4.2+pclmulqdq";
    return sse42_interleaved;
}

#elif defined(__aarch64__)
#include <arm_acle.h>
#if defined(__linux__)
#include <sys/auxv.h>
#define HARDWARE_CAPABILITY_CRC32 (1ul << 7)
#endif

__attribute__((target("crc")))
static uint32_t armv8(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= 8; bytes += 8, count -= 8) crc = __crc32cd(crc, load64(bytes));
    for (; count > 0; bytes++, count--) crc = __crc32cb(crc, *bytes);
    return crc;
}

static crc32c_function accelerated(const char **name) {
#if defined(__linux__)
    if (!(getauxval(AT_HWCAP) & HARDWARE_CAPABILITY_CRC32)) return NULL;
#elif !defined(__APPLE__)
    return NULL;
#endif
    *name = "armv8-crc";
    return armv8;
}

#else

static crc32c_function accelerated(const char **name) {
    (void)name;
    return NULL;
}

#endif

// Chosen once, when the program is loaded and before it has threads: no call has to synchronise
// with the choice. Whatever runs even earlier gets the slow function, which needs no table.
static crc32c_function implementation = bitwise;
static crc32c_function portable = bitwise;
static const char *implementation_name = "portable";

__attribute__((constructor))
static void choose_implementation(void) {
    fill_slices();
    portable = sliced;
    crc32c_function fast = accelerated(&implementation_name);
    implementation = fast ? fast : sliced;
}

uint32_t mailbox_crc32c(uint32_t seed, const void *bytes, size_t count) {
    return ~implementation(~seed, bytes, count);
}

uint32_t mailbox_crc32c_portable(uint32_t seed, const void *bytes, size_t count) {
    return ~portable(~seed, bytes, count);
}

const char *mailbox_crc32c_implementation(void) { return implementation_name; }
