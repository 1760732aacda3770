/* core/weigh.h: weighing, but for what shall be weighed when it is stored. */
#ifndef WH_CORE_WEIGH_H
#define WH_CORE_WEIGH_H

#include <weighhouse/source.h>

/** Of a tensor: whether to pass over it. */
struct weigh_probe {
	bool skip; /* set where the probe finds another first chunk, too */
	bool has_first;
	uint32_t first_crc32c; /* that its first SCALE_CHUNK bytes may have */
};

/** wh_source_weigh, but tensors that `probes` says, one for each tensor and
 *  each hidden one, or NULL, are not weighed. Those whose first chunk is not
 *  the one that the probe names are neither. */
enum wh_status weigh_unlike(struct wh_source *source, unsigned needs,
			    unsigned threads, wh_progress_fn *progress,
			    void *arg, struct weigh_probe *probes,
			    struct wh_error *err);

#endif
