/* fuzz.h: what the targets share.
 *
 * A target defines LLVMFuzzerTestOneInput; libFuzzer calls it with inputs of
 * its own making, standalone.c with those of the corpus. Nothing in it may
 * depend on anything but the input.
 */
#ifndef WH_TESTS_FUZZ_H
#define WH_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <weighhouse/source.h>

/** Always 0: the input may stay in the corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/** The path of a file NAME that holds these bytes, in a folder of this process
 *  which goes with it. The path is good until the next call but three. */
const char *input_file(const char *name, const uint8_t *bytes, size_t len);

/** Opens the checkpoint as `format`; where that succeeds, reads all of it,
 *  proves its template and plans it as every format. Closes it. */
void use_checkpoint(const char *path, const char *format);

/** Opens the store and reads all of it, verifies, compares, forgets and codes
 *  anew, where it opens. */
void use_store(const char *path);

/** A copy of the bytes with a NUL behind them, for what takes text. */
char *input_text(const uint8_t *bytes, size_t len);

/** Ends the process loudly: a property does not hold. */
#define require(holds)                                                         \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

#endif
