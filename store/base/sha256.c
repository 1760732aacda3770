#include "base/sha256.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/evp.h>

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
	struct sha256 *made = calloc(1, sizeof(*made));

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
