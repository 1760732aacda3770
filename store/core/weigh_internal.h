/* core/weigh_internal.h: what weigh.c and weigh_lanes.c share. */
#ifndef WH_CORE_WEIGH_INTERNAL_H
#define WH_CORE_WEIGH_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/scale.h"
#include "core/weigh.h"

/* Tensors that are hashed side by side: those of group g are
 * order[ends[g - 1]] to order[ends[g] - 1]. */
struct weigh_groups {
	uint32_t *order, *ends; /* NULL: there are none */
	uint32_t n_groups;
	bool *has; /* each tensor, whether one of the groups has it */
};

struct weighing {
	struct wh_source *source;
	struct weigh_probe *probes; /* or NULL */
	struct weigh_groups groups;
	unsigned needs;
	uint32_t n_tensors;
	atomic_uint next_group, next; /* tensor to take */
	atomic_ullong done_bytes;
	atomic_bool stopped;
	uint64_t total_bytes;
	unsigned n_threads;
	pthread_mutex_t lock; /* of `failure` and `n_running` */
	pthread_cond_t ended;
	unsigned n_running; /* helper threads */
	struct wh_error failure;
};

struct weigh_lanes;

struct weigher { /* what one thread works with */
	struct scale *scale;
	uint8_t *buffer;	   /* SCALE_CHUNK */
	struct weigh_lanes *lanes; /* NULL until there is a group */
};

/* Called after some bytes, by the thread that reports. */
typedef enum wh_status chunk_done_fn(struct weighing *all, void *arg,
				     struct wh_error *err);

bool weigh_is_wanted(const struct weighing *all, uint32_t index);

/** Whether a tensor's first chunk, whose CRC-32C this is, is the one that its
 *  probe names: sets `is_alike` and `skip`. */
void weigh_probe_first(struct weigh_probe *probe, uint32_t crc32c);

/* ---- weigh_lanes.c */

enum wh_status weigh_find_groups(struct weighing *all, struct wh_error *err);
void weigh_free_groups(struct weigh_groups *groups);
enum wh_status weigh_group(struct weighing *all, struct weigher *weigher,
			   uint32_t group, chunk_done_fn *chunk_done, void *arg,
			   struct wh_error *err);
void weigh_lanes_free(struct weigh_lanes *lanes);

#endif
