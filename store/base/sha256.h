/* base/sha256.h: SHA-256 in a stream, over OpenSSL's libcrypto. */
#ifndef WH_BASE_SHA256_H
#define WH_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SHA256_SIZE 32

struct sha256; /* a running digest, reusable */

enum wh_status sha256_new(struct sha256 **hash, struct wh_error *err);
void sha256_free(struct sha256 *hash);

/** Begins anew; a fresh one has begun. */
enum wh_status sha256_reset(struct sha256 *hash, struct wh_error *err);
enum wh_status sha256_update(struct sha256 *hash, const void *bytes, size_t len,
			     struct wh_error *err);
/** Takes in a file's bytes from `*at` on, up to `end` or to its own end; `*at`
 * is where that was. `name` is what a failure calls it. */
enum wh_status sha256_update_file(struct sha256 *hash, int fd, uint64_t *at,
				  uint64_t end, const char *name,
				  struct wh_error *err);
/** Ends; only reset or free may follow. */
enum wh_status sha256_final(struct sha256 *hash, uint8_t out[SHA256_SIZE],
			    struct wh_error *err);

/** All at once. */
enum wh_status sha256_of(const void *bytes, size_t len,
			 uint8_t out[SHA256_SIZE], struct wh_error *err);

/** HMAC-SHA-256 (RFC 2104) of `len` bytes under `key`. */
enum wh_status sha256_hmac(const void *key, size_t key_len, const void *bytes,
			   size_t len, uint8_t out[SHA256_SIZE],
			   struct wh_error *err);

#endif
