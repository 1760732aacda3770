#include "where.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MAX_TOKEN 512
#define MAX_DEPTH 64

struct parser {
	const char *at;
	const struct wh_run *run;
	char *error;
	char token[MAX_TOKEN];
	bool quoted;
	int depth;
};

static bool expression(struct parser *p);

static bool bad(struct parser *p, const char *what)
{
	if (!*p->error)
		snprintf(p->error, WHERE_ERROR_SIZE, "%s near '%.40s'", what,
			 *p->token ? p->token : "the end");
	return false;
}

static bool take_quoted(struct parser *p)
{
	char mark = *p->at++;
	size_t n = 0;

	while (*p->at && *p->at != mark && n < MAX_TOKEN - 1)
		p->token[n++] = *p->at++;
	p->token[n] = '\0';
	p->quoted = true;
	if (*p->at != mark)
		return bad(p, "a quote has no end");
	p->at++;
	return true;
}

/* The next token: an operator, a bracket, a word or a quoted text. */
static bool next(struct parser *p)
{
	static const char signs[] = "<>=!~";
	size_t n;

	p->at += strspn(p->at, " \t\n");
	p->quoted = false;
	p->token[0] = '\0';
	if (*p->at == '\'' || *p->at == '"')
		return take_quoted(p);
	if (*p->at == '(' || *p->at == ')')
		n = 1;
	else if (strchr(signs, *p->at) && *p->at)
		n = strspn(p->at, signs);
	else
		n = strcspn(p->at, " \t\n()<>=!~'\"");
	if (n >= MAX_TOKEN)
		return bad(p, "a word is too long");
	memcpy(p->token, p->at, n);
	p->token[n] = '\0';
	p->at += n;
	return true;
}

static bool is(const struct parser *p, const char *word)
{
	return !p->quoted && strcmp(p->token, word) == 0;
}

/* ---- Fields ----------------------------------------------------------------
 */

static const char *find_param(const struct wh_run *run, const char *key)
{
	size_t i;

	for (i = 0; i < run->n_params; i++)
		if (strcmp(run->params[i].key, key) == 0)
			return run->params[i].value;
	return NULL;
}

static const struct wh_run_metric *find_metric(const struct wh_run *run,
					       const char *key)
{
	size_t i;

	for (i = 0; i < run->n_metrics; i++)
		if (strcmp(run->metrics[i].key, key) == 0)
			return &run->metrics[i];
	return NULL;
}

bool where_field(const struct wh_run *run, const char *field, double *number,
		 const char **text, char digits[32])
{
	const struct wh_run_metric *metric;

	*number = (double)NAN;
	*text = NULL;
	if (text_starts(field, "params.")) {
		*text = find_param(run, field + strlen("params."));
	} else if (text_starts(field, "metrics.")) {
		metric = find_metric(run, field + strlen("metrics."));
		if (metric) {
			snprintf(digits, 32, "%.17g", metric->last);
			*text = digits;
		}
	} else if (strcmp(field, "run") == 0 || strcmp(field, "name") == 0) {
		*text = run->name;
	} else if (strcmp(field, "status") == 0) {
		*text = run->status;
	} else if (strcmp(field, "snapshots") == 0) {
		snprintf(digits, 32, "%llu",
			 (unsigned long long)run->n_snapshots);
		*text = digits;
	} else {
		return false;
	}
	if (*text && !text_to_double(*text, number))
		*number = (double)NAN;
	return true;
}

/* ---- Conditions ------------------------------------------------------------
 */

static bool decide(int order, const char *operator_)
{
	switch (operator_[0]) {
	case '<':
		return operator_[1] ? order <= 0 : order < 0;
	case '>':
		return operator_[1] ? order >= 0 : order > 0;
	case '!':
		return order != 0;
	default:
		return order == 0;
	}
}

static bool is_operator(const char *token)
{
	static const char *const known[] = {"=",  "==", "!=", "<",
					    "<=", ">",	">=", "~"};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i], token) == 0)
			return true;
	return false;
}

static bool compare(const char *text, double number, const char *operator_,
		    const char *value)
{
	double other;

	if (!text)
		return false;
	if (operator_[0] == '~')
		return text_glob(value, text);
	if (!isnan(number) && text_to_double(value, &other) && !isnan(other))
		return decide(number < other ? -1 : number > other, operator_);
	return decide(strcmp(text, value), operator_);
}

static bool any_tag(const struct wh_run *run, const char *operator_,
		    const char *value)
{
	const char *const *tag;

	for (tag = run->tags; *tag; tag++)
		if (compare(*tag, (double)NAN, operator_, value))
			return true;
	return false;
}

static bool condition(struct parser *p)
{
	char field[MAX_TOKEN], operator_[MAX_TOKEN], digits[32];
	const char *text;
	double number;
	bool tag = strcmp(p->token, "tag") == 0;

	if (!tag && !where_field(p->run, p->token, &number, &text, digits))
		return bad(p, "no field is called so: params.K, metrics.K, "
			      "run, status, tag, snapshots;");
	strcpy(field, p->token);
	if (!next(p) || !is_operator(p->token))
		return bad(p, "an operator is missing");
	strcpy(operator_, p->token);
	if (!next(p) || (!*p->token && !p->quoted))
		return bad(p, "a value is missing");
	if (tag)
		return any_tag(p->run, operator_, p->token);
	return compare(text, number, operator_, p->token);
}

/* Both sides are always read, so that an error in either is told. */
static bool factor(struct parser *p)
{
	bool holds;

	if (p->depth >= MAX_DEPTH)
		return bad(p, "brackets are too deep");
	if (is(p, "not")) {
		p->depth++;
		holds = next(p) && !factor(p);
		p->depth--;
		return holds;
	}
	if (is(p, "(")) {
		p->depth++;
		holds = next(p) && expression(p);
		p->depth--;
		if (!is(p, ")"))
			return bad(p, "a bracket has no end");
	} else {
		holds = condition(p);
	}
	return next(p) && holds;
}

static bool term(struct parser *p)
{
	bool holds = factor(p);

	while (is(p, "and")) {
		bool other = next(p) && factor(p);

		holds = holds && other;
	}
	return holds;
}

static bool expression(struct parser *p)
{
	bool holds = term(p);

	while (is(p, "or")) {
		bool other = next(p) && term(p);

		holds = holds || other;
	}
	return holds;
}

bool where_holds(const char *text, const struct wh_run *run,
		 char error[WHERE_ERROR_SIZE])
{
	struct parser p = {.at = text, .run = run, .error = error};
	bool holds;

	error[0] = '\0';
	holds = next(&p) && expression(&p);
	if (!*error && *p.token)
		bad(&p, "there is too much");
	return holds && !*error;
}
