/* publication.h: what was published where, and what is to be published after
 * each commit. Records only: publish.h publishes.
 */
#ifndef WEIGHHOUSE_PUBLICATION_H
#define WEIGHHOUSE_PUBLICATION_H

#include <weighhouse/store.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wh_publication_file {
	const char *path, *format; /* in the place */
	uint64_t size;
	const char *sha256; /* 64 digits */
};

struct wh_publication_alias {
	const char *alias;
	bool moved;    /* on, or removed, since: it points there no longer */
	int64_t ended; /* when; UTC seconds */
};

/** A snapshot that was put into a place. It may be gone from the store. */
struct wh_publication {
	const char *id;		     /* a UUID */
	const char *place;	     /* a URL without login and query */
	const char *remote;	     /* the name it went by, or NULL */
	const char *snapshot, *tree; /* 64 digits */
	const char *formats;	     /* "h5,tf" */
	const char *manifest, *manifest_sha256; /* its path, 64 digits */
	const char *who;			/* "user@host" */
	int64_t time;				/* UTC seconds */
	bool removed;  /* its files were removed since */
	int64_t ended; /* when */
	const struct wh_publication_file *files;
	size_t n_files;
	const struct wh_publication_alias *aliases; /* `moved` is not looked at
						       when recording */
	size_t n_aliases;
};

/** Records it, in the store's file, also if `store` is open for reading. One
 *  that is recorded already, by `id`, or that changes nothing there as far as
 *  is known, is left as it is. Aliases of the same place end elsewhere.
 *  WH_EUNSUPPORTED for a store of an older schema, which stays one; WH_EIO,
 *  WH_EBUSY where it can't be written; WH_EINVAL for digests that are none, and
 *  without a file. */
WH_API enum wh_status
wh_publication_record(struct wh_store *store,
		      const struct wh_publication *publication,
		      struct wh_error *err);

/** Records that an alias of a place was removed (`alias`), or a snapshot's
 *  files (`snapshot`, 64 digits). Errors as above. */
WH_API enum wh_status wh_publication_end(struct wh_store *store,
					 const char *place, const char *alias,
					 const char *snapshot, int64_t time,
					 struct wh_error *err);

/** Nonzero stops. Strings live as long as the callback runs. */
typedef int wh_publication_fn(void *arg,
			      const struct wh_publication *publication);
/** Oldest first; of one place, or of all with NULL. None for a store of an
 *  older schema. */
WH_API enum wh_status wh_publication_list(struct wh_store *store,
					  const char *place,
					  wh_publication_fn *fn, void *arg,
					  struct wh_error *err);

/* ---- Rules -------------------------------------------------------------- */

/** Whenever `revision` means another snapshot, it is published. */
struct wh_publish_rule {
	const char *remote, *alias, *revision;
	const char *formats;   /* "h5,tf" */
	const char *published; /* 64 digits: what it meant last; or NULL */
};
/** One for each alias of a remote: takes the place of an earlier one.
 * `revision` NULL: there is none any more. `published` is not looked at. */
WH_API enum wh_status wh_publish_rule_set(struct wh_store *store,
					  const struct wh_publish_rule *rule,
					  struct wh_error *err);
/** This snapshot was published by the rule. */
WH_API enum wh_status wh_publish_rule_done(struct wh_store *store,
					   const struct wh_publish_rule *rule,
					   const char *snapshot,
					   struct wh_error *err);
typedef int wh_publish_rule_fn(void *arg, const struct wh_publish_rule *rule);
/** By remote and alias. None for a store of an older schema. */
WH_API enum wh_status wh_publish_rule_list(struct wh_store *store,
					   wh_publish_rule_fn *fn, void *arg,
					   struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
