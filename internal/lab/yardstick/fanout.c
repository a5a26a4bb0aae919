/* The yardstick of `make bench BENCH=relay`: nothing but sendmmsg.
 * usage: fanout SIZE ROUNDS_PER_SECOND SECONDS < ports
 * Sends a datagram of SIZE bytes to every port of 127.0.0.1, so many rounds each
 * second (0: without pause), and prints the datagrams sent and the CPU seconds used. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { batch = 64, most = 100000 };
static struct sockaddr_in to[most];
static struct mmsghdr messages[most];
static char data[65536];

static double seconds(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	size_t size = atoi(argv[1]);
	double pace = atof(argv[2]), end = seconds(CLOCK_MONOTONIC) + atof(argv[3]);
	int n = 0, port, room = 4 << 20;
	struct iovec vector = {data, size};
	while (n < most && scanf("%d", &port) == 1) {
		to[n].sin_family = AF_INET;
		to[n].sin_port = htons(port);
		to[n].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		messages[n].msg_hdr = (struct msghdr){.msg_name = &to[n], .msg_namelen = sizeof to[n], .msg_iov = &vector, .msg_iovlen = 1};
		n++;
	}
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	unsigned long sent = 0;
	double next = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	while (seconds(CLOCK_MONOTONIC) < end) {
		for (int i = 0; i < n;) {
			int k = sendmmsg(fd, messages + i, n - i < batch ? n - i : batch, MSG_DONTWAIT);
			if (k <= 0) k = 1; else sent += k;
			i += k;
		}
		if (pace > 0) {
			next += 1 / pace;
			struct timespec t = {(time_t)next, (long)((next - (time_t)next) * 1e9)};
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		}
	}
	printf("%lu %.6f\n", sent, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	return 0;
}
