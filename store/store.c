#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/text.h"

enum wh_status wh_store_create(const char *path, struct wh_error *err)
{
	return db_create(path, err);
}

enum wh_status wh_store_open(const char *path, enum wh_open mode,
			     struct wh_store **out, struct wh_error *err)
{
	struct wh_store *store = calloc(1, sizeof(*store));
	enum wh_status status;

	if (!store)
		return wh_fail_memory(err);
	status = db_open(path, mode == WH_OPEN_WRITE ? DB_WRITE : DB_READ,
			 &store->db, err);
	if (status) {
		free(store);
		return status;
	}
	*out = store;
	return WH_OK;
}

void wh_store_close(struct wh_store *store)
{
	if (!store)
		return;
	db_close(store->db);
	free(store);
}

const char *wh_store_path(const struct wh_store *store)
{
	return db_path(store->db);
}

const char *wh_store_file(const struct wh_store *store)
{
	return db_file(store->db);
}

const char *wh_store_network(const struct wh_store *store)
{
	/* statfs(2); where locks are coherent (Ceph, GPFS) there is no need. */
	static const struct {
		uint32_t magic;
		const char *name;
	} kinds[] = {
		{0x00006969, "NFS"},	{0x0000517b, "SMB"},
		{0xff534d42, "SMB"},	{0xfe534d42, "SMB"},
		{0x5346414f, "AFS"},	{0x73757245, "Coda"},
		{0x0bd00bd0, "Lustre"},
	};
	struct statfs at;
	size_t i;

	if (statfs(db_file(store->db), &at))
		return NULL;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((uint32_t)at.f_type == kinds[i].magic)
			return kinds[i].name;
	return NULL;
}

enum wh_status wh_store_migrate(const char *path, struct wh_error *err)
{
	struct wh_store *store;

	WH_TRY(wh_store_open(path, WH_OPEN_WRITE, &store, err));
	wh_store_close(store);
	return WH_OK;
}

/* ---- Settings ---------------------------------------------------------------
 */

/* What there is, and what each may be set to; HEAD is moved by verbs. */
static const struct setting {
	const char *key;
	const char *const *values; /* NULL: a number, or text */
	const char *meaning;	   /* of values, for messages; NULL: text */
	bool whole;		   /* no fraction, no exponent */
} settings[] = {
	{"codec", (const char *const[]){"none", "fast", "dense", NULL},
	 "one of none, fast, dense", false},
	{"alarms", (const char *const[]){"off", "warn", "strict", NULL},
	 "one of off, warn, strict", false},
	{"protected-aliases", NULL, NULL, false}, /* any list of words */
	{"alarms.norm", NULL, "how many times a norm may grow", false},
	{"alarms.stuck", NULL, "a number of snapshots", true},
};

static bool is_value_of(const struct setting *setting, const char *value)
{
	double number;
	int64_t whole;
	size_t i;

	if (!setting->meaning)
		return true;
	if (setting->whole && !text_to_i64(value, &whole))
		return false;
	if (!setting->values)
		return text_to_double(value, &number) && number > 0 &&
		       number < 1e15;
	for (i = 0; setting->values[i]; i++)
		if (strcmp(setting->values[i], value) == 0)
			return true;
	return false;
}

/* Of places to publish to: remote.NAME.KEY. */
static const char *const remote_keys[] = {"url",       "profile",    "endpoint",
					  "token-env", "token-file", "protect",
					  NULL};

static bool is_remote_key(const char *key)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_";
	const char *const *known;
	size_t len;

	if (strncmp(key, "remote.", 7) != 0)
		return false;
	key += 7;
	len = strspn(key, allowed);
	if (!len || len > 64 || key[len] != '.')
		return false;
	for (known = remote_keys; *known; known++)
		if (strcmp(key + len + 1, *known) == 0)
			return true;
	return false;
}

#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static enum wh_status check_setting(const char *key, const char *value,
				    struct wh_error *err)
{
	size_t i;

	for (i = 0; i < N_SETTINGS; i++) {
		if (strcmp(settings[i].key, key) != 0)
			continue;
		if (!value || is_value_of(&settings[i], value))
			return WH_OK;
		return wh_fail(err, WH_EINVAL,
			       "setting '%s' can't be '%s': it is %s", key,
			       value, settings[i].meaning);
	}
	if (is_remote_key(key))
		return WH_OK;
	return wh_fail(err, WH_EINVAL, "there is no setting '%s'", key);
}

enum wh_status wh_config_get(struct wh_store *store, const char *key,
			     char **value, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	char *copy = NULL;
	bool row;

	WH_TRY(check_setting(key, NULL, err));
	WH_TRY(db_stmt(store->db, STMT_CONFIG_GET, &stmt, err));
	stmt_text(stmt, 1, key);
	WH_TRY(stmt_step(stmt, &row, err));
	if (row && !(copy = strdup(column_text_or_empty(stmt, 0))))
		return wh_fail_memory(err);
	*value = copy;
	return WH_OK;
}

enum wh_status wh_config_set(struct wh_store *store, const char *key,
			     const char *value, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;

	WH_TRY(check_setting(key, value, err));
	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(db_stmt(store->db, value ? STMT_CONFIG_SET : STMT_CONFIG_UNSET,
		       &stmt, err));
	stmt_text(stmt, 1, key);
	if (value)
		stmt_text(stmt, 2, value);
	WH_TRY(step_done(stmt, err));
	return transaction_commit(&tx, err);
}

/* All are read before the first is handed out: who gets them may be slow, and
 * may use the store. */
enum wh_status wh_config_list(struct wh_store *store,
			      int (*fn)(void *arg, const char *key,
					const char *value),
			      void *arg, struct wh_error *err)
{
	const char *const *row = NULL;
	struct arena arena = {0};
	size_t n = 0;
	enum wh_status status =
		db_texts(store->db, STMT_CONFIG_LIST, 2, &arena, &row, &n, err);

	for (; !status && n; n--, row += 2)
		if (strcmp(row[0], CONFIG_STORE_ID) != 0 &&
		    fn(arg, row[0], row[1]))
			break;
	arena_free(&arena);
	return status;
}

enum wh_status wh_sql(struct wh_store *store, const char *query,
		      const struct wh_sql_options *options, wh_row_fn *fn,
		      void *arg, struct wh_error *err)
{
	return db_query(store->db, query, options, fn, arg, err);
}
