/* name_pattern.h: what the names of checkpoints say.
 *
 * A pattern is the filepath of Keras's ModelCheckpoint, which is Python's
 * str.format: {epoch:02d} and {step} set those, any other field is a metric's
 * value; {{ and }} stand for braces, and so does a { that nothing closes.
 * Folders before the first one with a field don't count.
 */
#ifndef WH_CLI_NAME_PATTERN_H
#define WH_CLI_NAME_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_MAX_METRICS 64

struct name_values {
	bool has_number, has_epoch;
	int64_t number; /* the step, or else the epoch */
	int64_t epoch;
	char *names[NAME_MAX_METRICS]; /* owned */
	double values[NAME_MAX_METRICS];
	size_t n;
};

void name_values_free(struct name_values *values);

/** What `path` says by the pattern, of which its last folders and its name
 *  must be; false, and no values, if it doesn't fit. */
bool name_match(const char *path, const char *pattern,
		struct name_values *values);

/** Without a pattern: the epoch is the number behind "epoch", or else the last
 *  one that is no decimal fraction, as metrics are. A suffix such as `.h5` is
 *  none. A name without a number is given that of the nearest folder of the
 *  path. */
void name_guess(const char *path, struct name_values *values);

/** A step or an epoch; false for one that no training has. */
bool name_count(double value, int64_t *count);

#endif
