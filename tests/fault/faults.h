/* faults.h: what faults.c (the calls) asks of disk.c (the model). */
#ifndef WH_TESTS_FAULTS_H
#define WH_TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Begin with the files below `folder`, which lie on the disk for good. */
void disk_start(const char *folder);

/** `path` without links and dots, below the folder; NULL if it isn't there.
 *  Static memory: good until the next call. */
const char *disk_path(const char *path);

/** A file of this name came into being, or was opened as it is. */
void disk_opened(int fd, const char *path, bool created);

bool disk_knows(int fd);

/** What the kernel was told, and has done as far as programs can see. */
void disk_wrote(int fd, int64_t offset, const void *bytes, size_t len);
void disk_resized(int fd, int64_t size);
void disk_renamed(const char *from, const char *to, bool keep);
void disk_removed(const char *path);

/** What is on the disk for good from here on: a file, or a folder's names. */
void disk_synced(int fd);

/** The power goes. The folder becomes what a disk might hold then: of all
 *  that was not synced some is there and some not, by `seed`. */
void disk_cut(unsigned seed);

#endif
