#include "publish/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/c_locale.h"
#include "base/sha256.h"
#include "base/text.h"
#include "publish/manifest.h"
#include "publish/transfers.h"

#define PROBE_SIZE ((size_t)4 << 20) /* enough to tell a rate */
#define PART_BEGIN 1000u

struct probing {
	struct place *place;
	probe_fn *fn;
	void *arg;
	char path[64];
	uint8_t *bytes, *back; /* PROBE_SIZE each */
	struct content content;
	uint64_t got, begin; /* of what came back */
	bool is_there;
};

static void tell(struct probing *probing, const char *check,
		 enum probe_answer answer, const char *detail)
{
	probing->fn(probing->arg, check, answer, detail);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_rate(char text[64], double began)
{
	double took = now_s() - began;
	USE_C_LOCALE;

	snprintf(text, 64, "%.1f MiB/s",
		 (double)(PROBE_SIZE >> 20) / (took > 1e-6 ? took : 1e-6));
}

/* ---- The probe ------------------------------------------------------------
 */

static enum wh_status fill(struct probing *probing, struct wh_error *err)
{
	uint8_t name[8];
	char hex[17];
	size_t i;

	probing->bytes = malloc(PROBE_SIZE);
	probing->back = malloc(PROBE_SIZE);
	if (!probing->bytes || !probing->back)
		return wh_fail_memory(err);
	if (getrandom(name, sizeof(name), 0) != (ssize_t)sizeof(name))
		return wh_fail_errno(err, errno, "random bytes");
	text_hex(name, sizeof(name), hex);
	/* Where publications are, so that the same rights are asked for. */
	snprintf(probing->path, sizeof(probing->path), "v/probe-%s/probe", hex);
	for (i = 0; i < PROBE_SIZE; i++)
		probing->bytes[i] =
			(uint8_t)(name[i % 8] + i * 2654435761u / 97);
	probing->content = (struct content){.path = probing->path,
					    .size = PROBE_SIZE,
					    .immutable = true,
					    .read = read_memory,
					    .arg = probing->bytes};
	return sha256_of(probing->bytes, PROBE_SIZE, probing->content.sha256,
			 err);
}

/* ---- What can't be done without -------------------------------------------
 */

static enum wh_status try_look(struct probing *probing, struct wh_error *err)
{
	struct place *place = probing->place;
	struct remote_file there;

	WH_TRY(place->kind->stat(place, &probing->content, &there, err));
	tell(probing, "look", PROBE_YES, "it answers, and lets us in");
	return WH_OK;
}

static enum wh_status try_write(struct probing *probing, struct wh_error *err)
{
	struct place *place = probing->place;
	struct remote_file there;
	double began = now_s();
	char rate[64];

	probing->is_there = true; /* perhaps a part of it, from here on */
	WH_TRY(place->kind->put(place, &probing->content, err));
	print_rate(rate, began);
	WH_TRY(place->kind->stat(place, &probing->content, &there, err));
	if (!remote_is_same(&there, &probing->content))
		return wh_fail(err, WH_EREMOTE,
			       "the server took the probe, but has it not");
	tell(probing, "write", PROBE_YES, rate);
	tell(probing, "digest", there.has_sha256 ? PROBE_YES : PROBE_NO,
	     there.has_sha256 ? "SHA-256, so sending is proof"
	     : there.has_size ? "the size alone; --verify full reads back"
			      : "not even the size; --verify full reads back");
	return WH_OK;
}

static enum wh_status take(void *arg, uint64_t offset, const void *bytes,
			   size_t len, struct wh_error *err)
{
	struct probing *probing = arg;

	if (offset > PROBE_SIZE || len > PROBE_SIZE - offset)
		return wh_fail(err, WH_EREMOTE, "more came back than was sent");
	if (offset < probing->begin)
		probing->begin = offset;
	memcpy(probing->back + offset, bytes, len);
	probing->got = offset + len;
	return WH_OK;
}

static enum wh_status try_read(struct probing *probing, struct wh_error *err)
{
	struct remote_range all = {.max_length = PROBE_SIZE, .etag = ""};
	struct place *place = probing->place;
	double began = now_s();
	char rate[64];

	probing->begin = UINT64_MAX;
	WH_TRY(place->kind->get(place, probing->path, &all, take, probing,
				err));
	print_rate(rate, began);
	if (probing->got != PROBE_SIZE ||
	    memcmp(probing->bytes, probing->back, PROBE_SIZE) != 0)
		return wh_fail(err, WH_EREMOTE,
			       "the probe reads back with other bytes");
	tell(probing, "read", PROBE_YES, rate);
	return WH_OK;
}

/* ---- What is good to have -------------------------------------------------
 */

static void try_part(struct probing *probing)
{
	struct place *place = probing->place;
	struct remote_range part = {
		.offset = PART_BEGIN, .max_length = PROBE_SIZE, .etag = ""};
	struct wh_error why;

	probing->begin = UINT64_MAX;
	if (place->kind->get(place, probing->path, &part, take, probing, &why))
		tell(probing, "ranges", PROBE_NO, why.message);
	else if (probing->begin == PART_BEGIN)
		tell(probing, "ranges", PROBE_YES,
		     "a pull that was cut off "
		     "goes on");
	else
		tell(probing, "ranges", PROBE_NO,
		     "a pull that was cut off begins anew");
}

/* Onto a file that is there, on the condition that none is. */
static void try_condition(struct probing *probing)
{
	struct place *place = probing->place;
	struct remote_file absent = {.etag = ""};
	struct content content = probing->content;
	struct wh_error why;
	enum wh_status status;

	content.immutable = false;
	if (place->kind->point) {
		tell(probing, "conditions", PROBE_NO,
		     "aliases move as the server likes: the last one wins");
		return;
	}
	status = place->kind->replace(place, &content, &absent, &why);
	if (status == WH_EMISMATCH)
		tell(probing, "conditions", PROBE_YES,
		     "of two publishers one is told, and looks again");
	else
		tell(probing, "conditions", PROBE_NO,
		     status ? why.message
			    : "of two publishers of a pointer the last one "
			      "wins");
}

static void try_remove(struct probing *probing)
{
	struct place *place = probing->place;
	struct remote_file there = {0};
	struct wh_error why;

	if (place->kind->remove(place, probing->path, &why) ||
	    place->kind->stat(place, &probing->content, &there, &why))
		tell(probing, "remove", PROBE_NO, why.message);
	else if (there.exists)
		tell(probing, "remove", PROBE_NO,
		     "what no manifest names is the server's to collect");
	else
		tell(probing, "remove", PROBE_YES, "the probe is gone");
	probing->is_there = false;
}

/* ---- All of it ------------------------------------------------------------
 */

static enum wh_status try_all(struct probing *probing, struct wh_error *err)
{
	WH_TRY(try_look(probing, err));
	WH_TRY(try_write(probing, err));
	WH_TRY(try_read(probing, err));
	try_part(probing);
	try_condition(probing);
	try_remove(probing);
	return WH_OK;
}

/* Writing would make a run that stays. */
static enum wh_status try_tracker(struct probing *probing, struct wh_error *err)
{
	struct pointer pointer;
	enum wh_status status =
		place_resolve(probing->place, "latest", &pointer, err);

	if (status && status != WH_ENOTFOUND)
		return status;
	tell(probing, "look", PROBE_YES, "it answers, and lets us in");
	tell(probing, "write", PROBE_UNTRIED, "it would make a run that stays");
	return WH_OK;
}

static enum wh_status run(void *arg, struct wh_error *err)
{
	struct probing *probing = arg;
	enum wh_status status;

	if (probing->place->kind->begin)
		return try_tracker(probing, err);
	status = try_all(probing, err);
	if (probing->is_there)
		probing->place->kind->remove(probing->place, probing->path,
					     NULL);
	return status;
}

enum wh_status probe_run(struct place *place, probe_fn *fn, void *arg,
			 struct wh_error *err)
{
	struct probing probing = {.place = place, .fn = fn, .arg = arg};
	enum wh_status status = fill(&probing, err);

	if (!status)
		status = place_work(place, run, &probing, err);
	free(probing.bytes);
	free(probing.back);
	return status;
}
