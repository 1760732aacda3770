/* A model of a disk with a cache that a power cut empties.
 *
 * A file is its bytes as they were last synced, and the writes since then. A
 * folder's names are those of its last sync, and the changes since then. A cut
 * keeps, by chance:
 *  - of a folder's changes the first so many: file systems with a journal keep
 *    their order, and none promises more before the folder is synced;
 *  - of a file's writes all, none, the first so many, or each sector of 512
 *    bytes by itself: so they are also reordered and torn. A file that grew
 *    without the bytes that made it grow has zeros there.
 * Folders themselves are taken to be on the disk as soon as they are made.
 */
#include "faults.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR	  512
#define MAX_FILES 1024

enum change_kind { WRITE, RESIZE };

struct change {
	enum change_kind kind;
	int64_t offset; /* RESIZE: the new size */
	uint8_t *bytes;
	size_t len;
	struct change *next;
};

struct image {
	uint8_t *bytes;
	int64_t size;
};

struct file {
	dev_t device;
	ino_t inode;
	bool gone; /* no name: its inode may come again */
	struct image durable;
	struct change *first, **last;
};

enum naming_kind { NAME, UNNAME };

/* NAME: `path` is this file from now on, whatever it was before; in the same
 * step `from`, where there is one, ends to be. */
struct naming {
	enum naming_kind kind;
	char *path, *from;
	struct file *file;
	bool durable;
};

static char root[PATH_MAX];
static struct file *files[MAX_FILES];
static int n_files;
static struct naming *namings;
static int n_namings, room;

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void read_image(const char *path, struct image *image)
{
	FILE *file = must(fopen(path, "re"));

	fseek(file, 0, SEEK_END);
	image->size = ftell(file);
	rewind(file);
	image->bytes = must(malloc((size_t)image->size + 1));
	if (fread(image->bytes, 1, (size_t)image->size, file) !=
	    (size_t)image->size)
		abort();
	fclose(file);
}

static void image_resize(struct image *image, int64_t size)
{
	image->bytes = must(realloc(image->bytes, (size_t)size + 1));
	if (size > image->size)
		memset(image->bytes + image->size, 0,
		       (size_t)(size - image->size));
	image->size = size;
}

static void image_write(struct image *image, int64_t offset,
			const uint8_t *bytes, size_t len)
{
	if (offset + (int64_t)len > image->size)
		image_resize(image, offset + (int64_t)len);
	memcpy(image->bytes + offset, bytes, len);
}

static void image_apply(struct image *image, const struct change *change)
{
	if (change->kind == RESIZE)
		image_resize(image, change->offset);
	else
		image_write(image, change->offset, change->bytes, change->len);
}

static struct file *find_file(dev_t device, ino_t inode)
{
	for (int i = n_files - 1; i >= 0; i--) {
		if (files[i]->device == device && files[i]->inode == inode &&
		    !files[i]->gone)
			return files[i];
	}
	return NULL;
}

static struct file *file_of(int fd)
{
	struct stat at;

	return fd >= 0 && fstat(fd, &at) == 0 && S_ISREG(at.st_mode)
		       ? find_file(at.st_dev, at.st_ino)
		       : NULL;
}

static struct file *add_file(const struct stat *at)
{
	struct file *file = must(calloc(1, sizeof(*file)));

	if (n_files == MAX_FILES)
		abort();
	file->device = at->st_dev;
	file->inode = at->st_ino;
	file->last = &file->first;
	files[n_files++] = file;
	return file;
}

static struct naming *add_naming(enum naming_kind kind, const char *path,
				 struct file *file, bool durable)
{
	if (n_namings == room) {
		room = room ? 2 * room : 64;
		namings =
			must(realloc(namings, (size_t)room * sizeof(*namings)));
	}
	namings[n_namings] = (struct naming){
		.kind = kind,
		.path = must(strdup(path)),
		.file = file,
		.durable = durable,
	};
	return &namings[n_namings++];
}

static struct file *named(const char *path)
{
	struct file *file = NULL;

	for (int i = 0; i < n_namings; i++) {
		if (strcmp(namings[i].path, path) == 0)
			file = namings[i].kind == NAME ? namings[i].file : NULL;
		else if (namings[i].from && strcmp(namings[i].from, path) == 0)
			file = NULL;
	}
	return file;
}

static void scan(const char *folder)
{
	DIR *list = must(opendir(folder));
	const struct dirent *entry;
	char path[PATH_MAX];
	struct stat at;

	while ((entry = readdir(list))) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (lstat(path, &at) == 0 && S_ISDIR(at.st_mode)) {
			scan(path);
		} else if (S_ISREG(at.st_mode)) {
			struct file *file = add_file(&at);

			read_image(path, &file->durable);
			add_naming(NAME, path, file, true);
		}
	}
	closedir(list);
}

void disk_start(const char *folder)
{
	if (!realpath(folder, root))
		abort();
	scan(root);
}

const char *disk_path(const char *path)
{
	static char full[2 * PATH_MAX];
	char folder[PATH_MAX], real[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t len = strlen(root);

	if (slash)
		snprintf(folder, sizeof(folder), "%.*s",
			 slash == path ? 1 : (int)(slash - path), path);
	if (!len || !realpath(slash ? folder : ".", real))
		return NULL;
	snprintf(full, sizeof(full), "%s/%s", real, slash ? slash + 1 : path);
	return strncmp(full, root, len) == 0 && full[len] == '/' ? full : NULL;
}

void disk_opened(int fd, const char *path, bool created)
{
	struct stat at;

	if (!created || fstat(fd, &at) || !S_ISREG(at.st_mode))
		return;
	add_naming(NAME, path, add_file(&at), false);
}

bool disk_knows(int fd)
{
	return file_of(fd) != NULL;
}

static struct change *add_change(int fd, enum change_kind kind, int64_t offset)
{
	struct file *file = file_of(fd);
	struct change *change;

	if (!file)
		return NULL;
	change = must(calloc(1, sizeof(*change)));
	change->kind = kind;
	change->offset = offset;
	*file->last = change;
	file->last = &change->next;
	return change;
}

void disk_wrote(int fd, int64_t offset, const void *bytes, size_t len)
{
	struct change *change = add_change(fd, WRITE, offset);

	if (!change)
		return;
	change->bytes = must(malloc(len + 1));
	memcpy(change->bytes, bytes, len);
	change->len = len;
}

void disk_resized(int fd, int64_t size)
{
	add_change(fd, RESIZE, size);
}

void disk_removed(const char *path)
{
	struct file *file = named(path);

	add_naming(UNNAME, path, NULL, false);
	if (file)
		file->gone = true;
}

/* `keep`: a second name, as link() makes it. */
void disk_renamed(const char *from, const char *to, bool keep)
{
	struct file *file = named(from), *old = named(to);

	if (!file)
		return;
	if (old && old != file)
		old->gone = true;
	add_naming(NAME, to, file, false)->from =
		keep ? NULL : must(strdup(from));
}

static void sync_file(struct file *file)
{
	struct change *change = file->first, *next;

	for (; change; change = next) {
		image_apply(&file->durable, change);
		next = change->next;
		free(change->bytes);
		free(change);
	}
	file->first = NULL;
	file->last = &file->first;
}

static bool lies_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/' &&
	       !strchr(path + len + 1, '/');
}

void disk_synced(int fd)
{
	struct file *file = file_of(fd);
	char link[64], folder[PATH_MAX];
	ssize_t len;

	if (file) {
		sync_file(file);
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, folder, sizeof(folder) - 1);
	if (len < 0)
		return;
	folder[len] = '\0';
	for (int i = 0; i < n_namings; i++) {
		if (lies_in(namings[i].path, folder))
			namings[i].durable = true;
	}
}

static unsigned state;

static unsigned chance(unsigned n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

/* Each sector by itself. */
static void apply_torn(struct image *image, const struct change *change)
{
	size_t at = 0;

	if (change->kind == RESIZE) {
		if (chance(2))
			image_apply(image, change);
		return;
	}
	while (at < change->len) {
		size_t end = at + SECTOR -
			     (size_t)(change->offset + (int64_t)at) % SECTOR;

		if (end > change->len)
			end = change->len;
		if (chance(2))
			image_write(image, change->offset + (int64_t)at,
				    change->bytes + at, end - at);
		at = end;
	}
}

static void crash_file(struct file *file)
{
	const struct change *change;
	unsigned n = 0, way = chance(4), kept;

	for (change = file->first; change; change = change->next)
		n++;
	kept = way == 0 ? n : way == 1 ? 0 : chance(n + 1);
	for (change = file->first; change; change = change->next) {
		if (way == 3)
			apply_torn(&file->durable, change);
		else if (kept-- == 0)
			break;
		else
			image_apply(&file->durable, change);
	}
}

/* The changes of one folder that outlive the cut: those it has synced, and
 * of the rest the first so many. */
static void crash_names(void)
{
	static char seen[64][PATH_MAX];
	unsigned left[64];
	int n_seen = 0;

	for (int i = 0; i < n_namings; i++) {
		char folder[PATH_MAX];
		int at = 0;

		snprintf(folder, sizeof(folder), "%.*s",
			 (int)(strrchr(namings[i].path, '/') - namings[i].path),
			 namings[i].path);
		while (at < n_seen && strcmp(seen[at], folder) != 0)
			at++;
		if (at == n_seen) {
			if (n_seen == 64)
				abort();
			strcpy(seen[n_seen++], folder);
			/* Often all or none: the ends matter most. */
			left[at] = chance(3) ? chance(8) : chance(2) * 1000u;
		}
		if (!namings[i].durable && left[at] && left[at]--)
			namings[i].durable = true;
	}
}

static void put_file(const char *path, const struct image *image)
{
	char folder[PATH_MAX];
	int64_t done = 0;
	int fd;

	/* It may have been removed after the file, whose end isn't synced. */
	snprintf(folder, sizeof(folder), "%.*s",
		 (int)(strrchr(path, '/') - path), path);
	mkdir(folder, 0777);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		abort();
	while (done < image->size) {
		ssize_t put = write(fd, image->bytes + done,
				    (size_t)(image->size - done));

		if (put <= 0)
			abort();
		done += put;
	}
	close(fd);
}

void disk_cut(unsigned seed)
{
	state = seed * 2654435761u + 12345u;
	for (int i = 0; i < n_files; i++)
		crash_file(files[i]);
	crash_names();
	for (int i = 0; i < n_namings; i++)
		unlink(namings[i].path);
	for (int i = 0; i < n_namings; i++) {
		if (!namings[i].durable)
			continue;
		if (namings[i].from)
			unlink(namings[i].from);
		if (namings[i].kind == NAME)
			put_file(namings[i].path, &namings[i].file->durable);
		else
			unlink(namings[i].path);
	}
}
