/* tensor.h: rows of tensors: identity, digests, where the payload lies. */
#ifndef WH_STORE_TENSOR_H
#define WH_STORE_TENSOR_H

#include "base/arena.h"
#include "db.h"
#include "storage.h"
#include <weighhouse/tensor.h>

#define STATISTICS_VERSION 1 /* of the algorithm in core/statistics.c */
#define SHAPE_TEXT_SIZE	   (WH_MAX_RANK * 21 + 3)

/** "[2,3]": the shape as it is stored. */
void tensor_shape_text(const struct wh_tensor *tensor,
		       char text[SHAPE_TEXT_SIZE]);
/** Reads it; the dimensions are allocated in `arena`. WH_ECORRUPT. */
enum wh_status tensor_parse_shape(const char *text, struct arena *arena,
				  uint32_t *rank, const uint64_t **shape,
				  struct wh_error *err);

/** The row of a weighed tensor, 0 if there is none. */
enum wh_status tensor_find(struct db *db, const struct wh_tensor *tensor,
			   int64_t *id, struct wh_error *err);

struct new_tensor {
	const struct wh_tensor *tensor;
	int64_t storage;
	int64_t id; /* set */
};
/** Adds rows, and their statistics, of tensors that the store doesn't have,
 *  nor two of them are the same. */
enum wh_status tensor_insert(struct db *db, struct new_tensor *tensors,
			     uint32_t n, struct wh_error *err);

/** Where tensor `id` lies, and how large it is. */
enum wh_status tensor_locate(struct db *db, int64_t id, int64_t *storage,
			     uint64_t *nbytes, struct wh_error *err);

/** Fills statistics where they are known. */
enum wh_status tensor_statistics(struct db *db, int64_t id,
				 struct wh_tensor *tensor,
				 struct wh_error *err);

/** The same from a joined row that has the columns of statistics_get from
 *  `column` on. */
void tensor_statistics_columns(struct stmt *stmt, int column,
			       struct wh_tensor *tensor);

#endif
