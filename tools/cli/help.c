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
	fprintf(out, "\n'wh VERB --help' explains a verb.\n");
}
