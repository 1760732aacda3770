/* base/temporary.h: files that are not there yet, beside where they will be.
 *
 * `.NAME.wh-PID-N`: the process in the name tells whether it is still at work.
 */
#ifndef WH_BASE_TEMPORARY_H
#define WH_BASE_TEMPORARY_H

/** The name of a temporary for `path`, malloc'd; NULL if there is no memory. */
char *temporary_name(const char *path, unsigned number);

/** Removes temporaries for `path` whose process is gone. */
void temporary_remove_stale(const char *path);

#endif
