/* Prints wh.1 from the table that parses, helps and completes.
 *
 * The macros are man(7)'s, which every man program knows. */
#include <string.h>

#include <weighhouse/version.h>

#include "cli.h"

#define PAGE_DATE "2026-11-27" /* of the last change to the texts below */

/* Text as roff takes it literally: a backslash is \e, a hyphen that a user
 * types is \-, a line may not begin with a dot or a quote. */
static void print_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\'')
			fputs("\\(aq", stdout);
		else if (*text == '~')
			fputs("\\(ti", stdout);
		else if (*text == '^')
			fputs("\\(ha", stdout);
		else if (*text == '`')
			fputs("\\(ga", stdout);
		else
			putchar(*text);
	}
}

static void print_section(const char *title, const char *const *paragraphs)
{
	printf(".SH %s\n", title);
	for (; *paragraphs; paragraphs++) {
		print_text(*paragraphs);
		putchar('\n');
		if (paragraphs[1])
			puts(".PP");
	}
}

static void print_term(const char *term, const char *text)
{
	fputs(".TP\n\\fB", stdout);
	print_text(term);
	fputs("\\fR\n", stdout);
	print_text(text);
	putchar('\n');
}

static void print_options(const struct option *options)
{
	for (; options->name; options++) {
		char head[64];

		option_head(options, head, sizeof(head));
		print_term(head + strspn(head, " "), options->help);
	}
}

static void print_verb(const struct verb *verb)
{
	printf(".SS ");
	print_text(verb->name);
	printf("\n\\fBwh ");
	print_text(verb->name);
	printf("\\fR");
	if (verb->options->name)
		printf(" [options]");
	if (*verb->arguments) {
		printf(" \\fI");
		print_text(verb->arguments);
		printf("\\fR");
	}
	puts("\n.PP");
	print_text(verb->summary);
	if (verb->alias) {
		printf(" (also \\fBwh ");
		print_text(verb->alias);
		printf("\\fR)");
	}
	puts(".");
	print_options(verb->options);
	if (verb_notes(verb)) {
		puts(".PP");
		print_text(verb_notes(verb));
		putchar('\n');
	}
	if (verb_json(verb)) {
		puts(".PP\n\\fB\\-\\-json\\fR prints");
		print_text(verb_json(verb));
		puts(".");
	}
	puts(".PP\nExample:\n.PP\n.nf");
	print_text(verb->example);
	puts("\n.fi");
}

static void print_head(void)
{
	printf(".TH WH 1 %s \"weighhouse %s\"\n.SH NAME\n"
	       "wh \\- every version of a model\\(aqs weights in one file\n"
	       ".SH SYNOPSIS\n"
	       "\\fBwh\\fR \\fIVERB\\fR [options] [arguments]\n",
	       PAGE_DATE, wh_version());
}

static void print_exit_codes(void)
{
	const struct exit_meaning *at;

	puts(".SH EXIT STATUS");
	for (at = exit_meanings; at->meaning; at++) {
		char number[12];

		snprintf(number, sizeof(number), "%d", at->code);
		print_term(number, at->meaning);
	}
}

static void print_environment(void)
{
	puts(".SH ENVIRONMENT");
	print_term("WH_STORE", "The store where --store isn't given.");
	print_term("WH_PLUGINS",
		   "Shared objects with formats, parted by ':'; as --plugin.");
	print_term("WH_UNTRUSTED", "Not empty: as --untrusted.");
	print_term("WH_PAGER, PAGER",
		   "What log, diff and show are read with on a terminal; "
		   "'less -FRX' without them. Empty or 'cat': nothing.");
	print_term("NO_COLOR", "Not empty: no colour.");
	print_term("SOURCE_DATE_EPOCH",
		   "The time of new snapshots and of the pointers of what is "
		   "published, in UTC seconds.");
	print_term("TMPDIR", "Where what comes from stdin is spooled, and what "
			     "gc --compact copies through.");
}

static const char *const description[] = {
	"wh stores every version of a model's weights in one SQLite file, and "
	"saves any of them as the files that Keras and TensorFlow load. It "
	"needs neither of them.",
	"Options go after the verb, those of all verbs also before it; -- ends "
	"them. Results go to stdout, everything else to stderr. A path - is "
	"stdin or stdout where a format is one file.",
	NULL};

int main(void)
{
	const struct verb *verb;

	print_head();
	print_section("DESCRIPTION", description);
	puts(".SH OPTIONS OF ALL VERBS");
	print_options(global_options);
	puts(".SH VERBS");
	for (verb = verbs; verb->name; verb++)
		print_verb(verb);
	print_section("REVISIONS", revisions_help);
	print_exit_codes();
	print_environment();
	return ferror(stdout) ? 1 : 0;
}
