/* A server that answers before it has all, with libcurl at its very worst
 * moment: while the bytes that it will write next are read. */
#include "support/assert.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "publish/http.h"

#define BODY_SIZE ((uint64_t)400 * 1000) /* one read, and no Expect */

struct server {
	int listener;
	char url[64];
	const char *answer;
	bool resets;  /* the connection, else it goes on reading */
	int line;     /* that stays open; or -1 */
	int n_answers;
};

static void start(struct server *server)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t size = sizeof(here);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->line = -1;
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(server->listener >= 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&here, size),
			 0);
	assert_int_equal(listen(server->listener, 4), 0);
	assert_int_equal(getsockname(server->listener,
				     (struct sockaddr *)&here, &size),
			 0);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u/model",
		 (unsigned)ntohs(here.sin_port));
}

static void end(struct server *server)
{
	if (server->line >= 0)
		close(server->line);
	close(server->listener);
}

/* Unread bytes alone would make close() a reset, where they have come. */
static void answer(struct server *server)
{
	struct linger now = {.l_onoff = 1};
	int line = accept(server->listener, NULL, NULL);
	size_t len = strlen(server->answer);

	assert_true(line >= 0);
	assert_int_equal(send(line, server->answer, len, 0), len);
	server->n_answers++;
	if (!server->resets) {
		server->line = line;
		return;
	}
	assert_int_equal(setsockopt(line, SOL_SOCKET, SO_LINGER, &now,
				    sizeof(now)),
			 0);
	close(line);
}

static enum wh_status read_late(void *arg, uint64_t offset, void *buf,
				size_t len, struct wh_error *err)
{
	struct server *server = arg;

	(void)err;
	memset(buf, 'w', len);
	if (offset == 0 && !server->n_answers)
		answer(server);
	return WH_OK;
}

static void put(struct server *server, struct http_response *response)
{
	const struct http_settings settings = {.max_tries = 1,
					       .stall_seconds = 5,
					       .reply_seconds = 5};
	const struct http_body body = {
		.read = read_late, .arg = server, .size = BODY_SIZE};
	const struct http_request request = {
		.method = "PUT", .url = server->url, .body = &body};
	struct wh_error err = {0};
	struct http *http;

	assert_ok(http_open(&settings, &http, &err), &err);
	assert_ok(http_send(http, &request, response, &err), &err);
	http_close(http);
}

static void an_answer_is_read_though_the_line_is_reset(void **state)
{
	struct server server = {.resets = true,
				.answer = "HTTP/1.1 507 Full\r\n"
					  "Content-Length: 8\r\n\r\n"
					  "no space"};
	struct http_response response;

	(void)state;
	start(&server);
	put(&server, &response);
	assert_int_equal(response.status, 507);
	assert_int_equal(response.body.size, 8);
	assert_memory_equal(response.body.data, "no space", 8);
	http_response_free(&response);
	end(&server);
}

/* What came is no end: all of the body goes, and is counted once. */
static void news_meanwhile_costs_nothing(void **state)
{
	struct server server = {.answer = "HTTP/1.1 102 Processing\r\n\r\n"
					  "HTTP/1.1 201 Created\r\n"
					  "Content-Length: 0\r\n\r\n"};
	struct http_response response;

	(void)state;
	start(&server);
	put(&server, &response);
	assert_int_equal(response.status, 201);
	assert_int_equal(response.sent, BODY_SIZE);
	http_response_free(&response);
	end(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_read_though_the_line_is_reset),
		cmocka_unit_test(news_meanwhile_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
