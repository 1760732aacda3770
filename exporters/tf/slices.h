/* tf/slices.h: rectangles that make up a tensor. */
#ifndef WH_TF_SLICES_H
#define WH_TF_SLICES_H

#include "tf/source.h"

/** Where a slice of `whole` lies in it; its file and offset are the caller's.
 *  False if it doesn't lie in it. */
bool slice_place(const struct bundle_entry *whole,
		 const struct bundle_slice *from, struct tf_slice *to);

/** WH_ECORRUPT unless a place's slices cover all `n` elements of its tensor,
 *  each once. */
enum wh_status slices_check_cover(const char *key, uint32_t rank,
				  const struct tf_place *place, uint64_t n,
				  struct wh_error *err);

#endif
