#include "where.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define MAX_TOKEN 512
#define MAX_DEPTH 64

struct parser {
	const char *at;
	struct where *where;
	const void *subject;
	bool lacks; /* a field that the subject doesn't know */
	char token[MAX_TOKEN];
	bool quoted;
	int depth;
};

static bool expression(struct parser *p);

static bool bad(struct parser *p, const char *what)
{
	if (!*p->where->error)
		snprintf(p->where->error, WHERE_ERROR_SIZE, "%s near '%.40s'",
			 what, *p->token ? p->token : "the end");
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

static void set_text(struct where_value *value, const char *text)
{
	value->text = text;
	if (!text || !text_to_double(text, &value->number))
		value->number = (double)NAN;
}

static void set_integer(struct where_value *value, bool has, int64_t number)
{
	snprintf(value->digits, sizeof(value->digits), "%" PRId64, number);
	set_text(value, has ? value->digits : NULL);
}

static bool set_number(struct where_value *value, double number)
{
	snprintf(value->digits, sizeof(value->digits), "%.17g", number);
	set_text(value, value->digits);
	return true;
}

static void set_param(struct where_value *value, const struct wh_param *params,
		      size_t n, const char *key)
{
	size_t i;

	set_text(value, NULL);
	for (i = 0; i < n; i++)
		if (strcmp(params[i].key, key) == 0)
			set_text(value, params[i].value);
}

/* "metrics.K", or K by itself: false where there is none of that name. */
static const char *metric_name(const char *field)
{
	return text_starts(field, "metrics.") ? field + strlen("metrics.")
					      : field;
}

bool where_run(const void *subject, const char *field,
	       struct where_value *value)
{
	const struct wh_run *run = subject;
	size_t i;

	memset(value, 0, sizeof(*value));
	set_text(value, NULL);
	if (text_starts(field, "params."))
		set_param(value, run->params, run->n_params,
			  field + strlen("params."));
	else if (strcmp(field, "run") == 0 || strcmp(field, "name") == 0)
		set_text(value, run->name);
	else if (strcmp(field, "status") == 0)
		set_text(value, run->status);
	else if (strcmp(field, "tag") == 0)
		value->texts = run->tags;
	else if (strcmp(field, "snapshots") == 0)
		set_integer(value, true, (int64_t)run->n_snapshots);
	else {
		for (i = 0; i < run->n_metrics; i++)
			if (strcmp(run->metrics[i].key, metric_name(field)) ==
			    0)
				return set_number(value, run->metrics[i].last);
		return text_starts(field, "metrics.");
	}
	return true;
}

bool where_snapshot(const void *subject, const char *field,
		    struct where_value *value)
{
	const struct wh_snapshot *s = subject;
	size_t i;

	memset(value, 0, sizeof(*value));
	set_text(value, NULL);
	if (text_starts(field, "params."))
		set_param(value, s->params, s->n_params,
			  field + strlen("params."));
	else if (strcmp(field, "run") == 0)
		set_text(value, s->run);
	else if (strcmp(field, "message") == 0)
		set_text(value, s->message);
	else if (strcmp(field, "step") == 0)
		set_integer(value, s->has_step, s->step);
	else if (strcmp(field, "epoch") == 0)
		set_integer(value, s->has_epoch, s->epoch);
	else if (strcmp(field, "tag") == 0)
		value->texts = s->tags;
	else if (strcmp(field, "branch") == 0)
		value->texts = s->branches;
	else {
		for (i = 0; i < s->n_metrics; i++)
			if (strcmp(s->metrics[i].key, metric_name(field)) == 0)
				return set_number(value, s->metrics[i].value);
		return text_starts(field, "metrics.");
	}
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

/* NaN is itself, and neither above nor below anything. */
static bool decide_numbers(double x, double y, const char *operator_)
{
	bool same = isnan(x) && isnan(y);

	if (!isnan(x) && !isnan(y))
		return decide(x < y ? -1 : x > y, operator_);
	if (operator_[0] == '!')
		return !same;
	return same && strcmp(operator_, "<") != 0 &&
	       strcmp(operator_, ">") != 0;
}

static bool is_nan(const char *text)
{
	double number;

	return text_to_double(text, &number) && isnan(number);
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

static bool is_truth(const char *text)
{
	return strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0;
}

static bool compare(const char *text, double number, const char *operator_,
		    const char *value)
{
	int64_t x, y;
	double other;

	if (!text)
		return false;
	if (operator_[0] == '~')
		return text_glob(value, text);
	if (text_to_i64(text, &x) && text_to_i64(value, &y))
		return decide(x < y ? -1 : x > y, operator_);
	if (text_to_double(value, &other) && (!isnan(number) || is_nan(text)))
		return decide_numbers(number, other, operator_);
	if (is_truth(text) && is_truth(value))
		return decide(strcasecmp(text, value), operator_);
	return decide(strcmp(text, value), operator_);
}

static bool compare_any(const struct where_value *field, const char *operator_,
			const char *value)
{
	const char *const *text = field->texts;

	if (!text)
		return compare(field->text, field->number, operator_, value);
	for (; *text; text++)
		if (compare(*text, (double)NAN, operator_, value))
			return true;
	return false;
}

static bool condition(struct parser *p)
{
	struct where_value field;
	char operator_[MAX_TOKEN];
	bool known;

	if (!*p->token || p->quoted || strchr("()<>=!~", *p->token))
		return bad(p, "a field is missing");
	known = p->where->field(p->subject, p->token, &field);
	if (!known) {
		p->lacks = true;
		snprintf(p->where->missing, WHERE_ERROR_SIZE,
			 "nothing has a field '%.40s': there are params.K, "
			 "metrics.K, run, tag and others",
			 p->token);
	}
	if (!next(p) || !is_operator(p->token))
		return bad(p, "an operator is missing");
	strcpy(operator_, p->token);
	if (!next(p) || (!*p->token && !p->quoted))
		return bad(p, "a value is missing");
	return known && compare_any(&field, operator_, p->token);
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

bool where_holds(struct where *where, const void *subject)
{
	struct parser p = {
		.at = where->text, .where = where, .subject = subject};
	bool holds;

	if (!where->text)
		return true;
	holds = next(&p) && expression(&p);
	if (!*where->error && *p.token)
		bad(&p, "there is too much");
	where->known |= !p.lacks;
	return holds && !*where->error;
}

const char *where_complaint(const struct where *where)
{
	if (*where->error)
		return where->error;
	return *where->missing && !where->known ? where->missing : NULL;
}
