/* What --json prints, verb by verb: for --help and the man page. A name that
 * stands here stays. */
#include <string.h>

#include "cli.h"

#define SNAPSHOT                                                               \
	"snapshot, parent, branches, tags, message, time, run, step, epoch, "  \
	"metrics, params"
#define COMMIT                                                                 \
	"snapshot, tree, branch, parent, tensors, new_tensors, nbytes, "       \
	"stored_bytes, reproducible, alarms (of each: alarm, layer, weight, "  \
	"value, message)"

static const struct {
	const char *verb, *text;
} known[] = {
	{"commit", "an object: " COMMIT},
	{"import", "a line a file: file, " COMMIT},
	{"watch", "a line an event: event, and watching: folders, how; commit, "
		  "known (it was there): file, seconds, " COMMIT
		  ", step, epoch, metrics; metrics: file, rows; left out: "
		  "file, why; deleted: file, snapshot; end: commits, known, "
		  "left_out, stored_bytes"},
	{"log", "a line a snapshot: " SNAPSHOT},
	{"show", "an object: " SNAPSHOT
		 ", tree, tensors, layers, nbytes, origin, reproducible, "
		 "with --stats stats; with --histogram a line a tensor: name, "
		 "edges, counts, nan, inf"},
	{"diff", "a line a tensor that differs: layer, weight, name, change, "
		 "by, l2, max_abs, mean_abs, cosine, changed, nan, inf, "
		 "new_nan, new_inf"},
	{"blame", "a line a weight: layer, weight, snapshot, removed, time, "
		  "run, step, epoch, sha256, l2, l2_before, nan, inf"},
	{"history", "a line a change: layer, weight, snapshot, removed, time, "
		    "run, step, epoch, sha256, l2, l2_before, nan, inf"},
	{"bisect", "an object: phase (waits, tests, found, skipped), good, "
		   "bad, candidate, first_bad, left, steps; run: before it a "
		   "line a test: snapshot, verdict; log: such lines"},
	{"plot", "a line a curve: run, metric, points ([step, value]); with "
		 "--tensor layer, weight, points"},
	{"metric", "an object: values"},
	{"runs", "a line a run: run, status, params, metrics, snapshots, "
		 "started, ended"},
	{"run", "start, end: run, status; show: run, status, params, "
		"metrics, snapshots, started, ended, uuid, tags, summary, "
		"host, folder, command, git_commit, git_dirty, "
		"versions, exit_status; diff: a line a difference: field, a, "
		"b; of weights field, change, l2, max_abs, cosine; exec: "
		"events as watch, and run: run, status, exit_status, "
		"signal"},
	{"reflog", "a line a move: branch, from, to, why, time"},
	{"rollback", "an object: branch, from, to"},
};

const char *verb_json(const struct verb *verb)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].verb, verb->name) == 0)
			return known[i].text;
	return NULL;
}
