/* The one table of verbs and options. */
#include "cli.h"

#define END                                                                    \
	{                                                                      \
		NULL, 0, OPTION_FLAG, NULL, NULL                               \
	}

const struct exit_meaning exit_meanings[] = {
	{EXIT_DONE, "done"},
	{EXIT_FAILED, "failed"},
	{EXIT_USAGE, "asked for in a way that isn't understood"},
	{EXIT_DIFFERS, "ran, and found a difference (diff --exit-code) or "
		       "damage (verify)"},
	{EXIT_NOT_FOUND, "there is no such revision, tensor or file"},
	{EXIT_DAMAGED, "damaged input or store"},
	{EXIT_NO_STORE, "there is no such store"},
	{EXIT_BUSY, "another process has its turn, or moved the branch"},
	{EXIT_NOT_AUTHORISED, "a server refused the credentials"},
	{EXIT_ALARM, "refused what looks wrong (commit --strict)"},
	{EXIT_EXISTS, "refused to replace what exists"},
	{EXIT_MISSING, "not in this build, or not in this format, or of a "
		       "newer version"},
	{EXIT_INTERRUPTED, "interrupted"},
	{0, NULL},
};

const struct option global_options[] = {
	{"store", 's', OPTION_TEXT, "FILE",
	 "the store; else WH_STORE, else ./weights.wh"},
	{"json", 0, OPTION_FLAG, NULL, "one object, or JSON lines"},
	{"quiet", 'q', OPTION_FLAG, NULL, "say only what was asked for"},
	{"verbose", 'v', OPTION_FLAG, NULL, "say which store is used"},
	{"color", 0, OPTION_CHOICE, "auto|always|never",
	 "bold names; auto: on a terminal, without NO_COLOR"},
	{"progress", 0, OPTION_FLAG, NULL,
	 "show progress at once, also without a terminal"},
	{"no-progress", 0, OPTION_FLAG, NULL, "show no progress"},
	{"bytes", 0, OPTION_FLAG, NULL, "sizes in bytes"},
	{"threads", 0, OPTION_COUNT, "N", "threads; as many as pay without it"},
	{"plugin", 0, OPTION_LIST, "FILE",
	 "a shared object with formats; also those of WH_PLUGINS, by ':'"},
	{"untrusted", 0, OPTION_FLAG, NULL,
	 "read all HDF5 in a process apart, with limits; or WH_UNTRUSTED=1"},
	{"help", 'h', OPTION_FLAG, NULL, "this text"},
	{"version", 'V', OPTION_FLAG, NULL, "as wh version"},
	END,
};

static const struct option no_options[] = {END};

#define ALARM_OPTIONS                                                          \
	{"strict", 0, OPTION_FLAG, NULL,                                       \
	 "refuse where there is an alarm: NaN, a norm, a shape, ..."},         \
		{"stuck", 0, OPTION_COUNT, "N",                                \
		 "alarm where a layer has not changed for N snapshots"},       \
		{"norm-limit", 0, OPTION_TEXT, "X",                            \
		 "alarm where a norm is X times its parent's; 100 without"},   \
	{                                                                      \
		"no-alarms", 0, OPTION_FLAG, NULL, "look for none"             \
	}

static const struct option commit_options[] = {
	{"message", 'm', OPTION_TEXT, "TEXT", "what this snapshot is"},
	{"branch", 'b', OPTION_TEXT, "NAME",
	 "commit to this branch; a new one starts at HEAD"},
	{"root", 0, OPTION_FLAG, NULL, "a new branch without a parent"},
	{"run", 0, OPTION_TEXT, "NAME", "the run; else named as the branch"},
	{"step", 0, OPTION_INTEGER, "N", "training step"},
	{"epoch", 0, OPTION_INTEGER, "N", "training epoch"},
	{"metric", 0, OPTION_LIST, "K=V", "a metric of this snapshot"},
	{"param", 0, OPTION_LIST, "K=V", "a parameter of the run"},
	{"tag", 0, OPTION_TEXT, "NAME", "also name it so"},
	{"format", 0, OPTION_TEXT, "FORMAT", "don't look what PATH is"},
	{"parent", 0, OPTION_TEXT, "REV", "follow this instead of the tip"},
	{"expect", 0, OPTION_TEXT, "REV", "refuse unless the tip is REV"},
	{"date", 0, OPTION_INTEGER, "SECONDS", "the time, in UTC seconds"},
	{"codec", 0, OPTION_TEXT, "CODEC", "none, fast, or dense"},
	ALARM_OPTIONS,
	END,
};

static const struct option import_options[] = {
	{"codec", 0, OPTION_TEXT, "CODEC", "none, fast, or dense"},
	{"run", 0, OPTION_TEXT, "NAME", "the run that they belong to"},
	{"branch", 'b', OPTION_TEXT, "NAME", "the branch; made if need be"},
	{"pattern", 0, OPTION_TEXT, "PATTERN",
	 "names as 'epoch-{epoch:02d}-{val_loss:.2f}.h5'"},
	{"step-from", 0, OPTION_TEXT, "PATTERN", "the same"},
	{"metrics", 0, OPTION_TEXT, "CSV", "metrics, as CSVLogger writes them"},
	{"message", 'm', OPTION_TEXT, "TEXT", "instead of the file's name"},
	{"format", 0, OPTION_TEXT, "FORMAT", "don't look what they are"},
	ALARM_OPTIONS,
	END,
};

static const struct option log_options[] = {
	{"number", 'n', OPTION_COUNT, "N", "at most N"},
	{"metric", 0, OPTION_TEXT, "KEY", "those with this metric, and it"},
	{"all", 0, OPTION_FLAG, NULL, "every snapshot, not only ancestors"},
	{"graph", 0, OPTION_FLAG, NULL, "draw the lines of history"},
	{"run", 0, OPTION_TEXT, "NAME", "those of this run"},
	{"steps", 0, OPTION_TEXT, "A..B",
	 "those with a step from A to B; either may be left out"},
	{"where", 0, OPTION_TEXT, "EXPR",
	 "only some: 'val_loss < 0.3 and epoch > 5'"},
	END,
};

static const struct option show_options[] = {
	{"manifest", 0, OPTION_FLAG, NULL, "the text whose SHA-256 is the id"},
	{"stats", 0, OPTION_FLAG, NULL, "statistics of every tensor"},
	{"histogram", 0, OPTION_TEXT, "GLOB",
	 "how the values of such tensors lie"},
	{"bins", 0, OPTION_COUNT, "N", "of a histogram; 20 without it"},
	END,
};

static const struct option ls_options[] = {
	{"long", 'l', OPTION_FLAG, NULL, "with size and SHA-256"},
	{"stats", 0, OPTION_FLAG, NULL, "with statistics"},
	END,
};

#define SAVE_OPTIONS                                                           \
	{"save-format", 0, OPTION_TEXT, "F[,F]",                               \
	 "a name of `wh formats`; without it by PATH's suffix"},               \
		{"overwrite", 0, OPTION_FLAG, NULL,                            \
		 "replace what is there (as it does)"},                        \
		{"no-overwrite", 0, OPTION_FLAG, NULL,                         \
		 "ask first; refuse where there is no terminal"},              \
		{"root", 0, OPTION_CHOICE, "model|checkpoint|universal",       \
		 "tf: as save_weights, Checkpoint(model=), or for Keras 3 "    \
		 "too"},                                                       \
		{"object", 0, OPTION_TEXT, "PATH",                             \
		 "tf: of Checkpoint(net=, ema=) the object of that path"},     \
		{"max-shard-size", 0, OPTION_COUNT, "BYTES",                   \
		 "tf, safetensors: several files; tensors stay whole"},        \
		{"shard-policy", 0, OPTION_CHOICE, "whole|tensorflow",         \
		 "tf: the latter slices, as MaxShardSizePolicy"},              \
		{"save-counter", 0, OPTION_COUNT, "N",                         \
		 "tf: as the Nth tf.train.Checkpoint.save"},                   \
		{"canonical", 0, OPTION_FLAG, NULL,                            \
		 "as Keras or TensorFlow write it, not as imported"},          \
		{"verify", 0, OPTION_FLAG, NULL, "read the files back"},       \
		{"skip-unsupported", 0, OPTION_FLAG, NULL,                     \
		 "leave out what the format can't hold"},                      \
		{"model-config", 0, OPTION_TEXT, "FILE",                       \
		 "to_json(): decides nested layers; .keras: Keras 3's"},       \
		{"map", 0, OPTION_TEXT, "FILE",                                \
		 "JSON of weights and paths: decides the rest"},               \
		{"bfloat16", 0, OPTION_CHOICE, "widen|opaque",                 \
		 "h5: as float32, which loads; or as Keras writes it"},        \
		{"cast", 0, OPTION_LIST, "[FROM=]DTYPE",                       \
		 "floats as DTYPE, rounded; or tensors of FROM alone"},        \
		{"enable-async", 0, OPTION_FLAG, NULL,                         \
		 "tf: the files of an asynchronous save"},                     \
		{"io-device", 0, OPTION_TEXT, "DEVICE",                        \
		 "accepted as TensorFlow does, without effect"},               \
		{"max-to-keep", 0, OPTION_COUNT, "N",                          \
		 "tf: as CheckpointManager: delete older ones; 0: none"},      \
		{"keep-checkpoint-every-n-hours", 0, OPTION_TEXT, "HOURS",     \
		 "tf: of those, keep one in so many hours"},                   \
	{                                                                      \
		"skip-slot-variables", 0, OPTION_FLAG, NULL,                   \
			"accepted: it concerns loading only"                   \
	}

static const struct option save_options[] = {SAVE_OPTIONS, END};

static const struct option load_options[] = {
	{"into", 0, OPTION_TEXT, "FILE", "the checkpoint that is changed"},
	{"match", 0, OPTION_CHOICE, "auto|layers|names|objects",
	 "layers in order, by name, or as tf.train.Checkpoint"},
	{"by-name", 0, OPTION_FLAG, NULL, "as --match names"},
	{"skip-mismatch", 0, OPTION_FLAG, NULL,
	 "leave what differs; h5: only by name"},
	{"assert-consumed", 0, OPTION_FLAG, NULL,
	 "objects: refuse unless all match, on both sides"},
	{"assert-existing-objects-matched", 0, OPTION_FLAG, NULL,
	 "objects: refuse unless all of FILE's match"},
	{"expect-partial", 0, OPTION_FLAG, NULL,
	 "objects: say nothing of what is left over"},
	{"cast", 0, OPTION_FLAG, NULL, "round values to FILE's dtypes"},
	{"model-config", 0, OPTION_TEXT, "FILE",
	 "to_json() of the model: decides nested layers"},
	{"map", 0, OPTION_TEXT, "FILE",
	 "JSON of REV's weights and paths: decides the rest"},
	{"skip-slot-variables", 0, OPTION_FLAG, NULL,
	 "objects: leave the optimizer's slots alone"},
	{"io-device", 0, OPTION_TEXT, "DEVICE",
	 "accepted as TensorFlow does, without effect"},
	{"verify", 0, OPTION_FLAG, NULL, "read the files back"},
	END,
};

static const struct option convert_options[] = {
	{"from", 0, OPTION_TEXT, "FORMAT", "don't look what IN is"},
	SAVE_OPTIONS,
	END,
};

static const struct option cat_options[] = {
	{"raw", 0, OPTION_FLAG, NULL, "the payload's bytes"},
	{"npy", 0, OPTION_FLAG, NULL, "a NumPy file"},
	{"text", 0, OPTION_FLAG, NULL, "numbers, as on a terminal"},
	END,
};

static const struct option diff_options[] = {
	{"stat", 0, OPTION_FLAG, NULL, "a bar for each tensor"},
	{"exit-code", 0, OPTION_FLAG, NULL, "exit with 3 if they differ"},
	{"atol", 0, OPTION_TEXT, "X", "absolute difference to overlook"},
	{"rtol", 0, OPTION_TEXT, "X", "relative difference to overlook"},
	END,
};

static const struct option rollback_options[] = {
	{"branch", 'b', OPTION_TEXT, "NAME", "instead of HEAD's branch"},
	{"keep-history", 0, OPTION_FLAG, NULL,
	 "a new snapshot with the old weights"},
	{"message", 'm', OPTION_TEXT, "TEXT", "of that snapshot"},
	{"write", 'w', OPTION_TEXT, "PATH", "also save the weights to PATH"},
	{"save-format", 0, OPTION_TEXT, "F", "of PATH; else by its suffix"},
	{"expect", 0, OPTION_TEXT, "REV", "refuse unless the tip is REV"},
	END,
};

static const struct option undo_options[] = {
	{"branch", 'b', OPTION_TEXT, "NAME", "instead of HEAD's branch"},
	END,
};

static const struct option blame_options[] = {
	{"rev", 0, OPTION_TEXT, "REV", "as of this snapshot, not HEAD"},
	END,
};

static const struct option history_options[] = {
	{"rev", 0, OPTION_TEXT, "REV", "up to this snapshot, not HEAD"},
	{"number", 'n', OPTION_COUNT, "N", "the newest N changes"},
	END,
};

static const struct option bisect_options[] = {
	{"write", 'w', OPTION_TEXT, "PATH", "also save the candidate to PATH"},
	{"save-format", 0, OPTION_TEXT, "F",
	 "of what is saved; run: else the snapshot's own"},
	{"no-save", 0, OPTION_FLAG, NULL,
	 "run: CMD gets no file, but WH_SNAPSHOT"},
	END,
};

static const struct option plot_options[] = {
	{"run", 0, OPTION_LIST, "GLOB", "only of these runs"},
	{"tensor", 0, OPTION_LIST, "GLOB", "weights instead of metrics"},
	{"of", 0, OPTION_CHOICE, "norm|change|nan",
	 "of weights: L2, by how much it changed, NaN and infinities"},
	{"rev", 0, OPTION_TEXT, "REV", "weights up to this, not HEAD"},
	{"log", 0, OPTION_FLAG, NULL, "a logarithmic scale"},
	{"svg", 0, OPTION_TEXT, "FILE", "draw into an SVG file"},
	{"csv", 0, OPTION_FLAG, NULL, "comma-separated values"},
	{"width", 0, OPTION_COUNT, "N", "columns; else the terminal's"},
	{"height", 0, OPTION_COUNT, "N", "rows; 20 without it"},
	END,
};

static const struct option keep_options[] = {
	{"last", 0, OPTION_LIST, "N", "the N newest"},
	{"best", 0, OPTION_LIST, "K:METRIC[:min]",
	 "the K best by a metric; :min or :max says which way"},
	{"every", 0, OPTION_LIST, "N[UNIT]",
	 "the newest of each N step, epoch, h or d"},
	{"tag", 0, OPTION_LIST, "GLOB", "those with such a tag"},
	{"within", 0, OPTION_LIST, "7d", "those not older than that"},
	{"branch", 'b', OPTION_TEXT, "NAME", "only what its tip comes from"},
	{"run", 0, OPTION_TEXT, "NAME", "only snapshots of this run"},
	{"dry-run", 'n', OPTION_FLAG, NULL, "say what would go, and no more"},
	{"undo", 0, OPTION_FLAG, NULL,
	 "bring back what was forgotten and is still there"},
	{"save", 0, OPTION_FLAG, NULL,
	 "apply the rules after each commit to --branch or --run"},
	{"drop", 0, OPTION_FLAG, NULL, "apply them no longer"},
	{"policies", 0, OPTION_FLAG, NULL, "list the rules that are applied"},
	{"apply", 0, OPTION_FLAG, NULL,
	 "by the stored rules; with --dry-run, what they do"},
	{"grace", 0, OPTION_TEXT, "14d", "what rollbacks left stays that long"},
	END,
};

#define WATCH_OPTIONS                                                          \
	{"pattern", 0, OPTION_TEXT, "PATTERN",                                 \
	 "names as 'epoch-{epoch:02d}-{val_loss:.2f}.h5'"},                    \
		{"branch", 'b', OPTION_TEXT, "NAME",                           \
		 "the branch; made if need be"},                               \
		{"metrics", 0, OPTION_TEXT, "CSV",                             \
		 "figures, as CSVLogger writes them; else any *.csv there"},   \
		{"csv-shift", 0, OPTION_INTEGER, "N",                          \
		 "a checkpoint's epoch minus its row's; 1 without it"},        \
		{"keep", 0, OPTION_LIST, "RULE",                               \
		 "forget what no rule holds: last=5, best=3:val_loss:min"},    \
		{"delete-source", 0, OPTION_FLAG, NULL,                        \
		 "delete files that are safe in the store"},                   \
		{"keep-sources", 0, OPTION_COUNT, "N",                         \
		 "the same, but for the N newest"},                            \
		{"poll", 0, OPTION_FLAG, NULL,                                 \
		 "look from time to time; so on network file systems"},        \
		{"settle", 0, OPTION_COUNT, "MS",                              \
		 "silence after which a closed file is complete; 100"},        \
		{"format", 0, OPTION_TEXT, "FORMAT",                           \
		 "don't look what they are"},                                  \
	{                                                                      \
		"codec", 0, OPTION_TEXT, "CODEC", "none, fast, or dense"       \
	}

static const struct option watch_options[] = {
	{"run", 0, OPTION_TEXT, "NAME", "the run; else named as the branch"},
	{"once", 0, OPTION_FLAG, NULL, "take what is there, and end"},
	{"new-only", 0, OPTION_FLAG, NULL, "leave alone what is there now"},
	WATCH_OPTIONS,
	END,
};

static const struct option run_options[] = {
	{"param", 0, OPTION_LIST, "K=V", "start, exec: a parameter"},
	{"tag", 0, OPTION_LIST, "TAG", "start, exec: a label"},
	{"status", 0, OPTION_CHOICE, "finished|failed|killed",
	 "end: how it ended; finished without it"},
	{"exit-status", 0, OPTION_COUNT, "N", "end: as a shell tells it"},
	{"watch", 0, OPTION_LIST, "DIR", "exec: where checkpoints are written"},
	{"resume", 0, OPTION_FLAG, NULL,
	 "exec: go on with the run if it is there"},
	WATCH_OPTIONS,
	{"weights", 0, OPTION_FLAG, NULL,
	 "diff: those of the newest snapshots too"},
	END,
};

static const struct option runs_options[] = {
	{"sort", 0, OPTION_TEXT, "KEY",
	 "by a metric (:min, :max: its best), params.K or started"},
	{"reverse", 'r', OPTION_FLAG, NULL, "highest first"},
	{"where", 0, OPTION_TEXT, "EXPR",
	 "only some: 'params.lr < 1e-3 and status = finished'"},
	END,
};

static const struct option metric_options[] = {
	{"step", 0, OPTION_INTEGER, "N",
	 "where the values belong; with --csv the first row's"},
	{"csv", 0, OPTION_TEXT, "FILE",
	 "a table, as Keras's CSVLogger writes it; -: stdin"},
	{"stdin", 0, OPTION_FLAG, NULL,
	 "lines {\"run\", \"step\", \"time\", \"metrics\": {...}}"},
	END,
};

static const struct option gc_options[] = {
	{"grace", 0, OPTION_TEXT, "14d",
	 "take what was forgotten longer ago; 0: at once"},
	{"dry-run", 'n', OPTION_FLAG, NULL, "say what would go, and no more"},
	{"compact", 0, OPTION_FLAG, NULL, "rewrite the file without gaps"},
	{"deep", 0, OPTION_FLAG, NULL, "recode old history more densely"},
	{"codec", 0, OPTION_CHOICE, "fast|dense", "of --deep; dense without"},
	END,
};

static const struct option ref_options[] = {
	{"delete", 'd', OPTION_FLAG, NULL, "delete NAME"},
	{"move", 'm', OPTION_TEXT, "NEW",
	 "rename NAME, in keep's and publish's rules too"},
	{"force", 'f', OPTION_FLAG, NULL, "move NAME if it is there"},
	END,
};

static const struct option verify_options[] = {
	{"read-data", 0, OPTION_FLAG, NULL, "read and hash every payload"},
	{"sample", 0, OPTION_TEXT, "P%", "read and hash only a share"},
	{"for", 0, OPTION_TEXT, "10m", "end then, and note how far it went"},
	{"continue", 0, OPTION_FLAG, NULL, "go on where the last one ended"},
	{"repair-from", 0, OPTION_LIST, "FROM",
	 "restore what is damaged from a file, store or URL"},
	END,
};

static const struct option du_options[] = {
	{"by", 0, OPTION_CHOICE, "snapshot|layer|tensor|run|file",
	 "what a line is about; file: what every byte is for"},
	END,
};

static const struct option config_options[] = {
	{"unset", 0, OPTION_FLAG, NULL, "back to the default"},
	END,
};

static const struct option sql_options[] = {
	{"csv", 0, OPTION_FLAG, NULL, "comma-separated values"},
	{"timeout", 0, OPTION_COUNT, "SECONDS", "end it then; 60 without"},
	END,
};

#define PLACE_OPTIONS                                                          \
	{"profile", 0, OPTION_TEXT, "NAME",                                    \
	 "http: generic, webdav, artifactory, nexus or gitlab"},               \
		{"endpoint", 0, OPTION_TEXT, "URL",                            \
		 "s3: a store of your own; else the environment's"},           \
		{"parallel", 0, OPTION_COUNT, "N",                             \
		 "transfers at a time; 4 without it"},                         \
		{"limit-rate", 0, OPTION_TEXT, "RATE",                         \
		 "bytes per second, as '500K' or '20M'"},                      \
		{"tries", 0, OPTION_COUNT, "N",                                \
		 "of a request; 6 without it"},                                \
		{"stall-time", 0, OPTION_COUNT, "SECONDS",                     \
		 "give up below 1 KB/s for so long"},                          \
		{"reply-time", 0, OPTION_COUNT, "SECONDS",                     \
		 "wait so long for a reply after the last byte"},              \
		{"allow-http", 0, OPTION_FLAG, NULL,                           \
		 "http: beyond this machine too"},                             \
		{"ca-file", 0, OPTION_TEXT, "FILE",                            \
		 "the authorities to trust, as PEM"},                          \
		{"cert", 0, OPTION_TEXT, "FILE", "this client's certificate"}, \
		{"key", 0, OPTION_TEXT, "FILE", "its private key"},            \
	{                                                                      \
		"proxy", 0, OPTION_TEXT, "URL", "instead of the environment's" \
	}

static const struct option publish_options[] = {
	{"save-format", 0, OPTION_TEXT, "F[,F]", "h5 without it"},
	{"alias", 0, OPTION_TEXT, "A[,A]",
	 "pointers to move; 'latest' without it"},
	{"verify", 0, OPTION_TEXT, "full", "read all back and hash it"},
	{"dry-run", 0, OPTION_FLAG, NULL, "tell what lacks, send nothing"},
	{"force", 0, OPTION_FLAG, NULL,
	 "replace other content, move protected aliases"},
	{"canonical", 0, OPTION_FLAG, NULL,
	 "as Keras or TensorFlow write it, not as imported"},
	{"max-shard-size", 0, OPTION_COUNT, "BYTES",
	 "tf, safetensors: several files; tensors stay whole"},
	{"list", 0, OPTION_FLAG, NULL,
	 "who published what, when, where; what was cut off"},
	{"save", 0, OPTION_FLAG, NULL,
	 "publish after each commit, import, pull or watch that changes REV"},
	{"drop", 0, OPTION_FLAG, NULL, "no longer, to this --alias"},
	{"policies", 0, OPTION_FLAG, NULL, "list what is published so"},
	PLACE_OPTIONS,
	END,
};

static const struct option unpublish_options[] = {
	{"grace", 0, OPTION_TEXT, "14d",
	 "files stay so long after their last alias; 0: go at once"},
	{"alias", 0, OPTION_TEXT, "A[,A]",
	 "aliases to look at, besides those on record"},
	{"dry-run", 'n', OPTION_FLAG, NULL, "say what would go, and no more"},
	{"force", 0, OPTION_FLAG, NULL, "also a protected alias"},
	PLACE_OPTIONS,
	END,
};

static const struct option remote_options[] = {
	PLACE_OPTIONS,
	{"token-env", 0, OPTION_TEXT, "VAR", "the variable with its token"},
	{"token-file", 0, OPTION_TEXT, "FILE", "the file with its token"},
	{"protect", 0, OPTION_TEXT, "A[,A]", "aliases that only --force moves"},
	END,
};

static const struct option pull_options[] = {
	{"output", 'o', OPTION_TEXT, "FOLDER", "files there, no snapshot"},
	{"branch", 'b', OPTION_TEXT, "NAME", "commit to this branch"},
	{"message", 'm', OPTION_TEXT, "TEXT", "of the snapshot"},
	{"save-format", 0, OPTION_TEXT, "F", "only this format's files"},
	{"only", 0, OPTION_LIST, "GLOB",
	 "only such layers or weights; tf alone has their checksums"},
	PLACE_OPTIONS,
	END,
};

const struct verb verbs[] = {
	{"init", NULL, "[STORE]", 0, 1, "make an empty store", no_options,
	 cmd_init, "wh init"},
	{"commit", NULL, "PATH", 1, 1, "store a checkpoint as a snapshot",
	 commit_options, cmd_commit,
	 "wh commit model.h5 -m 'epoch 3' --epoch 3 --metric val_loss=0.41"},
	{"import", NULL, "PATH...", 1, -1,
	 "store many checkpoints, in the order of their steps", import_options,
	 cmd_import, "wh import 'ckpt/epoch-*.h5' --run baseline"},
	{"watch", NULL, "DIR", 1, 1,
	 "store checkpoints as training writes them", watch_options, cmd_watch,
	 "wh watch ckpt --pattern 'epoch-{epoch:02d}-{val_loss:.2f}.h5'"},
	{"log", NULL, "[REV|A..B] [-- GLOB...]", 0, 1,
	 "list snapshots, newest first", log_options, cmd_log,
	 "wh log --metric val_loss -n 20"},
	{"show", NULL, "[REV]", 0, 1, "tell all about a snapshot", show_options,
	 cmd_show, "wh show best:val_loss"},
	{"ls", NULL, "[REV] [GLOB...]", 0, -1, "list a snapshot's tensors",
	 ls_options, cmd_ls, "wh ls -l HEAD 'conv*'"},
	{"save-weights", "export", "[REV] PATH", 1, 2,
	 "save a snapshot as Keras HDF5 or a TensorFlow checkpoint",
	 save_options, cmd_save_weights, "wh save-weights best:val_loss m.h5"},
	{"load-weights", NULL, "[REV]", 0, 1,
	 "put a snapshot's weights into a checkpoint that is there",
	 load_options, cmd_load_weights,
	 "wh load-weights best:val_loss --into model.h5 --by-name"},
	{"convert", NULL, "IN OUT", 2, 2, "turn one format into another",
	 convert_options, cmd_convert, "wh convert vgg16.h5 vgg/ckpt"},
	{"publish", NULL, "[REV...] URL|REMOTE", 0, -1,
	 "put a snapshot where others load it", publish_options, cmd_publish,
	 "wh publish best:val_loss https://models.example/resnet "
	 "--save-format h5,tf"},
	{"unpublish", NULL, "URL|REMOTE ALIAS|SNAPSHOT", 2, 2,
	 "remove an alias, or the files of a snapshot that has none",
	 unpublish_options, cmd_unpublish, "wh unpublish lab candidate"},
	{"pull", NULL, "URL|REMOTE [ALIAS|SNAPSHOT]", 1, 2,
	 "get what was published, as files or as a snapshot", pull_options,
	 cmd_pull, "wh pull https://models.example/resnet stable -o model"},
	{"remote", NULL, "[ls NAME|add NAME URL|rm NAME|test NAME]", 0, 3,
	 "name places to publish to and pull from, list and try them",
	 remote_options, cmd_remote,
	 "wh remote add lab https://models.example/resnet --token-env "
	 "LAB_TOKEN"},
	{"cat", NULL, "REV TENSOR", 2, 2, "write one tensor to stdout",
	 cat_options, cmd_cat, "wh cat HEAD dense/kernel --npy > kernel.npy"},
	{"diff", NULL, "A B|A..B [-- GLOB...]", 1, 2,
	 "compare snapshots or files, tensor by tensor", diff_options, cmd_diff,
	 "wh diff HEAD~3 HEAD --stat"},
	{"blame", NULL, "[GLOB...]", 0, -1,
	 "list which snapshot changed each weight last", blame_options,
	 cmd_blame, "wh blame 'conv*'"},
	{"history", NULL, "WEIGHT...", 1, -1,
	 "list every change of a weight, with its norm", history_options,
	 cmd_history, "wh history dense/kernel"},
	{"plot", NULL, "[METRIC...]", 0, -1,
	 "draw metrics of runs, or norms of weights", plot_options, cmd_plot,
	 "wh plot loss val_loss --svg loss.svg"},
	{"bisect", NULL,
	 "start [BAD [GOOD...]]|good|bad|skip [REV...]|run [--] CMD...|log|"
	 "reset",
	 1, -1, "find the first snapshot that a test fails on", bisect_options,
	 cmd_bisect, "wh bisect run -- python test.py {}"},
	{"rollback", NULL, "REV", 1, 1, "move the branch back to a snapshot",
	 rollback_options, cmd_rollback, "wh rollback HEAD~3"},
	{"undo", NULL, "", 0, 0, "take back the last move of the branch",
	 undo_options, cmd_undo, "wh undo"},
	{"branch", NULL, "[NAME [REV]]", 0, 2, "list, make, delete branches",
	 ref_options, cmd_branch, "wh branch sweep best:val_loss"},
	{"switch", NULL, "BRANCH", 1, 1, "make a branch HEAD's", no_options,
	 cmd_switch, "wh switch sweep"},
	{"tag", NULL, "[NAME [REV]]", 0, 2, "list, make, delete tags",
	 ref_options, cmd_tag, "wh tag v1.0 best:val_loss"},
	{"reflog", NULL, "[BRANCH]", 0, 1, "list where branches were",
	 no_options, cmd_reflog, "wh reflog"},
	{"run", NULL, "start|end|show NAME, diff A B, exec NAME -- CMD...", 2,
	 3,
	 "start, end, show or compare training runs, or run a trainer as one",
	 run_options, cmd_run,
	 "wh run exec resnet --watch ckpt -- python train.py"},
	{"runs", NULL, "", 0, 0, "list training runs, newest first",
	 runs_options, cmd_runs,
	 "wh runs --sort val_loss --where 'params.lr < 1e-3'"},
	{"metric", NULL, "RUN K=V... | RUN --csv FILE | --stdin [RUN]", 0, -1,
	 "record what a run has measured", metric_options, cmd_metric,
	 "wh metric resnet loss=0.31 acc=0.9 --step 1200"},
	{"keep", NULL, "", 0, 0, "forget the snapshots that no rule holds",
	 keep_options, cmd_keep,
	 "wh keep --last 5 --best 3:val_loss:min --every 10epoch --dry-run"},
	{"gc", NULL, "", 0, 0, "free what only forgotten snapshots need",
	 gc_options, cmd_gc, "wh gc --dry-run"},
	{"backup", NULL, "FILE", 1, 1, "copy the store, also while it is used",
	 no_options, cmd_backup, "wh backup /media/usb/weights.wh"},
	{"verify", NULL, "[REV]", 0, 1, "check that all of it is still there",
	 verify_options, cmd_verify, "wh verify --read-data"},
	{"du", NULL, "", 0, 0, "explain what the store's bytes are for",
	 du_options, cmd_du, "wh du --by layer"},
	{"formats", NULL, "", 0, 0, "list what this build reads and writes",
	 no_options, cmd_formats, "wh formats"},
	{"config", NULL, "[KEY [VALUE]]", 0, 2, "list or change settings",
	 config_options, cmd_config, "wh config codec fast"},
	{"sql", NULL, "QUERY", 1, 1, "ask the documented views, read-only",
	 sql_options, cmd_sql, "wh sql 'select epoch, step from log limit 3'"},
	{"migrate", NULL, "", 0, 0, "bring an older store to this version",
	 no_options, cmd_migrate, "wh migrate"},
	{"help", NULL, "[VERB|revisions]", 0, 1,
	 "explain wh, a verb, or what REV may be", no_options, cmd_help,
	 "wh help commit"},
	{"version", NULL, "", 0, 0, "versions of wh and its libraries",
	 no_options, cmd_version, "wh version"},
	{"complete", NULL, "bash|zsh|fish", 1, 1, "print a shell's completions",
	 no_options, cmd_complete,
	 "wh complete bash > ~/.local/share/bash-completion/completions/wh"},
	{NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL},
};

const struct habit habits[] = {
	/* git, DVC */
	{"add", "wh commit PATH"},
	{"checkout", "wh switch BRANCH, wh rollback REV or wh save-weights REV "
		     "PATH"},
	{"clone", "wh init, then wh pull URL"},
	{"fetch", "wh pull URL"},
	{"push", "wh publish REV URL"},
	{"reset", "wh rollback REV"},
	{"restore", "wh save-weights REV PATH"},
	{"revert", "wh rollback REV"},
	{"status", "wh log -n 1 or wh branch"},
	/* Keras */
	{"load", "wh load-weights REV --into FILE or wh commit PATH"},
	/* MLflow, Weights & Biases, the Hub */
	{"download", "wh pull URL"},
	{"experiments", "wh runs"},
	{"upload", "wh publish REV URL"},
	/* restic, borg, the shell */
	{"check", "wh verify"},
	{"compact", "wh gc --compact"},
	{"delete", "wh keep, then wh gc"},
	{"forget", "wh keep"},
	{"list", "wh log for snapshots, wh ls for tensors"},
	{"prune", "wh gc"},
	{"rm", "wh keep, then wh gc"},
	{"snapshots", "wh log"},
	{"stats", "wh du or wh show --stats"},
	{NULL, NULL},
};
