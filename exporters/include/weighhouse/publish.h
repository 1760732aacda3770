/* publish.h: a checkpoint put where others load it, over HTTP, and back.
 *
 * Straight from the store: no temporary file, sizes and digests known before
 * the first byte is sent. In the place:
 *
 *	v/<snapshot>/model.h5, model.index, model.data-..., MANIFEST.json
 *	latest.json, <alias>.json, checkpoint (TensorFlow's own)
 *
 * Files under v/ never change; pointers are small, and move last.
 */
#ifndef WEIGHHOUSE_PUBLISH_H
#define WEIGHHOUSE_PUBLISH_H

#include <weighhouse/publication.h>
#include <weighhouse/weights.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a place is reached. A zeroed struct is the default. Secrets come from
 *  the environment, never from here: README.md lists the names. */
struct wh_place_options {
	const char *profile;  /* of http: "generic", "webdav", "artifactory",
				 "nexus", "gitlab"; NULL: by the URL */
	const char *endpoint; /* of s3: "https://host:port"; NULL: the
				 environment's, or AWS */
	/* A variable or a file that holds a token, instead of the usual ones;
	 * not of s3. Or NULL. */
	const char *token_env, *token_file;
	const char *ca_file, *cert_file, *key_file; /* PEM; or NULL */
	const char *proxy;   /* NULL: by the environment */
	bool allow_http;     /* http:// beyond this machine too */
	uint64_t limit_rate; /* bytes per second; 0: none */
	unsigned parallel;   /* transfers at a time; 0: 4 */
	unsigned max_tries;  /* of a request; 0: 6 */
	/* Below 1 KB/s for so long is a stall (0: 60); the wait for a reply
	 * after the last byte (0: 600). */
	unsigned stall_seconds, reply_seconds;
	/* Asked about ten times a second, from the calling thread, by the calls
	 * that have no progress (wh_unpublish, wh_place_test,
	 * wh_place_aliases); false ends them with WH_ECANCELLED. Or NULL. */
	bool (*go_on)(void *go_on_arg);
	void *go_on_arg;
};

/** A file in its place. */
struct wh_published_file {
	const char *path; /* in the place */
	const char *format;
	uint64_t size;
	char sha256[WH_ID_SIZE];
	bool sent; /* now; else it was there */
};

/** A zeroed struct publishes as "h5" to "latest". */
struct wh_publish_options {
	struct wh_place_options place;
	const char *const *formats;	  /* as save_format; NULL-terminated */
	const struct wh_library *library; /* where formats are looked for; NULL:
					     the built-in ones */
	const char *const *aliases;	  /* pointers to move; NULL: "latest" */
	/* Of them, those that only `force` moves once they are there; or NULL.
	 * NULL-terminated. */
	const char *const *protected_aliases;
	const char *remote; /* the place's name, for the record; or NULL */
	struct wh_plan_options plan;
	bool canonical;	  /* not from the template of an imported file */
	bool dry_run;	  /* look what lacks, and send nothing */
	bool force;	  /* replace other content under the same names, and
			     move protected aliases */
	bool verify_full; /* read all back and hash it */
	/* Where an interrupted publication is noted; NULL: beside the store,
	 * or, if that can't be written, in the user's state folder. */
	const char *journal_folder;
	/* From the calling thread. `what`: "publishing". False cancels. */
	wh_progress_fn *progress;
	void (*told)(void *arg, const struct wh_published_file *file);
	void (*warn)(void *arg, const char *sentence);
	void *arg;
};

/** Publishes the snapshot that `revision` means to `url`: file:PATH,
 *  http://…, https://…, or another scheme of README.md's table. Idempotent: it
 *  sends what lacks, verifies it, and moves the pointers last; after a failure
 *  none has moved, and the same call goes on.
 *  WH_EINVAL for a URL or option that can't be; WH_EUNSUPPORTED without
 *  libcurl, or by a format; WH_EEXISTS for other content under a name;
 *  WH_EREMOTE with the server's reason (err->http_status); WH_ECANCELLED. */
WH_API enum wh_status wh_publish(struct wh_store *store, const char *revision,
				 const char *url,
				 const struct wh_publish_options *options,
				 struct wh_error *err);

/** What was published: wh_publication_list's rows, and those that could not be
 *  written into the store yet. `place`: a URL, or NULL for all. */
WH_API enum wh_status wh_published_list(struct wh_store *store,
					const char *place,
					wh_publication_fn *fn, void *arg,
					struct wh_error *err);

/** A publication that was cut off: no pointer has moved. wh_publish with the
 *  same arguments goes on. */
struct wh_interrupted {
	const char *place, *snapshot;
	const char *remote;  /* or NULL */
	const char *formats; /* "h5,tf" */
	const char *aliases; /* "stable,prod"; NULL: "latest" */
	uint64_t max_shard_size;
	bool canonical;
	int64_t time;		    /* when it was tried last; UTC seconds */
	bool running;		    /* it is open in some process now */
	size_t n_files;		    /* without manifest and pointers */
	const char *const *missing; /* of them, those that aren't known to have
				       arrived: paths in the place */
	size_t n_missing;
	uint64_t missing_size; /* of them in bytes; of some a part is there */
};

/** Of one that was found; not 0 ends the list. */
typedef int wh_interrupted_fn(void *arg,
			      const struct wh_interrupted *interrupted);

/** Publications of the store's snapshots that began to send and did not
 *  complete, as their journals beside the store say. `place`: a URL, or NULL
 *  for all. */
WH_API enum wh_status wh_interrupted_list(struct wh_store *store,
					  const char *place,
					  wh_interrupted_fn *fn, void *arg,
					  struct wh_error *err);

/** A zeroed struct removes "latest". */
struct wh_unpublish_options {
	struct wh_place_options place;
	const char *alias;    /* its pointer goes; NULL: "latest" */
	const char *snapshot; /* 64 digits: its files go, instead of an alias */
	/* Aliases that may point to the snapshot, besides those on record and
	 * "latest": few places can list theirs. NULL-terminated, or NULL. */
	const char *const *aliases;
	const char *const *protected_aliases; /* only `force` removes them */
	bool has_grace;			      /* else WH_GRACE_S */
	int64_t grace_s; /* files stay so long after the last pointer went */
	bool dry_run, force;
	/* What goes, one by one, in order: a pointer's, then files' paths.
	 * From another thread. */
	void (*told)(void *arg, const char *what);
	void *arg;
};

/** Removes a pointer, or the files of a snapshot that no pointer names: its
 *  manifests first, then what readers look for, then data. Again after a
 *  failure: the rest. WH_ENOTFOUND for what isn't there; WH_EEXISTS while an
 *  alias points there, for a protected one, and within the grace period;
 *  WH_EUNSUPPORTED for what the server can't do; WH_EREMOTE. */
WH_API enum wh_status wh_unpublish(struct wh_store *store, const char *url,
				   const struct wh_unpublish_options *options,
				   struct wh_error *err);

/** An alias of a place. */
struct wh_place_alias {
	const char *alias;    /* as the server has it: any text */
	const char *snapshot; /* 64 digits; NULL: what has this name is no
				 pointer to a snapshot */
	const char *time;     /* when it moved there, RFC 3339 in UTC, as who
				 moved it says; NULL: the place keeps no time */
};

/** A zeroed struct tells nobody. */
struct wh_alias_options {
	struct wh_place_options place;
	/* Aliases to look for, beside "latest", where the server can't list
	 * them (plain HTTP; S3 with keys that may not). NULL-terminated, or
	 * NULL. */
	const char *const *known;
	/* Why it can't list, before anything else. */
	void (*warn)(void *arg, const char *sentence);
	/* Of each alias, by name; not 0 ends the list. */
	int (*told)(void *arg, const struct wh_place_alias *alias);
	void *arg;
};

/** Tells of the aliases that a place has: none where nothing was published.
 *  WH_EUNSUPPORTED without libcurl; WH_EREMOTE with the server's reason;
 *  WH_ECANCELLED. */
WH_API enum wh_status wh_place_aliases(const char *url,
				       const struct wh_alias_options *options,
				       struct wh_error *err);

/** What a place can do. `check`: "look", "write", "digest", "read", "ranges",
 *  "conditions" or "remove"; `answer`: 1 yes, 0 no, -1 was not tried. */
typedef void wh_place_test_fn(void *arg, const char *check, int answer,
			      const char *detail);
/** Tries a place with a file of 4 MiB that it removes again, and tells of each
 *  check, from another thread; `options` may be NULL. The status is of what a
 *  publication can't do without: looking, writing, reading; WH_EREMOTE with the
 *  server's reason. */
WH_API enum wh_status wh_place_test(const char *url,
				    const struct wh_place_options *options,
				    wh_place_test_fn *fn, void *arg,
				    struct wh_error *err);

/** Whether `text` is a URL that can be published to, in any build. */
WH_API bool wh_is_place(const char *text);

/** What an alias is called at that place: `alias`, but for "latest", or NULL,
 *  the tag of an oci://REGISTRY/REPOSITORY:TAG. It lives as long as they do. */
WH_API const char *wh_place_alias(const char *url, const char *alias);

/** A zeroed struct pulls all files of "latest". */
struct wh_pull_options {
	struct wh_place_options place;
	const char *alias;    /* NULL: "latest" */
	const char *snapshot; /* 64 digits, instead of an alias */
	const char *format;   /* only these files; NULL: all */
	/* Some weights alone, by globs of LAYER, LAYER/WEIGHT or the weight's
	 * name, as one file `model.safetensors`: of what was published as
	 * safetensors, tf or h5, only the tables and their bytes are fetched.
	 * NULL-terminated; NULL: all. */
	const char *const *only;
	wh_progress_fn *progress;
	void *arg;
};

/** Filled on success; the caller frees it with wh_pulled_free. */
struct wh_pulled {
	char snapshot[WH_ID_SIZE], tree[WH_ID_SIZE];
	struct wh_saved_file *files; /* path: on this machine */
	size_t n_files;
	char *checkpoint;	  /* what wh_checkpoint_open takes */
	bool has_step, has_epoch; /* the snapshot's, where it has one */
	int64_t step, epoch;
};
WH_API void wh_pulled_free(struct wh_pulled *pulled);

/** Pointer, manifest, files into `folder`, each verified before it is visible;
 *  goes on where an earlier call stopped. With `only`, tf's weights are held
 *  against the checksums of its index; the others have none of parts.
 * WH_ENOTFOUND for an alias, snapshot or format that isn't there; WH_EMISMATCH,
 * WH_ECORRUPT for what is not what was published; WH_EREMOTE. */
WH_API enum wh_status wh_pull(const char *url, const char *folder,
			      const struct wh_pull_options *options,
			      struct wh_pulled *pulled, struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
