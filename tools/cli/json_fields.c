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

#define STATS "(name, min, max, mean, std, l2, zeros, nan, inf)"
#define SAVED "an object: format, files (path, size, sha256), reproduced"

static const struct {
	const char *verb, *text;
} known[] = {
	{"init", "an object: store"},
	{"commit", "an object: " COMMIT},
	{"import", "a line a file: file, " COMMIT},
	{"watch", "a line an event: event, and watching: folders, how; commit, "
		  "known (it was there): file, seconds, " COMMIT
		  ", step, epoch, metrics; metrics: file, rows; left out: "
		  "file, why; deleted: file, snapshot; end: commits, known, "
		  "left_out, stored_bytes"},
	{"log", "a line a snapshot: " SNAPSHOT},
	{"show", "an object: " SNAPSHOT
		 ", tree, tensors, layers, nbytes, origin (format, "
		 "generator), reproducible, with --stats stats " STATS
		 "; with --histogram a line a tensor: name, edges, counts, "
		 "nan, inf"},
	{"diff", "a line a tensor that differs: layer, weight, name, change, "
		 "by, l2, max_abs, mean_abs, cosine, changed, nan, inf, "
		 "new_nan, new_inf, former (A's name where it has another)"},
	{"ls", "a line a tensor: layer, weight, name, dtype, shape, nbytes, "
	       "sha256, role, with --stats stats " STATS},
	{"save-weights", SAVED},
	{"convert", SAVED},
	{"load-weights", "an object: match, loaded, kept, unused, skipped, "
			 "format, files (path, size, sha256)"},
	{"publish",
	 "a line a file: event, path, format, size, sha256, sent; "
	 "then done, files, pointer; --list: a line a publication: "
	 "time, who, place, remote, snapshot, tree, formats, "
	 "manifest, sha256, state, aliases (alias, current), files; "
	 "of what was cut off: time, place, remote, snapshot, formats, "
	 "n_files, missing, missing_size, resume, state; "
	 "--policies: a line a rule: remote, alias, revision, formats, "
	 "published"},
	{"pull", "an object: snapshot, tree, files (path, size, sha256), into "
		 "the store alarms"},
	{"unpublish", "an object: alias, snapshot, gone"},
	{"remote", "a line a remote: name, url, profile, endpoint, token_env, "
		   "token_file, protect; ls NAME: a line an alias: alias, "
		   "snapshot, time; test: remote, url, ok, checks (check, ok, "
		   "detail)"},
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
	{"undo", "an object: branch, from, to"},
	{"branch", "a line a branch: name, snapshot"},
	{"tag", "a line a tag: name, snapshot"},
	{"switch", "an object: branch"},
	{"keep", "a line a snapshot: snapshot, keep, why, frees; --undo: "
		 "brought_back; --policies: branch, run, rules"},
	{"gc", "an object: snapshots, tensors, freed_bytes, file_bytes, "
	       "waiting, recoded, recoded_before, recoded_after"},
	{"backup", "an object: backup"},
	{"verify", "an object: snapshots, tensors, checked_bytes, errors, "
		   "damaged (tensor, layer, weight, snapshots, oldest, newest, "
		   "repaired), unchecked, repaired, incomplete, complete"},
	{"du", "a line a part: name, rest, nbytes, stored_bytes, "
	       "shared_bytes, own_bytes"},
	{"sql", "a line a row: its columns"},
	{"config", "a line a setting: key, value"},
	{"formats", "a line a format: name, summary, reads, writes, suffixes, "
		    "missing"},
	{"version", "an object: wh, and a field a library: sqlite, openssl, "
		    "zstd, zlib, jansson, isa-l, hdf5, curl"},
};

const char *verb_json(const struct verb *verb)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].verb, verb->name) == 0)
			return known[i].text;
	return NULL;
}
