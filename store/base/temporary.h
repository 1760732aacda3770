/* base/temporary.h: files that are not there yet, beside where they will be.
 *
 * `.NAME.wh-hHOST-PID-N`: where HOST is ours, the process tells whether it is
 * still at work; elsewhere only that nobody has written to the file for a day.
 */
#ifndef WH_BASE_TEMPORARY_H
#define WH_BASE_TEMPORARY_H

#include <stdint.h>

/** Makes an empty file for what will be `path`; no other thread, no other
 *  machine, and nobody before with this process's number, has it. `*name` is
 *  malloc'd. Its descriptor, for reading and writing; -1 with errno.
 *  Temporaries for `path` that were left behind are removed. */
int temporary_open(const char *path, char **name);

/** Stands for the processes whose numbers mean something here: those of this
 *  machine since it was started, in this container. 0 if that isn't known. */
uint32_t temporary_host(void);

#endif
