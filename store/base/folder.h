/* base/folder.h: the folders that files are in. */
#ifndef WH_BASE_FOLDER_H
#define WH_BASE_FOLDER_H

#include "base/error.h"

/** Makes missing folders above `path`; new ones are synced. */
enum wh_status make_folders(const char *path, struct wh_error *err);
/** Syncs the folder that holds `path`, so that a rename in it stays. */
enum wh_status sync_folder(const char *path, struct wh_error *err);

#endif
