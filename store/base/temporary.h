/* base/temporary.h: files that are not there yet, beside where they will be.
 *
 * `.NAME.wh-PID-N`: the process in the name tells whether it is still at work.
 */
#ifndef WH_BASE_TEMPORARY_H
#define WH_BASE_TEMPORARY_H

/** Makes an empty file for what will be `path`; no other thread, and nobody
 *  before with this process's number, has it. `*name` is malloc'd. Its
 *  descriptor, for reading and writing; -1 with errno. Temporaries for `path`
 *  whose process is gone are removed. */
int temporary_open(const char *path, char **name);

/** Removes temporaries for `path` whose process is gone. */
void temporary_remove_stale(const char *path);

#endif
