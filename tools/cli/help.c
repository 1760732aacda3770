/* What the table says, for people. */
#include <string.h>

#include "cli.h"

#define HEAD_WIDTH 29
#define LINE_WIDTH 78

void option_head(const struct option *option, char *head, size_t size)
{
	snprintf(head, size, "%s%c%s--%s%s%s", option->letter ? "-" : " ",
		 option->letter ? option->letter : ' ',
		 option->letter ? ", " : "  ", option->name,
		 option->value ? " " : "", option->value ? option->value : "");
}

static void list_options(const struct option *options, FILE *out)
{
	for (; options->name; options++) {
		char head[64];

		option_head(options, head, sizeof(head));
		fprintf(out, "  %-*s  %s\n", HEAD_WIDTH, head, options->help);
	}
}

void verb_synopsis(const struct verb *verb, FILE *out)
{
	fprintf(out, "wh %s%s%s%s", verb->name,
		verb->options->name ? " [options]" : "",
		*verb->arguments ? " " : "", verb->arguments);
}

/* Words in lines of at most LINE_WIDTH. */
static void print_folded(const char *head, const char *text, FILE *out)
{
	size_t column = strlen(head);

	fprintf(out, "\n%s", head);
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column + len >= LINE_WIDTH) {
			fputs("\n  ", out);
			column = 2;
		}
		fprintf(out, "%.*s", (int)len, text);
		column += len + 1;
		text += len;
		text += *text == ' ';
		if (*text && column + strcspn(text, " ") < LINE_WIDTH)
			putc(' ', out);
	}
	putc('\n', out);
}

const char *const revisions_help[] = {
	"HEAD, a branch, a tag, a snapshot's id or at least its first four "
	"digits; HEAD~3 or HEAD^^^, three snapshots before; main@{1}, where "
	"the branch was before its last move; best:val_loss and "
	"best:val_acc:max, the best by a metric; RUN@STEP, or its epoch where "
	"a run has no steps; NAME:latest, the newest of a branch or a run.",
	"A..B in log means what B has and A has not, in diff A and B. In diff "
	"and ls, file:PATH is a checkpoint outside the store.",
	NULL};

void print_revisions_help(FILE *out)
{
	const char *const *paragraph;

	fputs("What REV may be:\n", out);
	for (paragraph = revisions_help; *paragraph; paragraph++)
		print_folded("  ", *paragraph, out);
}

const char *verb_notes(const struct verb *verb)
{
	static const struct {
		const char *verb, *text;
	} notes[] = {
		{"backup",
		 "To go back to a backup, move STORE away, with a STORE-journal "
		 "that a crash has left, and run 'wh -s BACKUP backup STORE'. "
		 "SQLite would apply that journal to any file that is copied "
		 "beside it."},
		{"config",
		 "KEY is codec: how new payloads are stored (fast without it; "
		 "none, dense); alarms: what commits look for (warn without "
		 "it; off, strict); alarms.norm, alarms.stuck: as commit's "
		 "--norm-limit and --stuck; protected-aliases: A,A that only "
		 "--force moves; or of a remote, remote.NAME.url and its "
		 "kind."},
		{"gc",
		 "--compact needs room for the store twice: a copy in TMPDIR, or "
		 "in the store's folder where that isn't set, and a journal "
		 "beside it."},
		{"metric",
		 "A value is also one of the run's snapshots at that step, so "
		 "that best:K finds them, also after their commit."},
	};
	size_t i;

	for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (strcmp(notes[i].verb, verb->name) == 0)
			return notes[i].text;
	return NULL;
}

void verb_help(const struct verb *verb, FILE *out)
{
	fprintf(out, "wh %s: %s\n\nusage: ", verb->name, verb->summary);
	verb_synopsis(verb, out);
	if (verb->alias)
		fprintf(out, "\n       also: wh %s", verb->alias);
	fprintf(out, "\nexample: %s\n", verb->example);
	if (verb->options->name) {
		fprintf(out, "\noptions:\n");
		list_options(verb->options, out);
	}
	if (verb_notes(verb))
		print_folded("", verb_notes(verb), out);
	if (strstr(verb->arguments, "REV"))
		fputs("\n'wh help revisions' says what REV may be.\n", out);
	if (verb_json(verb))
		print_folded("--json prints ", verb_json(verb), out);
	fprintf(out, "\noptions of all verbs:\n");
	list_options(global_options, out);
}

void verbs_help(FILE *out)
{
	const struct verb *verb;

	fprintf(out, "wh: every version of a model's weights in one file\n\n"
		     "usage: wh VERB [options] [arguments]\n\nverbs:\n");
	for (verb = verbs; verb->name; verb++)
		fprintf(out, "  %-13s %s\n", verb->name, verb->summary);
	fprintf(out, "\noptions of all verbs:\n");
	list_options(global_options, out);
	fprintf(out, "\n'wh VERB --help' explains a verb, 'wh help revisions' "
		     "what REV may be.\n");
}
