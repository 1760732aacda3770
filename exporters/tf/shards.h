/* tf/shards.h: names and descriptors of a checkpoint's files. */
#ifndef WH_TF_SHARDS_H
#define WH_TF_SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/ahead.h"
#include "base/error.h"

/** Whether `text` is "SSSSS-of-NNNNN", with at least five digits each. */
bool shard_parse_numbers(const char *text, uint32_t *shard, uint32_t *of);
/** Whether `suffix` is ".data-SSSSS-of-NNNNN", with at least five digits. */
bool shard_parse_suffix(const char *suffix, uint32_t *shard, uint32_t *of);
/** Length of such a suffix at the end of a path; 0 if there is none. */
size_t shard_suffix_length(const char *path);
/** The number of shards that PREFIX.index speaks of. */
enum wh_status shard_count(const char *prefix, uint32_t *n_shards,
			   struct wh_error *err);

/** The files of one prefix, as they were when they were opened. Not safe from
 *  several threads while shards are being opened: open them all first. */
struct shard_files {
	char *prefix;
	uint32_t n_shards;
	struct shard_file {
		int fd; /* -1: not open */
		struct stat opened;
	} * files;
	struct stat index;
	struct read_ahead ahead;
};

enum wh_status shards_init(struct shard_files *files, const char *prefix,
			   uint32_t n_shards, struct wh_error *err);
void shards_free(struct shard_files *files);
/** Opens one if it isn't; WH_ENOTFOUND naming the file. */
enum wh_status shards_open(struct shard_files *files, uint32_t shard,
			   struct wh_error *err);
/** All of `len` bytes of an open shard. */
enum wh_status shards_read(struct shard_files *files, uint32_t shard,
			   uint64_t offset, void *buf, size_t len,
			   struct wh_error *err);
/** WH_EMISMATCH if index or an open shard is no more what it was. */
enum wh_status shards_unchanged(const struct shard_files *files,
				struct wh_error *err);

/** All bytes of a file of at most `limit`, malloc'd. */
enum wh_status read_whole_file(const char *path, size_t limit, uint8_t **bytes,
			       size_t *len, struct stat *opened,
			       struct wh_error *err);

#endif
