/* What people and scripts see. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json_put.h"
#include "base/text.h"
#include "cli.h"

#define GUESS	  "; did you mean '" /* a message's hint */
#define N_TEXTS	  8
#define TEXT_SIZE 4400 /* a name of 4 KiB */

/* A few texts that live side by side, for the arguments of one printf. */
static char *next_text(void)
{
	static char texts[N_TEXTS][TEXT_SIZE];
	static unsigned turn;

	return texts[turn++ % N_TEXTS];
}

bool cli_json(const struct cli *cli)
{
	return cli->wants_json;
}

static enum exit_code code_of(const struct wh_error *err)
{
	switch (err->status) {
	case WH_OK:
		return EXIT_DONE;
	case WH_EINVAL:
		return EXIT_USAGE;
	case WH_ENOTFOUND:
		return EXIT_NOT_FOUND;
	case WH_EEXISTS:
		return EXIT_EXISTS;
	case WH_ECORRUPT:
		return EXIT_DAMAGED;
	case WH_EUNSUPPORTED:
		return EXIT_MISSING;
	case WH_EBUSY:
	case WH_EMISMATCH:
		return EXIT_BUSY;
	case WH_ECANCELLED:
		return EXIT_INTERRUPTED;
	case WH_EALARM:
		return EXIT_ALARM;
	case WH_EREMOTE:
		return err->http_status == 401 || err->http_status == 403
			       ? EXIT_NOT_AUTHORISED
			       : EXIT_FAILED;
	case WH_ENOMEM:
	case WH_EIO:
		return EXIT_FAILED;
	}
	return EXIT_FAILED;
}

static void tell_json(const char *status, const char *message, const char *hint)
{
	json_t *error = json_object(), *whole = json_object();
	const char *guess = strstr(message, GUESS);
	size_t len = guess ? (size_t)(guess - message) : strlen(message);
	char *text;

	if (guess)
		hint = guess + strlen("; ");
	json_object_set_new(error, "status", json_string(status));
	json_object_set_new(error, "message", json_stringn(message, len));
	json_object_set_new(error, "hint", json_text(hint));
	json_object_set_new(whole, "error", error);
	text = json_to_text(whole, JSON_COMPACT);
	fprintf(stderr, "%s\n", text ? text : "{}");
	free(text);
	json_decref(whole);
}

static void tell(const struct cli *cli, const char *status, const char *message,
		 const char *hint)
{
	cli_progress_end(NULL);
	fflush(stdout);
	if (cli_json(cli)) {
		tell_json(status, message, hint);
		return;
	}
	fprintf(stderr, "wh%s%s: %s%s%s%s\n", cli->verb ? " " : "",
		cli->verb ? cli->verb->name : "", message, hint ? " (" : "",
		hint ? hint : "", hint ? ")" : "");
}

/* The next step, where there is one. */
static const char *hint_for(const struct cli *cli)
{
	if (*cli->hint)
		return cli->hint;
	if (cli->no_store && cli->err.status == WH_ENOTFOUND)
		return "'wh init' makes one";
	if (cli->err.status == WH_EEXISTS && cli_flag(cli, "no-overwrite"))
		return "without --no-overwrite it is replaced";
	if (cli->err.status == WH_EBUSY)
		return "try again when the other process is done";
	return NULL;
}

/* Who gave a stream knows nothing of its spool. */
static void name_stdin(const char *spool, char *message)
{
	size_t len = strlen(spool);
	char *at = spool[0] ? strstr(message, spool) : NULL;

	if (!at || at == message || at[-1] != '\'' || at[len] != '\'')
		return;
	memcpy(at - 1, "stdin", strlen("stdin"));
	memmove(at - 1 + strlen("stdin"), at + len + 1,
		strlen(at + len + 1) + 1);
}

int cli_fail(struct cli *cli)
{
	struct wh_error *err = &cli->err;
	char joined[2 * WH_ERROR_SIZE];

	if (!*err->message)
		snprintf(err->message, sizeof(err->message), "%s",
			 wh_status_text(err->status));
	if (cli->spool)
		name_stdin(cli->spool, err->message);
	snprintf(joined, sizeof(joined), "%s", err->message);
	if (cli->subject && cli->subject != cli->spool && !cli->no_store &&
	    !strstr(err->message, cli_escape(cli->subject)))
		snprintf(joined, sizeof(joined), "%.400s: %s",
			 cli_escape(cli->subject), err->message);
	tell(cli, wh_status_text(err->status), joined, hint_for(cli));
	return (int)code_of(err);
}

void cli_tell_no_memory(struct cli *cli)
{
	wh_fail_memory(&cli->err);
	cli_fail(cli);
}

int cli_no_tensor(struct cli *cli, const char *name)
{
	cli->subject = name;
	wh_fail(&cli->err, WH_ENOTFOUND, "no tensor is called so");
	return cli_fail(cli);
}

int cli_usage(struct cli *cli, const char *format, ...)
{
	char text[WH_ERROR_SIZE], escaped[WH_ERROR_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_escape(text, strlen(text), escaped, sizeof(escaped));
	tell(cli, "usage", escaped, NULL);
	return EXIT_USAGE;
}

void cli_warn(void *arg, const char *sentence)
{
	const struct cli *cli = arg;

	cli_progress_end(NULL);
	fflush(stdout);
	fprintf(stderr, "wh %s: %s\n", cli->verb->name, cli_escape(sentence));
}

static atomic_bool json_lost;

/* Jansson leaves out of an object what it finds no memory for, and who makes
 * one of twenty members asks of none whether it is there. */
static void *json_memory(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		json_lost = true;
	return memory;
}

void cli_watch_json(void)
{
	json_set_alloc_funcs(json_memory, free);
}

void cli_print_json(json_t *value)
{
	char *text = json_to_text(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text)
		json_lost = true;
	else
		puts(text);
	free(text);
	json_decref(value);
}

bool cli_json_was_lost(void)
{
	return json_lost;
}

void cli_say(const struct cli *cli, const char *format, ...)
{
	va_list args;

	if (cli_flag(cli, "quiet") || cli_json(cli))
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

const char *cli_size(const struct cli *cli, uint64_t nbytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double size = (double)nbytes;
	char *text = next_text();
	size_t unit = 0;

	if (cli_flag(cli, "bytes") || nbytes < 1024) {
		snprintf(text, TEXT_SIZE, "%" PRIu64 "%s", nbytes,
			 cli_flag(cli, "bytes") ? "" : " B");
		return text;
	}
	for (; size >= 1023.95 && unit < 4; unit++)
		size /= 1024;
	snprintf(text, TEXT_SIZE, "%.1f %s", size, units[unit]);
	return text;
}

const char *cli_count(uint64_t n, const char *noun)
{
	size_t len = strlen(noun);
	bool is_y = len && noun[len - 1] == 'y' && n != 1;
	char *text = next_text();

	snprintf(text, TEXT_SIZE, "%" PRIu64 " %.*s%s", n, (int)(len - is_y),
		 noun,
		 n == 1 ? ""
		 : is_y ? "ies"
			: "s");
	return text;
}

static const char *format_time(int64_t time_s, bool utc)
{
	time_t time = (time_t)time_s;
	char *text = next_text();
	struct tm parts;

	if (!(utc ? gmtime_r(&time, &parts) : localtime_r(&time, &parts)))
		return "";
	strftime(text, TEXT_SIZE, utc ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d %H:%M",
		 &parts);
	return text;
}

const char *cli_time(int64_t time_s)
{
	return format_time(time_s, false);
}

const char *cli_time_utc(int64_t time_s)
{
	return format_time(time_s, true);
}

const char *cli_escape(const char *name)
{
	char *text = next_text();

	text_escape(name, strlen(name), text, TEXT_SIZE);
	return text;
}

json_t *json_text(const char *text)
{
	json_t *value;

	if (!text)
		return json_null();
	value = json_string(text);
	return value ? value : json_string(cli_escape(text));
}

json_t *number_json(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

json_t *json_shape(const struct wh_tensor *tensor)
{
	json_t *shape = json_array();
	uint32_t i;

	for (i = 0; i < tensor->rank; i++)
		json_array_append_new(
			shape, json_integer((json_int_t)tensor->shape[i]));
	return shape;
}

void shape_text(const struct wh_tensor *tensor, char *text, size_t size)
{
	size_t used = 0;
	uint32_t i;

	used += (size_t)snprintf(text, size, "(");
	for (i = 0; i < tensor->rank && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%" PRIu64,
					 i ? ", " : "", tensor->shape[i]);
	if (used < size)
		snprintf(text + used, size - used,
			 tensor->rank == 1 ? ",)" : ")");
}

void cli_print_text(const char *text)
{
	size_t size = 4 * strlen(text) + 1;
	char *escaped = malloc(size);

	if (escaped)
		text_escape(text, strlen(text), escaped, size);
	fputs(escaped ? escaped : "", stdout);
	free(escaped);
}

void cli_print_lines(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		if (len)
			fputs("    ", stdout);
		if (line)
			cli_print_text(line);
		putchar('\n');
		free(line);
		text += len + (text[len] == '\n');
	}
}

void cli_put_word(FILE *out, const char *word, size_t len)
{
	static const char plain[] = "@%+=:,./-_~";
	size_t i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)word[i]) && !strchr(plain, word[i]))
			break;
	if (len && i == len && word[0] != '~') {
		fwrite(word, 1, len, out);
		return;
	}
	putc('\'', out);
	for (i = 0; i < len; i++) {
		if (word[i] == '\'')
			fputs("'\\''", out);
		else
			putc(word[i], out);
	}
	putc('\'', out);
}
