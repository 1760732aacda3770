/* Where a server may send us: not to machines inside, if it is outside. */
#include "publish/http_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* The IPv4 address that it is, or stands for: ::ffff:a.b.c.d is a.b.c.d. */
static bool as_four(const struct sockaddr *address, uint32_t *a)
{
	const struct sockaddr_in6 *six = (const void *)address;
	const struct sockaddr_in *four = (const void *)address;
	const uint8_t *b;

	if (address->sa_family == AF_INET) {
		*a = ntohl(four->sin_addr.s_addr);
		return true;
	}
	b = six->sin6_addr.s6_addr;
	*a = (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 |
	     (uint32_t)b[14] << 8 | b[15];
	return IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
}

static bool is_link_local(const struct sockaddr *address)
{
	const struct sockaddr_in6 *six = (const void *)address;
	uint32_t a;

	if (as_four(address, &a))
		return (a & 0xffff0000u) == 0xa9fe0000u;
	return IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
}

static bool is_private_four(uint32_t a)
{
	return (a & 0xff000000u) == 0x7f000000u || /* 127/8 */
	       (a & 0xff000000u) == 0x0a000000u || /* 10/8 */
	       (a & 0xfff00000u) == 0xac100000u || /* 172.16/12 */
	       (a & 0xffff0000u) == 0xc0a80000u || /* 192.168/16 */
	       (a & 0xffff0000u) == 0xa9fe0000u || /* 169.254/16 */
	       (a & 0xff000000u) == 0;
}

bool http_address_is_private(const struct sockaddr *address)
{
	const struct sockaddr_in6 *six = (const void *)address;
	uint32_t a;

	if (as_four(address, &a))
		return is_private_four(a);
	return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
	       IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) ||
	       (six->sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
}

bool http_address_is_refused(const struct sockaddr *address, bool public_origin)
{
	return is_link_local(address) ||
	       (public_origin && http_address_is_private(address));
}

bool http_host_is_refused(const char *host, bool public_origin)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	char bare[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET, host, &four.sin_addr) == 1)
		return http_address_is_refused((const void *)&four,
					       public_origin);
	if (*host != '[')
		return false;
	snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(host + 1, "%]"),
		 host + 1);
	return inet_pton(AF_INET6, bare, &six.sin6_addr) == 1 &&
	       http_address_is_refused((const void *)&six, public_origin);
}
