/* zip/directory.h: where an archive's directory lies. */
#ifndef WH_ZIP_DIRECTORY_H
#define WH_ZIP_DIRECTORY_H

#include "zip/read.h"

struct zip_directory {
	uint64_t offset, size; /* in the file, bytes */
	uint64_t n_members;
	uint64_t comment; /* offset of the archive's, which ends the file */
};

/** Reads the records at the archive's end, with those of zip64 where there
 *  are any. WH_ECORRUPT. */
enum wh_status zip_directory_find(const struct zip_archive *archive,
				  struct zip_directory *found,
				  struct wh_error *err);

#endif
