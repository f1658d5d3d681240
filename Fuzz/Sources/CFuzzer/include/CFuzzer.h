#ifndef CFUZZER_H
#define CFUZZER_H

#include <stddef.h>
#include <stdint.h>

/// Runs libFuzzer with these arguments over one function; answers the process's exit code.
///
/// Of the compiler's fuzzer runtime, which `-sanitize=fuzzer` links.
int LLVMFuzzerRunDriver(int *count, char ***arguments,
                        int (*run)(const uint8_t *bytes, size_t byteCount));

#endif
