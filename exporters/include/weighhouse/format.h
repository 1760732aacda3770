/* format.h: one descriptor a format; a line in registry.c adds it, or a plug-in
 * (library.h). */
#ifndef WEIGHHOUSE_FORMAT_H
#define WEIGHHOUSE_FORMAT_H

#include <weighhouse/plan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What tf checkpoints are rooted at: those of the model and those of a
 *  tf.train.Checkpoint don't load as each other. */
enum wh_root {
	WH_ROOT_DEFAULT = 0, /* as it was imported, else the model */
	WH_ROOT_CHECKPOINT,  /* as tf.train.Checkpoint(model=...) writes */
	WH_ROOT_UNIVERSAL,   /* the model, with edges by which Keras 3's
				tf.train.Checkpoint(model) finds it, too */
	WH_ROOT_MODEL,	     /* as Model.save_weights writes */
};

/** How max_shard_size is kept. */
enum wh_shard_policy {
	WH_SHARD_WHOLE = 0,  /* tensors stay whole; a larger one has a shard of
				its own */
	WH_SHARD_TENSORFLOW, /* tf: slices, as MaxShardSizePolicy's outcome */
};

/** Another dtype for tensors of one, or of one kind. */
struct wh_cast {
	enum wh_dtype from; /* WH_DTYPE_NONE: every float for a float, every
			       complex for a complex, and every integer that
			       the target holds without loss */
	enum wh_dtype to;   /* rounded to nearest, ties to even */
};

/** What a planner is told. A zeroed struct means Keras's defaults. */
struct wh_plan_options {
	enum wh_root root;
	const char *object; /* tf: the model, by its path from the root of a
			       tf.train.Checkpoint(net=...): "net"; the root is
			       at it unless `root` says otherwise; or NULL */
	uint64_t max_shard_size; /* bytes; 0: one shard */
	enum wh_shard_policy shard_policy;
	uint64_t save_counter; /* tf: as the Nth Checkpoint.save writes it, from
				  1; 0: none, as Checkpoint.write */
	bool async_layout; /* CheckpointOptions.enable_async: adds save_counter
			      as TensorFlow's async save does */
	bool bfloat16_opaque;  /* h5: as Keras writes it, which nothing loads;
				  otherwise widened exactly to float32 */
	bool skip_unsupported; /* leave out, with a warning, what the format
				  can't hold, instead of refusing */
	const char *model_config; /* JSON text that resolves nested models, or
				     NULL */
	const char *map; /* JSON text: where weights go that names don't decide
			    (exporters/mapping/FORMAT.md), or NULL */
	const struct wh_cast *casts; /* done before planning; the first that
					concerns a tensor counts */
	size_t n_casts;
	const char *filepath; /* where the files will go, for formats whose
				 files name each other; or NULL */
};

/** Which formats are known: NULL stands for the built-in ones. */
struct wh_library;

/** What becomes of the folder's state file `checkpoint` after a save. */
enum wh_state {
	WH_STATE_LATEST = 0, /* it names this checkpoint alone, as
				save_weights and Checkpoint.save leave it */
	WH_STATE_MANAGED,    /* as tf.train.CheckpointManager.save */
	WH_STATE_UNTOUCHED,  /* as Checkpoint.write */
};

/** A zeroed struct is save_weights'. */
struct wh_state_options {
	enum wh_state state;
	/* Of WH_STATE_MANAGED: how many checkpoints of the state file stay;
	 * 0: all of them (max_to_keep=None). Older ones are deleted, oldest
	 * first, if they lie in the folder itself. */
	uint32_t max_to_keep;
	/* Of those, one that is so much younger than the last that was
	 * preserved is kept for good, and leaves the list; 0: none. */
	double keep_checkpoint_every_n_hours;
};

/** Where libhdf5 reads HDF5 files that are not as Keras writes them: it can
 *  crash on damaged ones. Apart is in a child process that can do nothing but
 *  read that file, in 2 GiB of memory; opening it may take ten seconds of CPU
 *  time, and one more for each 4 MiB. A crash is an error then, WH_ECORRUPT.
 *  The process is forked: only while no other thread of the program uses this
 *  library. A program that ignores SIGCHLD, or that reaps all children, is told
 *  "it ended early" of every crash. */
enum wh_isolation {
	WH_IN_PROCESS = 0,
	WH_APART,
	WH_APART_LIMITED, /* all HDF5 files, also those that libhdf5 isn't
			     needed for; reading has the same time in all */
};

/** A file beside those of a save. */
enum wh_beside {
	WH_BESIDE_STRANGER = 0,
	WH_BESIDE_REPLACED, /* of the checkpoint that was saved there before:
			       readers would take it for a part of the new one,
			       or for all of it, so it is removed */
	WH_BESIDE_TWIN,	    /* a checkpoint of a name of its own that may be an
			       older save: it stays, and that is said */
};

struct wh_load_options {
	const struct wh_library *library; /* where formats are looked for */
	enum wh_isolation isolation;
	unsigned threads;
	/* Limits on what a file may ask for; 0: the defaults of the format. */
	uint64_t max_nbytes;
};

/* name, summary and suffixes are mandatory; where `missing` is NULL, so are
 * plan, or probe and load, or all three. */
struct wh_format {
	const char *name;    /* as save_format spells it: lower case, no blanks,
				at most 31 bytes */
	const char *summary; /* one line, for `wh formats` */
	const char *const *suffixes; /* NULL-terminated; may be empty */
	const char *missing; /* why this build can't, or NULL: the format stays
				listed and says so */
	unsigned needs;	     /* enum wh_weighed: digests that planning wants */
	/** Lays out the canonical files: from values, names and graph alone,
	 *  byte-identical with the real writer's. Reads payloads only where
	 *  the layout depends on them (string tensors). WH_EUNSUPPORTED,
	 *  naming tensor or layer, for what the format can't hold or names
	 *  don't decide. */
	enum wh_status (*plan)(struct wh_source *source,
			       const struct wh_plan_options *options,
			       struct wh_plan **plan, struct wh_error *err);
	/** Whether `path` looks like this format, by content; never fails. If
	 *  only loading can tell, several formats may say so. */
	bool (*probe)(const char *path);
	/** Opens a checkpoint. Its template's extents say where each payload
	 *  lies, where they lie flat. WH_ENOTFOUND; WH_ECORRUPT with one clear
	 *  sentence for damaged or hostile input; WH_EUNSUPPORTED;
	 *  WH_EMISMATCH if it is of another format: the next that its probe
	 *  takes for its own is asked. */
	enum wh_status (*load)(const char *path,
			       const struct wh_load_options *options,
			       struct wh_source **source, struct wh_error *err);
	/** The path that `path` means (a TF prefix for its .index or
	 *  .data-*-of-*, or for a folder with a state file), malloc'd into
	 *  `*resolved`; NULL member: the path itself. */
	enum wh_status (*resolve)(const char *path, char **resolved,
				  struct wh_error *err);
	/** What is left to do once the files under `path` are complete and
	 *  visible: tf's state file, shards of the checkpoint that was
	 *  replaced. NULL member: nothing. */
	enum wh_status (*finish)(const char *path,
				 const struct wh_state_options *options,
				 struct wh_error *err);
	/** Brings checksums that lie between the payloads of a plan, which
	 *  follows a template of this format, in line with the values: these
	 *  may be others than the template's. NULL member: there are none. */
	enum wh_status (*refresh)(struct wh_plan *plan, struct wh_error *err);
	/** Whether the files of the manifest's template, which is of this
	 *  format, are of the kind that `filepath` (or NULL) asks for. NULL
	 *  member: they always are. */
	bool (*fits)(const struct wh_manifest *manifest, const char *filepath);
	/** What `name`, a file beside `path`, is to `plan`, which was saved
	 *  there and has no such file. NULL member: all are strangers. */
	enum wh_beside (*beside)(const struct wh_plan *plan, const char *path,
				 const char *name);
	bool keeps_order;     /* it lays tensors out as the manifest lists them,
				 if that has no graph */
	bool shards;	      /* max_shard_size cuts it into files */
	bool holds_packed;    /* safetensors' dtypes that are uint8 here: its
			       * planner writes them as what they are */
	bool widens_bfloat16; /* its planner is given float32 for bfloat16,
				 unless that is asked for as it is */
	bool takes_checkpoint_options; /* tf.train.CheckpointOptions concern
					  it; others ignore them, as Keras */
	bool makes_folders; /* saving makes missing folders, as TF does and
			       HDF5 does not */
};

/** The formats of a library (NULL: the built-in ones), in the order of
 *  `wh formats`; NULL-terminated, valid until one is added. */
WH_API const struct wh_format *const *
wh_formats(const struct wh_library *library);

/** By name or alias (case-folded, blanks stripped): "h5", "hdf5", "keras",
 *  "tf", "tensorflow", "keras3". NULL if there is none. */
WH_API const struct wh_format *
wh_format_by_name(const struct wh_library *library, const char *name);

#ifdef __cplusplus
}
#endif
#endif
