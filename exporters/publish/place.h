/* publish/place.h: where publications go.
 *
 * A kind of place builds requests and reads replies. Order, resume, progress
 * and pointers live once, in publication.c and pull.c; retries and redirects
 * in http.c.
 */
#ifndef WH_PUBLISH_PLACE_H
#define WH_PUBLISH_PLACE_H

#include "publish/http.h"
#include "publish/journal.h"

#define DIGEST_SIZE 32

/** A file to be put, readable at any offset by several threads. */
struct content {
	const char *path; /* in the place: "v/ID/model.h5"; '/' separates */
	uint64_t size;
	uint8_t sha256[DIGEST_SIZE];
	bool no_digest; /* `sha256` is not known yet: see `hashes_late` */
	bool immutable; /* never changes: may be cached for ever */
	enum wh_status (*read)(void *arg, uint64_t offset, void *buf,
			       size_t len, struct wh_error *err);
	void *arg;
};

/** All of it as the body of a request. */
struct http_body content_body(const struct content *content);

/** The `read` of bytes that lie in memory; `arg` is the first. */
enum wh_status read_memory(void *arg, uint64_t offset, void *buf, size_t len,
			   struct wh_error *err);

/** What a place says of a file. */
struct remote_file {
	bool exists, has_size, has_sha256;
	uint64_t size;
	uint8_t sha256[DIGEST_SIZE];
	char etag[200]; /* "" if there is none */
};

/** A run of a file. `etag`: the file that is meant; "" or a weak one: any. */
struct remote_range {
	uint64_t offset;
	uint64_t length;     /* exactly so many bytes; 0: to the end */
	uint64_t max_length; /* of what is there; 0: any */
	const char *etag;
	bool goes_on; /* it never changes, and its digest is known: a try that
			 is repeated asks for what lacks */
};
typedef enum wh_status remote_sink_fn(void *arg, uint64_t offset,
				      const void *bytes, size_t len,
				      struct wh_error *err);

/** How to reach a place, from the command line or a remote's settings. */
struct place_settings {
	const char *url;
	const char *profile;  /* of http: generic, webdav, artifactory, nexus,
				 gitlab; NULL: by the URL */
	const char *endpoint; /* of s3: "https://host:port"; NULL: the
				 environment's */
	struct http_settings http;
	const char *token_env, *token_file; /* where a token is; or NULL */
	unsigned parallel;		    /* parts at a time; 0: 4 */
	/* Asked by place_work; or NULL. */
	bool (*go_on)(void *go_on_arg);
	void *go_on_arg;
	struct journal *journal;
	/* {SHA-256: URL} of files that went to other places, which a registry
	 * may take from there; or NULL. Borrowed. */
	const json_t *elsewhere;
};

typedef enum wh_status alias_fn(void *arg, const char *alias,
				struct wh_error *err);

struct publication; /* publication.h */
struct pointer;	    /* manifest.h */
struct place;

/* name, open, stat, put, get, remove and close are mandatory, and either
 * replace or point. */
struct place_kind {
	const char *name;
	const char *const *schemes; /* NULL-terminated */
	enum wh_status (*open)(const struct place_settings *settings,
			       struct place **place, struct wh_error *err);
	/** What the place needs before the first file; NULL: nothing. */
	enum wh_status (*begin)(struct place *place,
				const struct publication *publication,
				struct wh_error *err);
	/** What is there under `content->path`. Absent is no error. */
	enum wh_status (*stat)(struct place *place,
			       const struct content *content,
			       struct remote_file *file, struct wh_error *err);
	/** Puts a file that is not there; WH_EMISMATCH if the server's own
	 *  digest of what arrived is another. Resumes by the journal. */
	enum wh_status (*put)(struct place *place,
			      const struct content *content,
			      struct wh_error *err);
	/** Puts the one small file that may change. `expected`: what was there
	 *  when it was read; where the server can tell, WH_EMISMATCH if it is
	 *  another by now. */
	enum wh_status (*replace)(struct place *place,
				  const struct content *content,
				  const struct remote_file *expected,
				  struct wh_error *err);
	/** Streams a file into `sink`. WH_ENOTFOUND; WH_EMISMATCH if it is not
	 *  the one of `range->etag`. */
	enum wh_status (*get)(struct place *place, const char *path,
			      const struct remote_range *range,
			      remote_sink_fn *sink, void *arg,
			      struct wh_error *err);
	/** WH_OK also where nothing is there. */
	enum wh_status (*remove)(struct place *place, const char *path,
				 struct wh_error *err);
	/** The place's own last step (a tag, a model version), instead of
	 *  pointers that are files. NULL: files. */
	enum wh_status (*point)(struct place *place,
				const struct publication *publication,
				const char *alias, struct wh_error *err);
	/** What an alias means there; NULL: reads the pointer's file. */
	enum wh_status (*resolve)(struct place *place, const char *alias,
				  struct pointer *pointer,
				  struct wh_error *err);
	/** As place_aliases. NULL: it can't list. */
	enum wh_status (*aliases)(struct place *place, alias_fn *fn, void *arg,
				  struct wh_error *err);
	/** Removes an alias that `point` made. With `point` mandatory. */
	enum wh_status (*unpoint)(struct place *place, const char *alias,
				  struct wh_error *err);
	/** Removes what stands for a snapshot as a whole (a manifest, versions
	 *  of a model), before its files. NULL: there is nothing. */
	enum wh_status (*erase)(struct place *place, const char *snapshot,
				struct wh_error *err);
	void (*close)(struct place *place);
	bool serial;	   /* takes one file at a time */
	bool keeps_latest; /* "latest" is the server's own word */
};

struct place {
	const struct place_kind *kind;
	struct http_meter *meter; /* NULL for a folder */
	struct journal *journal;
	bool (*go_on)(void *go_on_arg); /* of the settings */
	void *go_on_arg;
	unsigned parallel;
	bool serial;
	/* `put` needs no digest, and reads the file from its start on: it is
	 * hashed meanwhile. Not of files that go in parts. */
	bool hashes_late;
	uint64_t part_size; /* larger files go in parts side by side; 0: no */
};

/** The kind that a URL's scheme means, opened. WH_EINVAL naming the schemes
 *  that there are; WH_EUNSUPPORTED in a build without libcurl. */
enum wh_status place_open(const struct place_settings *settings,
			  struct place **place, struct wh_error *err);
/** Takes NULL. */
void place_close(struct place *place);

/** Whether `text` is a URL of a scheme that can be published to. */
bool place_is_url(const char *text);

/** Refuses what could leave the place's folder or confuse a server: empty
 *  parts, "." and "..", control characters, backslashes, a leading '/'. */
enum wh_status place_check_path(const char *path, struct wh_error *err);

/** Whether what is there is the content, as far as the place can tell. */
bool remote_is_same(const struct remote_file *there,
		    const struct content *content);

/** Reads a small file whole (8 MiB at most) into `bytes`. WH_ENOTFOUND. */
enum wh_status place_read(struct place *place, const char *path,
			  struct wh_buf *bytes, struct wh_error *err);

/** What an alias means in the place: by its pointer's file, or the place's own
 *  way. WH_ENOTFOUND. */
enum wh_status place_resolve(struct place *place, const char *alias,
			     struct pointer *pointer, struct wh_error *err);

/** Calls `fn` for each alias that is there, in any order, but for a "latest"
 *  that is the server's own word. Names are the server's: `fn` may get any
 *  text. WH_EUNSUPPORTED, with the reason, where the place can't list. */
enum wh_status place_aliases(struct place *place, alias_fn *fn, void *arg,
			     struct wh_error *err);

/** A place's URL as it is told and recorded: without login and query, a
 *  folder's path absolute; malloc'd. */
char *place_name(const char *url);

extern const struct place_kind folder_place;
extern const struct place_kind http_place;
extern const struct place_kind s3_place;
extern const struct place_kind oci_place;
extern const struct place_kind mlflow_place;

#endif
