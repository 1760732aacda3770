/* where.h: `--where` of runs and log: conditions on params, metrics and the
 * rest.
 *
 *	expression := term { "or" term }       term := factor { "and" factor }
 *	factor     := "not" factor | "(" expression ")" | FIELD OP VALUE
 *	FIELD      := params.K | metrics.K | a metric's name, or
 *	              runs: run | status | tag | snapshots
 *	              log: run | step | epoch | tag | branch | message
 *	OP         := = == != < <= > >= ~      (~: a shell pattern)
 *	VALUE      := a number, a word, or 'quoted'
 *
 * A run's metric is its value at the highest step. Numbers are compared as
 * numbers (nan is equal to itself alone, and neither above nor below any), true
 * and false without their case, the rest as text. What a subject doesn't have
 * fulfils no condition.
 */
#ifndef WH_CLI_WHERE_H
#define WH_CLI_WHERE_H

#include <stdbool.h>

#include <weighhouse/run.h>

#define WHERE_ERROR_SIZE 160

/** A field's value. */
struct where_value {
	const char *text; /* NULL: none */
	double number;	  /* NaN where the text is none */
	/* Of a field that has several: any may fulfil. NULL-terminated */
	const char *const *texts;
	char digits[32]; /* room for `text` */
};

/** False for a field that the subject doesn't know. */
typedef bool where_field_fn(const void *subject, const char *field,
			    struct where_value *value);
where_field_fn where_run, where_snapshot;

/** Zeroed but for the first two. */
struct where {
	const char *text;
	where_field_fn *field;
	char error[WHERE_ERROR_SIZE];	/* why it can't be understood, or "" */
	char missing[WHERE_ERROR_SIZE]; /* that a subject lacked a field */
	bool known;			/* one had all of them */
};

/** Whether the subject fulfils the text; false also where there is an error.
 *  A text of NULL holds. */
bool where_holds(struct where *where, const void *subject);

/** What to tell in the end: an error, or that no subject knew a field, which
 *  then is misspelled. NULL if all is well. */
const char *where_complaint(const struct where *where);

#endif
