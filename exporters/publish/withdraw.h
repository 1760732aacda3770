/* publish/withdraw.h: taking back what was published.
 *
 * The order of publishing, backwards: pointer, manifests, what readers look
 * for, data. Whoever follows a pointer meets all of a checkpoint or nothing.
 */
#ifndef WH_PUBLISH_WITHDRAW_H
#define WH_PUBLISH_WITHDRAW_H

#include <jansson.h>

#include "publish/place.h"

struct withdrawal {
	struct place *place;
	const char *alias;
	const char *snapshot;	      /* 64 digits; NULL: the alias goes */
	const char *const *protected; /* aliases that only `force` removes */
	int64_t grace_s, now;
	bool dry_run, force;
	void (*told)(void *arg, const char *what);
	void *arg;
	/* What is known beforehand: withdraw_note_... */
	int64_t since; /* when the snapshot was pointed to last; 0: unknown */
	json_t *aliases, *manifests, *files; /* {NAME: true}, in order */
};

void withdraw_note_alias(struct withdrawal *withdrawal, const char *alias);
void withdraw_note_manifest(struct withdrawal *withdrawal, const char *path);
void withdraw_note_file(struct withdrawal *withdrawal, const char *path);
void withdraw_note_time(struct withdrawal *withdrawal, int64_t time);
void withdraw_free(struct withdrawal *withdrawal);

/** WH_ENOTFOUND; WH_EEXISTS while an alias points there, for a protected one,
 *  within the grace period; WH_EUNSUPPORTED; WH_EREMOTE. */
enum wh_status withdraw(struct withdrawal *withdrawal, struct wh_error *err);

#endif
