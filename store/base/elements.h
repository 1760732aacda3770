/* base/elements.h: any bytes of what is made in whole elements. */
#ifndef WH_BASE_ELEMENTS_H
#define WH_BASE_ELEMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define ELEMENT_MAX 16 /* bytes: of a complex128 */

/** Puts `n` elements from number `first` on into `out`, which need not be
 *  aligned. */
typedef enum wh_status elements_fn(void *arg, uint64_t first, size_t n,
				   uint8_t *out, struct wh_error *err);

/** `len` bytes from byte `offset` on of elements of `size` bytes, at most
 *  ELEMENT_MAX: a range may begin and end within one. Whole ones are made
 *  where they are wanted, by one call. */
enum wh_status elements_read(elements_fn *make, void *arg, size_t size,
			     uint64_t offset, void *buf, size_t len,
			     struct wh_error *err);

/** Puts the `len` bytes from byte `offset` on into `out`. */
typedef enum wh_status stored_fn(void *arg, uint64_t offset, uint8_t *out,
				 size_t len, struct wh_error *err);

/** The same of elements of `width` bytes that are stored in the other byte
 *  order; 0 or 1: as they are stored. */
enum wh_status elements_read_swapped(stored_fn *read, void *arg, unsigned width,
				     uint64_t offset, void *buf, size_t len,
				     struct wh_error *err);

#endif
