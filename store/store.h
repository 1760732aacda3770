/* store.h: what the store's files share about an open store. */
#ifndef WH_STORE_STORE_H
#define WH_STORE_STORE_H

#include "db.h"
#include <weighhouse/store.h>

struct wh_store {
	struct db *db;
};

#define CHUNK_SIZE	 ((uint64_t)1 << 20) /* of payload */
#define CHUNK_ID_BITS	 24		     /* of a storage's chunk ids */
#define MAX_STORAGE_ID	 (INT64_MAX >> CHUNK_ID_BITS)
#define MAX_STORED_BYTES (CHUNK_SIZE << CHUNK_ID_BITS)

#endif
