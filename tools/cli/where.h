/* where.h: `--where` of runs: conditions on params, metrics and the rest.
 *
 *	expression := term { "or" term }       term := factor { "and" factor }
 *	factor     := "not" factor | "(" expression ")" | FIELD OP VALUE
 *	FIELD      := params.K | metrics.K | run | status | tag | snapshots
 *	OP         := = == != < <= > >= ~      (~: a shell pattern)
 *	VALUE      := a number, a word, or 'quoted'
 *
 * A metric is its value at the highest step. Numbers are compared as numbers,
 * the rest as text. What a run doesn't have fulfils no condition.
 */
#ifndef WH_CLI_WHERE_H
#define WH_CLI_WHERE_H

#include <stdbool.h>

#include <weighhouse/run.h>

#define WHERE_ERROR_SIZE 128

/** Whether the run fulfils the text. False and a sentence in `error` for a
 *  text that can't be understood ("" if it can). */
bool where_holds(const char *text, const struct wh_run *run,
		 char error[WHERE_ERROR_SIZE]);

/** A field as a number (NaN: none) and as text ("" or NULL: none). */
bool where_field(const struct wh_run *run, const char *field, double *number,
		 const char **text, char digits[32]);

#endif
