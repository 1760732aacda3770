/* checkpoint_path.h: which checkpoint a file belongs to, by its name. */
#ifndef WH_CLI_CHECKPOINT_PATH_H
#define WH_CLI_CHECKPOINT_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <weighhouse/library.h>

/** The checkpoint that a file is part of, as wh_checkpoint_open takes it,
 *  malloc'd: a TF prefix for its .index and data files, the folder of a
 *  SavedModel for its variables, the index for shards; else the path itself.
 *  NULL for TensorFlow's state file, and without memory. */
char *checkpoint_of(const char *path);

/** Whether the name is one that a format of the library writes. */
bool checkpoint_name(const struct wh_library *library, const char *name);

/** Whether it is that of a TF checkpoint's data, of which its index tells. */
bool checkpoint_name_is_data(const char *name);

/** Whether it is one that writers give to what is not ready: hidden, TF's
 *  *.tempstate* and *_temp, *.tmp*, *~, those of tempfile. */
bool checkpoint_name_is_temporary(const char *name);

/** A SavedModel's folder: it is one checkpoint. */
bool checkpoint_is_saved_model(const char *folder);

/** All that tells whether a checkpoint's files are those of before. */
struct checkpoint_state {
	bool exists; /* its main file, which is written last */
	uint64_t size;
	int64_t mtime_ns; /* of the newest */
	uint64_t sum;	  /* of all that stat says of all its files */
};

/** Looks at the files of a checkpoint. `each`, if there is one, gets the path
 *  of each. */
void checkpoint_look(const char *path, struct checkpoint_state *state,
		     void (*each)(void *arg, const char *file), void *arg);

bool checkpoint_same(const struct checkpoint_state *a,
		     const struct checkpoint_state *b);

/** A file as a state of its own. */
void checkpoint_add_file(struct checkpoint_state *state,
			 const struct stat *file);

#endif
