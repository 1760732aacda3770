/* weights.h: save_weights, convert and import: sources meet formats. */
#ifndef WEIGHHOUSE_WEIGHTS_H
#define WEIGHHOUSE_WEIGHTS_H

#include <weighhouse/format.h>
#include <weighhouse/store.h>

#ifdef __cplusplus
extern "C" {
#endif

enum wh_overwrite {
	WH_OVERWRITE_REPLACE = 0, /* overwrite=True: silently */
	WH_OVERWRITE_ASK,	  /* calls `confirm` if the target exists */
	WH_OVERWRITE_REFUSE,
};

/** tf.train.CheckpointOptions, field by field (TensorFlow 2.21). A zeroed
 *  struct is TensorFlow's default. */
struct wh_checkpoint_options {
	/* Accepted and without effect: there are no TensorFlow devices here;
	 * files are written by this process. */
	const char *experimental_io_device;
	/* Deprecated alias of enable_async; either sets both. */
	bool experimental_enable_async_checkpoint;
	/* Called in order after the files are complete, with the path as it
	 * was given, and before the state file `checkpoint` names them. */
	void (*const *experimental_write_callbacks)(const char *path,
						    void *arg);
	size_t n_write_callbacks;
	void *write_callbacks_arg;
	/* The files are those of an asynchronous save (with `save_counter`);
	 * the call itself returns when they are complete. */
	bool enable_async;
	/* Concerns loading only; without effect when saving, as in TensorFlow.
	 */
	bool experimental_skip_slot_variables;
	/* The outcome of a ShardingCallback: 0 is ShardByTaskPolicy (one
	 * shard); else no shard takes more bytes than this, but for a tensor
	 * that is larger by itself. Tensors are never sliced. */
	uint64_t experimental_sharding_max_shard_size;
};

/** A zeroed struct means Keras's defaults. */
struct wh_save_options {
	enum wh_overwrite overwrite;
	const char *save_format;	  /* NULL: by suffix */
	const struct wh_library *library; /* where formats are looked for;
					     NULL: the built-in ones */
	const struct wh_checkpoint_options *options;
	/* For WH_OVERWRITE_ASK; the library itself never prompts. False, or
	 * NULL: WH_EEXISTS. `path` is what exists: the file, or for tf
	 * PREFIX.index. */
	bool (*confirm)(const char *path, void *arg);
	struct wh_plan_options plan;
	bool canonical; /* don't use the template of an imported file */
	bool verify;	/* read the files back and compare every byte */
	bool digests;	/* fill wh_saved_file.sha256 */
	unsigned threads;
	wh_progress_fn *progress;
	/* Gets each sentence on what was left out or assumed; may be NULL. */
	void (*warn)(void *arg, const char *sentence);
	void *arg; /* for confirm, progress and warn */
};

struct wh_saved_file {
	char *path;
	uint64_t size;
	char sha256[65]; /* "" unless digests were asked for */
};

/** Filled on success; the caller frees it with wh_saved_free. */
struct wh_saved {
	const char *format;
	struct wh_saved_file *files;
	size_t n_files;
	bool reproduced; /* the bytes that were imported, from the template */
};
WH_API void wh_saved_free(struct wh_saved *saved);

/** Model.save_weights(filepath, overwrite=True, save_format=None,
 *  options=None) of the snapshot that `revision` means. Files appear under
 *  their final names when they are complete, or not at all. For tf `filepath`
 *  is a prefix, folders are made, and the state file `checkpoint` is updated.
 *  WH_EINVAL with Keras's own text for a bad save_format; WH_EUNSUPPORTED if
 *  the build lacks the format's library, or the format can't hold the model;
 *  WH_EEXISTS; WH_ENOTFOUND for the folder of an h5 file. */
WH_API enum wh_status wh_save_weights(struct wh_store *store,
				      const char *revision,
				      const char *filepath,
				      const struct wh_save_options *options,
				      struct wh_error *err);

/** The same from any source, with what was written in `*saved` (may be
 *  NULL). */
WH_API enum wh_status wh_save_source(struct wh_source *source,
				     const char *filepath,
				     const struct wh_save_options *options,
				     struct wh_saved *saved,
				     struct wh_error *err);

/** The same as one stream of bytes into `fd`, for formats of one file.
 *  WH_EINVAL for others. */
WH_API enum wh_status wh_save_stream(struct wh_source *source,
				     const struct wh_format *format, int fd,
				     const struct wh_save_options *options,
				     struct wh_error *err);

/** The format that Keras's rules give for a path and a save_format (may be
 *  NULL); a suffix that only another format of the library has means that one.
 *  Errors as wh_save_weights. */
WH_API enum wh_status wh_choose_format(const char *filepath,
				       const char *save_format,
				       const struct wh_library *library,
				       const struct wh_format **format,
				       struct wh_error *err);

/** Opens a checkpoint of any readable format of `options->library`, found by
 *  content (`format` NULL) or by name, as a source. `path`: a file, a TF
 * prefix, one of its files, or a folder with a state file. */
WH_API enum wh_status wh_checkpoint_open(const char *path, const char *format,
					 const struct wh_load_options *options,
					 struct wh_source **source,
					 struct wh_error *err);

/** Proves the template of an opened checkpoint against its files: marks those
 *  that the canonical planner makes, and drops a template that does not give
 *  every file back byte for byte. `*reproducible` says which. Call it before
 *  committing the source. */
WH_API enum wh_status wh_checkpoint_prove(struct wh_source *source,
					  const char *path,
					  const struct wh_library *library,
					  bool *reproducible,
					  struct wh_error *err);

/** The plan that saving `source` as `format` follows: that of its template,
 *  unless `canonical`, or the format's own. The plan borrows the source, which
 *  may be wrapped by filters that the plan then owns. */
WH_API enum wh_status wh_plan_for(struct wh_source *source,
				  const struct wh_format *format,
				  const struct wh_plan_options *options,
				  bool canonical, struct wh_plan **plan,
				  bool *reproduced, struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
