/* publish/publication.h: a snapshot's files on their way to a place.
 *
 * Order is the atomicity (README.md): data, then what readers look for, then
 * the manifest, each verified, then the pointers. Whoever follows a pointer
 * never meets half a checkpoint.
 */
#ifndef WH_PUBLISH_PUBLICATION_H
#define WH_PUBLISH_PUBLICATION_H

#include <weighhouse/plan.h>

#include "publish/manifest.h"
#include "publish/place.h"

enum publish_state {
	PUBLISH_WAITING = 0,
	PUBLISH_SENT,	 /* now */
	PUBLISH_PRESENT, /* was there */
};

/** One file: an image of a plan, or bytes. */
struct publish_file {
	char *path; /* in the place: "v/ID/model.h5" */
	const char *format;
	struct wh_plan *plan; /* borrowed; NULL: `bytes` */
	uint32_t image;
	struct wh_buf bytes;
	uint64_t size;
	bool commits; /* readers look for it: after all that don't commit */
	bool hashed;
	uint8_t sha256[DIGEST_SIZE];
	_Atomic(enum publish_state) state;
	bool told;
};

/** What a tracking server is told of the run that the snapshot is of. */
struct publish_metric {
	char *key;
	double value;
	int64_t step, time; /* UTC seconds */
};
struct publish_param {
	char *key, *value;
};

struct publication {
	char snapshot[HEX_SIZE], tree[HEX_SIZE];
	int64_t snapshot_time;
	bool has_step, has_epoch;
	int64_t step, epoch;
	struct publish_file *files;
	size_t n_files;
	struct publish_file manifest; /* v/ID/MANIFEST.json */
	const char *const *aliases;   /* NULL-terminated, or NULL: "latest" */
	const char *const *protected; /* aliases that only `force` moves */
	char *tf_prefix; /* "v/ID/model" if there is a tf checkpoint */
	int64_t now;	 /* for pointers; UTC seconds */
	char *run_name, run_uuid[64];
	int64_t run_started;		/* its first snapshot's time */
	struct publish_metric *metrics; /* of all its snapshots */
	size_t n_metrics;
	struct publish_param *params;
	size_t n_params;
};
void publication_free(struct publication *publication);

struct publication_options {
	bool dry_run;	  /* look, but send nothing */
	bool force;	  /* replace what is there with other content */
	bool verify_full; /* read all back and hash it */
	unsigned parallel;
	/* From the calling thread, about ten times a second; false cancels. */
	bool (*progress)(void *arg, uint64_t done, uint64_t total);
	/* A file is in its place. */
	void (*told)(void *arg, const struct publish_file *file);
	void *arg;
};

/** Puts all of it in order. WH_EEXISTS if another content is there under one
 *  of the names (see `force`); WH_EREMOTE, WH_ECANCELLED, errors of reading.
 *  After a failure no pointer has moved; running it again sends what lacks. */
enum wh_status publication_run(struct publication *publication,
			       struct place *place,
			       const struct publication_options *options,
			       struct wh_error *err);

#endif
