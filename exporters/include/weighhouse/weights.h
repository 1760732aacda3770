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
	 * the call itself returns when they are complete: see
	 * wh_save_weights_async. */
	bool enable_async;
	/* Concerns loading only; without effect when saving, as in TensorFlow.
	 */
	bool experimental_skip_slot_variables;
	/* The outcome of a ShardingCallback: 0 is ShardByTaskPolicy (one
	 * shard); else no shard takes more bytes than this, but for a tensor
	 * that is larger by itself. Tensors are sliced only where
	 * wh_plan_options.shard_policy asks for it. */
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
	struct wh_state_options state; /* tf: its `checkpoint` file */
	bool canonical;	  /* don't use the template of an imported file */
	bool verify;	  /* read the files back and compare every byte */
	bool digests;	  /* fill wh_saved_file.sha256 */
	unsigned threads; /* 0: as many as pay: one below 32 MiB */
	wh_progress_fn *progress;
	/* Gets each sentence on what was left out or assumed; may be NULL. */
	void (*warn)(void *arg, const char *sentence);
	void *arg; /* for confirm, progress and warn */
};

struct wh_saved_file {
	char *path;
	uint64_t size;
	char sha256[WH_ID_SIZE]; /* "" unless digests were asked for */
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
 *  NULL). WH_EINVAL, before anything is written, for a value that an enum of
 *  the options doesn't have. */
WH_API enum wh_status wh_save_source(struct wh_source *source,
				     const char *filepath,
				     const struct wh_save_options *options,
				     struct wh_saved *saved,
				     struct wh_error *err);

/** The same as one stream of bytes into `fd`, for formats of one file. What
 *  was written before an error is in it. WH_EINVAL for others; WH_EMISMATCH if
 *  the file that the source reads from was changed meanwhile. */
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

/* ---- Saving in the background --------------------------------------- */

struct wh_pending_save;

/** CheckpointOptions(enable_async=True): copies the payloads of `source` into
 *  memory, so that the trainer may go on changing its arrays, and writes them
 *  in a thread of its own. One such save is in flight in a process: the next
 *  one waits for it first. Errors of the choice of format and of the copy
 *  come from this call, all others from wh_save_wait. The options are copied,
 *  but for `library`. The source itself must stay open until then; so must the
 *  library and what callbacks use, which are called in that thread: `confirm`
 *  too. The files are those of TensorFlow's asynchronous save. */
WH_API enum wh_status
wh_save_weights_async(struct wh_source *source, const char *filepath,
		      const struct wh_save_options *options,
		      struct wh_pending_save **pending, struct wh_error *err);

/** Waits for the end of the save, frees `pending`, and gives the status that
 *  it ended with; `saved` may be NULL. Takes NULL for `pending`. */
WH_API enum wh_status wh_save_wait(struct wh_pending_save *pending,
				   struct wh_saved *saved,
				   struct wh_error *err);

/* ---- Loading --------------------------------------------------------- */

/** By which rule values find their weights. */
enum wh_matching {
	WH_MATCH_AUTO = 0, /* OBJECTS if one of the two is a TensorFlow
			      checkpoint (wh_load_into: if the file is),
			      else LAYERS. A model's root and that of a
			      tf.train.Checkpoint(model=...) meet */
	WH_MATCH_LAYERS,   /* load_weights of HDF5: by topology. Layers with
			      weights one by one, whatever their names */
	WH_MATCH_NAMES,	   /* load_weights(by_name=True): layers of one name */
	WH_MATCH_OBJECTS,  /* tf.train.Checkpoint.restore: greedily, by the
			      attribute names of the object graph; for a
			      checkpoint without one by full names */
};

/** Of WH_MATCH_OBJECTS: what must be true of the match. */
enum wh_assertion {
	WH_ASSERT_NONTRIVIAL_MATCH = 0, /* load_weights': more than the root;
					   what is left over is a warning */
	WH_ASSERT_EXISTING_OBJECTS_MATCHED, /* every weight of the model gets
					       a value */
	WH_ASSERT_CONSUMED, /* and every value of the checkpoint is used */
	WH_EXPECT_PARTIAL,  /* as the first, without warnings */
};

/** A zeroed struct means Keras's defaults. */
struct wh_load_weights_options {
	enum wh_matching matching;
	enum wh_assertion assertion;
	/* Of WH_MATCH_NAMES: layers whose number of weights, and weights whose
	 * shape differs are left as they are, with Keras's warning. Of
	 * WH_MATCH_LAYERS only into a Keras 3 file: from another one objects of
	 * one path are paired, and those that differ, or that the other lacks,
	 * left; else only weights whose shape differs. */
	bool skip_mismatch;
	/* Values of another dtype are rounded to the model's. Without it they
	 * are widened where that is exact, as float16 to float32, else
	 * refused; WH_MATCH_OBJECTS refuses both, as TensorFlow. */
	bool cast;
	/* experimental_skip_slot_variables is looked at. */
	const struct wh_checkpoint_options *options;
	const char *model_config; /* as in wh_plan_options; or NULL */
	const char *map;	  /* of the source's weights; likewise */
	const struct wh_library *library;
	enum wh_isolation isolation; /* of reading HDF5 (format.h) */
	void (*warn)(void *arg, const char *sentence);
	wh_progress_fn *progress;
	void *arg; /* for warn and progress */
};

struct wh_loaded {
	enum wh_matching matching; /* the rule that was followed */
	uint32_t n_loaded;	   /* tensors of the model with a new value */
	uint32_t n_kept;	   /* of the model that keep their own */
	uint32_t n_unused;	   /* of the checkpoint that went nowhere */
	uint32_t n_skipped;	   /* left out by skip_mismatch */
};

/** A model as its trainer has it: what values go into. */
struct wh_target;

/** One weight of it. */
struct wh_destination {
	const char *name; /* below its layer: "kernel", "cell/bias" */
	enum wh_dtype dtype;
	uint32_t rank;
	const uint64_t *shape;
	/* Bytes from an element to the next along each dimension, of any sign;
	 * NULL for packed C order. */
	const int64_t *strides;
	void *data; /* the element at index 0, 0, ...; native order */
	/* Instead of `data` (then NULL): takes the packed little-endian
	 * payload in runs, in order. Nonzero fails the load. */
	int (*write)(void *arg, uint64_t offset, const void *bytes, size_t len);
	void *arg;
};

/** An empty model, which the caller frees with wh_target_free. Weights are
 *  given in Keras's order: those that are trained before those that are not. */
WH_API enum wh_status wh_target_new(struct wh_target **target,
				    struct wh_error *err);
WH_API void wh_target_free(struct wh_target *target);

/** As wh_builder_layer. */
WH_API enum wh_status wh_target_layer(struct wh_target *target,
				      const char *name, const char *class_name,
				      struct wh_error *err);

/** As wh_builder_weight; the memory is borrowed until wh_target_free.
 *  WH_EINVAL after the first load. */
WH_API enum wh_status wh_target_weight(struct wh_target *target,
				       const struct wh_destination *weight,
				       struct wh_error *err);

/** Model.load_weights: puts a source's values into the model. All of the
 *  matching comes first: after WH_EMISMATCH (its text is Keras's or
 *  TensorFlow's, and names layer, expected and found shape) and WH_EUNSUPPORTED
 *  nothing was written. Values are held against their checksums while they are
 *  copied; after WH_ECORRUPT or WH_EIO the model is half loaded. */
WH_API enum wh_status
wh_load_source(struct wh_source *source, struct wh_target *target,
	       const struct wh_load_weights_options *options,
	       struct wh_loaded *loaded, struct wh_error *err);

/** The same from a snapshot of a store. */
WH_API enum wh_status
wh_load_weights(struct wh_store *store, const char *revision,
		struct wh_target *target,
		const struct wh_load_weights_options *options,
		struct wh_loaded *loaded, struct wh_error *err);

/** The same from a checkpoint on disk, as wh_checkpoint_open finds it. */
WH_API enum wh_status
wh_load_checkpoint(const char *filepath, struct wh_target *target,
		   const struct wh_load_weights_options *options,
		   struct wh_loaded *loaded, struct wh_error *err);

/** Puts a source's values into a checkpoint on disk, which is the model. The
 *  file is replaced when it is complete; it keeps its format, and all that is
 *  not matched, byte for byte where its payloads lie flat. What can't be kept
 *  so is refused (WH_EUNSUPPORTED). `saving` gives threads, verify and
 *  digests, and `saved` what was written; both may be NULL. */
WH_API enum wh_status
wh_load_into(struct wh_source *source, const char *filepath,
	     const struct wh_load_weights_options *options,
	     const struct wh_save_options *saving, struct wh_loaded *loaded,
	     struct wh_saved *saved, struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
