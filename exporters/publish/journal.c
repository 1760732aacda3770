#include "publish/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/json_put.h"
#include "publish/home.h"

#define MAX_JOURNAL ((off_t)64 << 20) /* bytes that are read back */

/* Beside the file itself: a store that is called by a link, too, has one. */
char *journal_folder_beside(const char *store)
{
	char *whole wh_free_auto = realpath(store, NULL);
	char *folder;

	return asprintf(&folder, "%s-publish", whole ? whole : store) < 0
		       ? NULL
		       : folder;
}

char *journal_folder_of_user(void)
{
	const char *state = getenv("XDG_STATE_HOME");
	char *home wh_free_auto = NULL, *folder = NULL;

	if (state && *state)
		return asprintf(&folder, "%s/weighhouse", state) < 0 ? NULL
								     : folder;
	home = home_folder();
	return home && asprintf(&folder, "%s/.local/state/weighhouse", home) >=
				       0
		       ? folder
		       : NULL;
}

/* Another user's is closed to this one. */
static bool can_be_used(const char *folder)
{
	char *copy wh_free_auto = strdup(folder);

	if (access(folder, W_OK | X_OK) == 0)
		return true;
	return errno == ENOENT && copy &&
	       access(dirname(copy), W_OK | X_OK) == 0;
}

char *journal_folder(const char *store)
{
	char *beside = journal_folder_beside(store);

	if (!beside || can_be_used(beside))
		return beside;
	free(beside);
	return journal_folder_of_user();
}

struct journal {
	pthread_mutex_t lock;
	json_t *paths; /* {path: {key: value}} */
	char *file;    /* NULL: in memory alone */
	char *folder;
	int fd;
};

static void note(struct journal *journal, const char *path, const char *key,
		 const char *value)
{
	json_t *keys = json_object_get(journal->paths, path);

	if (!key) {
		json_object_del(journal->paths, path);
		return;
	}
	if (!keys) {
		keys = json_object();
		json_object_set_new(journal->paths, path, keys);
	}
	json_object_set_new(keys, key, json_string(value));
}

static void read_line(struct journal *journal, const char *line, size_t len)
{
	json_t *row = json_of_text(line, len, 0, NULL);
	const char *path = json_string_value(json_object_get(row, "path"));
	const char *key = json_string_value(json_object_get(row, "key"));
	const char *value = json_string_value(json_object_get(row, "value"));

	if (path && (!key || value))
		note(journal, path, key, value);
	json_decref(row);
}

static void read_back(struct journal *journal)
{
	struct stat at;
	char *text wh_free_auto = NULL;
	char *line, *end;
	ssize_t got;

	if (fstat(journal->fd, &at) || at.st_size > MAX_JOURNAL)
		return;
	text = malloc((size_t)at.st_size + 1);
	got = text ? pread(journal->fd, text, (size_t)at.st_size, 0) : 0;
	for (line = text; got > 0 && line < text + got; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + got - line));
		if (!end)
			break;
		read_line(journal, line, (size_t)(end - line));
	}
}

/* A publication holds its journal, for journal_look alone. Who looks asks for
 * the lock and takes none: they don't take each other for publications. */
static struct flock all_of(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static void lock(int fd)
{
	struct flock shared = all_of(F_RDLCK);

	(void)fcntl(fd, F_OFD_SETLK, &shared);
}

static bool is_locked(int fd)
{
	struct flock alone = all_of(F_WRLCK);

	return fcntl(fd, F_OFD_GETLK, &alone) == 0 && alone.l_type != F_UNLCK;
}

static enum wh_status open_file(struct journal *journal, const char *folder,
				const char *name, struct wh_error *err)
{
	/* Who published what is nobody else's business. */
	if (mkdir(folder, 0700) && errno != EEXIST)
		return WH_OK;
	journal->folder = strdup(folder);
	if (!journal->folder ||
	    asprintf(&journal->file, "%s/%s.jsonl", folder, name) < 0) {
		journal->file = NULL;
		return wh_fail_memory(err);
	}
	journal->fd = open(journal->file,
			   O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (journal->fd >= 0) {
		lock(journal->fd);
		read_back(journal);
	}
	return WH_OK;
}

enum wh_status journal_open(const char *folder, const char *name,
			    struct journal **out, struct wh_error *err)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	enum wh_status status = WH_OK;

	if (!journal)
		return wh_fail_memory(err);
	pthread_mutex_init(&journal->lock, NULL);
	journal->fd = -1;
	journal->paths = json_object();
	if (!journal->paths)
		status = wh_fail_memory(err);
	else if (folder)
		status = open_file(journal, folder, name, err);
	if (status) {
		journal_close(journal);
		return status;
	}
	*out = journal;
	return WH_OK;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->fd >= 0)
		close(journal->fd);
	json_decref(journal->paths);
	free(journal->file);
	free(journal->folder);
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}

bool journal_get(struct journal *journal, const char *path, const char *key,
		 char *value, size_t size)
{
	const char *noted;

	if (!journal)
		return false;
	pthread_mutex_lock(&journal->lock);
	noted = json_string_value(
		json_object_get(json_object_get(journal->paths, path), key));
	if (noted)
		snprintf(value, size, "%s", noted);
	pthread_mutex_unlock(&journal->lock);
	return noted != NULL;
}

static void append(struct journal *journal, json_t *row)
{
	char *line = json_to_text(row, JSON_COMPACT);
	char *ended = NULL;

	if (line && journal->fd >= 0 && asprintf(&ended, "%s\n", line) >= 0) {
		ssize_t put = write(journal->fd, ended, strlen(ended));

		(void)put; /* a hint */
		free(ended);
	}
	free(line);
	json_decref(row);
}

void journal_put(struct journal *journal, const char *path, const char *key,
		 const char *value)
{
	if (!journal)
		return;
	pthread_mutex_lock(&journal->lock);
	note(journal, path, key, value);
	append(journal, json_pack("{s:s,s:s,s:s}", "path", path, "key", key,
				  "value", value));
	pthread_mutex_unlock(&journal->lock);
}

void journal_forget(struct journal *journal, const char *path)
{
	if (!journal)
		return;
	pthread_mutex_lock(&journal->lock);
	note(journal, path, NULL, NULL);
	append(journal, json_pack("{s:s}", "path", path));
	pthread_mutex_unlock(&journal->lock);
}

json_t *journal_look(const char *folder, const char *name, bool *held)
{
	struct journal journal = {.fd = -1, .paths = json_object()};
	char *file wh_free_auto = NULL;

	*held = false;
	if (asprintf(&file, "%s/%s.jsonl", folder, name) < 0)
		file = NULL;
	if (file)
		journal.fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (journal.fd < 0)
		return journal.paths;
	*held = is_locked(journal.fd);
	read_back(&journal);
	close(journal.fd);
	return journal.paths;
}

void journal_done(struct journal *journal)
{
	if (!journal || !journal->file)
		return;
	unlink(journal->file);
	rmdir(journal->folder); /* goes if it is empty */
}
