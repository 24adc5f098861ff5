/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static bool failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return false;
}

void efm_line_standard(efm_line *line)
{
    *line = (efm_line){.in = STDIN_FILENO, .out = STDOUT_FILENO, .listener = -1};
}

/* -- TCP ------------------------------------------------------------------------------------------ */

bool efm_line_tcp(efm_line *line, uint16_t port, bool open, char name[EFM_LINE_NAME_BYTES])
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(open ? INADDR_ANY : INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return failed("socket");
    }
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4) != 0
        || getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        return failed("TCP port");
    }
    *line = (efm_line){.in = -1, .out = -1, .listener = listener};
    snprintf(name, EFM_LINE_NAME_BYTES, "socket://127.0.0.1:%u", ntohs(address.sin_port));
    return true;
}

void efm_line_drop(efm_line *line)
{
    if (line->listener < 0 || line->in < 0) {
        return;
    }
    close(line->in);
    line->in = line->out = -1;
}

static void admit(efm_line *line)
{
    int one = 1, client = accept(line->listener, NULL, NULL);
    if (client < 0) {
        return;
    }
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    efm_line_drop(line);
    line->in = line->out = client;
}

/* -- terminals ------------------------------------------------------------------------------------ */

static bool make_raw(int fd, speed_t speed)
{
    struct termios mode;
    if (tcgetattr(fd, &mode) != 0) {
        return false;
    }
    cfmakeraw(&mode);
    if (speed != B0 && (cfsetispeed(&mode, speed) != 0 || cfsetospeed(&mode, speed) != 0)) {
        return false;
    }
    return tcsetattr(fd, TCSANOW, &mode) == 0;
}

bool efm_line_pty(efm_line *line, char name[EFM_LINE_NAME_BYTES])
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 || ptsname_r(fd, name, EFM_LINE_NAME_BYTES) != 0) {
        return failed("pseudo-terminal");
    }
    /* Kept open, so that a host that leaves is silence and not the end of the line. */
    int other = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (other < 0 || !make_raw(other, B0)) {
        return failed(name);
    }
    *line = (efm_line){.in = fd, .out = fd, .listener = -1};
    return true;
}

static speed_t speed_of(uint32_t baud)
{
    switch (baud) {
    case 9600:
        return B9600;
    case 19200:
        return B19200;
    case 38400:
        return B38400;
    case 57600:
        return B57600;
    case 115200:
        return B115200;
    case 230400:
        return B230400;
    case 460800:
        return B460800;
    case 921600:
        return B921600;
    case 1000000:
        return B1000000;
    case 3000000:
        return B3000000;
    default:
        return B0;
    }
}

bool efm_line_serial(efm_line *line, const char *path, uint32_t baud, char name[EFM_LINE_NAME_BYTES])
{
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    errno = fd >= 0 ? EINVAL : errno;
    if (fd < 0 || speed_of(baud) == B0 || !make_raw(fd, speed_of(baud))) {
        return failed(path);
    }
    *line = (efm_line){.in = fd, .out = fd, .listener = -1};
    snprintf(name, EFM_LINE_NAME_BYTES, "%s", path);
    return true;
}

/* -- bytes ---------------------------------------------------------------------------------------- */

/* Waits until the client can be read (or written); lets new clients in. False: not now. */
static bool ready(efm_line *line, bool writing, bool wait)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = writing ? line->out : line->in, .events = writing ? POLLOUT : POLLIN},
                               {.fd = line->listener, .events = POLLIN}};
        int found = poll(fds, 2, wait ? -1 : 0);
        if (found < 0 && errno != EINTR) {
            line->gone = true;
        }
        if (found > 0 && fds[1].revents != 0) {
            admit(line);
            if (writing) {
                return false; /* what was being said was for the other one */
            }
            continue;
        }
        if (found > 0 || line->gone || (!wait && found == 0)) {
            return found > 0 && fds[0].revents != 0;
        }
    }
}

/* The client has left. */
static void lose(efm_line *line)
{
    if (line->listener >= 0) {
        efm_line_drop(line);
    } else {
        line->gone = true;
    }
}

int32_t efm_line_read(efm_line *line, uint8_t *bytes, uint32_t room, bool wait)
{
    while (!line->gone && ready(line, false, wait)) {
        ssize_t count = read(line->in, bytes, room);
        if (count > 0) {
            return (int32_t)count;
        }
        if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
            lose(line);
        }
    }
    return line->gone ? -1 : 0;
}

void efm_line_write(efm_line *line, const uint8_t *bytes, uint32_t count)
{
    while (count != 0 && line->out >= 0 && !line->gone && ready(line, true, true)) {
        ssize_t done = write(line->out, bytes, count);
        if (done < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (done < 0) {
            lose(line);
            return;
        }
        bytes += done;
        count -= (uint32_t)done;
    }
}
