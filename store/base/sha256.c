#include "base/sha256.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/reader.h"
#include "late_crypto.h"

#define PIECE ((size_t)1 << 20)

struct sha256 {
	EVP_MD_CTX *context;
};

/* Fetched once: EVP_sha256() makes OpenSSL 3 look the algorithm up again for
 * every digest, which costs more than hashing a small tensor. */
static EVP_MD *fetched;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
	fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static enum wh_status openssl_failed(struct wh_error *err)
{
	return wh_fail(err, WH_ENOMEM, "libcrypto can't compute SHA-256");
}

enum wh_status sha256_new(struct sha256 **hash, struct wh_error *err)
{
	struct sha256 *made;

	WH_TRY(late_load(&late_crypto, err));
	made = calloc(1, sizeof(*made));
	if (!made)
		return wh_fail_memory(err);
	pthread_once(&fetch_once, fetch);
	made->context = EVP_MD_CTX_new();
	if (!made->context || !fetched ||
	    !EVP_DigestInit_ex2(made->context, fetched, NULL)) {
		sha256_free(made);
		return openssl_failed(err);
	}
	*hash = made;
	return WH_OK;
}

void sha256_free(struct sha256 *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->context);
	free(hash);
}

enum wh_status sha256_reset(struct sha256 *hash, struct wh_error *err)
{
	if (!EVP_DigestInit_ex2(hash->context, fetched, NULL))
		return openssl_failed(err);
	return WH_OK;
}

enum wh_status sha256_update(struct sha256 *hash, const void *bytes, size_t len,
			     struct wh_error *err)
{
	if (!EVP_DigestUpdate(hash->context, bytes, len))
		return openssl_failed(err);
	return WH_OK;
}

enum wh_status sha256_update_file(struct sha256 *hash, int fd, uint64_t *at,
				  uint64_t end, const char *name,
				  struct wh_error *err)
{
	uint8_t *piece wh_free_auto = malloc(PIECE);

	if (!piece)
		return wh_fail_memory(err);
	while (*at < end) {
		uint64_t left = end - *at;
		ssize_t got = read_at(fd, *at, piece,
				      left < PIECE ? (size_t)left : PIECE);

		if (got < 0)
			return wh_fail_errno(err, errno, "'%s'", name);
		if (got == 0)
			break;
		WH_TRY(sha256_update(hash, piece, (size_t)got, err));
		*at += (uint64_t)got;
	}
	return WH_OK;
}

enum wh_status sha256_final(struct sha256 *hash, uint8_t out[SHA256_SIZE],
			    struct wh_error *err)
{
	if (!EVP_DigestFinal_ex(hash->context, out, NULL))
		return openssl_failed(err);
	return WH_OK;
}

enum wh_status sha256_of(const void *bytes, size_t len,
			 uint8_t out[SHA256_SIZE], struct wh_error *err)
{
	struct sha256 *hash;
	enum wh_status status;

	WH_TRY(sha256_new(&hash, err));
	status = sha256_update(hash, bytes, len, err);
	if (!status)
		status = sha256_final(hash, out, err);
	sha256_free(hash);
	return status;
}

#define BLOCK 64 /* bytes that SHA-256 takes at a time */

/* H(pad ^ first || rest) */
static enum wh_status hash_padded(const uint8_t key[BLOCK], uint8_t pad,
				  const void *rest, size_t len,
				  uint8_t out[SHA256_SIZE],
				  struct wh_error *err)
{
	uint8_t padded[BLOCK];
	enum wh_status status;
	struct sha256 *hash;
	size_t i;

	for (i = 0; i < BLOCK; i++)
		padded[i] = key[i] ^ pad;
	WH_TRY(sha256_new(&hash, err));
	status = sha256_update(hash, padded, sizeof(padded), err);
	if (!status)
		status = sha256_update(hash, rest, len, err);
	if (!status)
		status = sha256_final(hash, out, err);
	sha256_free(hash);
	return status;
}

enum wh_status sha256_hmac(const void *key, size_t key_len, const void *bytes,
			   size_t len, uint8_t out[SHA256_SIZE],
			   struct wh_error *err)
{
	uint8_t block[BLOCK] = {0}, inner[SHA256_SIZE];

	if (key_len > BLOCK)
		WH_TRY(sha256_of(key, key_len, block, err));
	else
		memcpy(block, key, key_len);
	WH_TRY(hash_padded(block, 0x36, bytes, len, inner, err));
	return hash_padded(block, 0x5c, inner, sizeof(inner), out, err);
}
