/* An update server for benchmarks: HTTP/1.1 keep-alive on loopback, one thread, epoll, libc alone.
 *
 *     cc -O2 -o server server.c
 *     ./server [--port N] [--latency-ms N] [--allow N [--throttle sliding|fixed|bucket] [--says-when 1]]
 *
 * prints its URL as its first line of output. POST to any path answers success for the "id" of each
 * element of data.activities; a body of another shape is refused with HTTP 400. With --allow, a request
 * that would make more than N of any second (of a second by the clock; or that finds no token in a bucket for a
 * second's worth) is refused with HTTP 429, with Retry-After if it says when. PUT /_bulk answers success for the
 * "_id" of each action, as Elasticsearch does. GET /stats tells what it saw as JSON, GET /quit ends it.
 * Requests carry Content-Length: a chunked one is refused with HTTP 411.
 *
 * It is meant to be so much cheaper than any client that the client's cost is all that is seen: a request
 * of 100 activities is read, scanned and answered without copying a byte of it but the ids.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_ROOM = 256,        /* bytes kept free before a body, for the head that is known after it */
    READ_SIZE = 1 << 18,    /* bytes of one recv */
    REQUEST_CAP = 1 << 28,  /* bytes of one request, at most */
    EVENTS = 256,           /* events taken from the kernel at once */
};

/* ---------------------------------------------------------------- memory and time */

typedef struct {
    char *bytes;
    size_t length, capacity;
} Buffer;

static void *or_die(void *memory)
{
    if (memory == NULL) {
        perror("memory");
        exit(1);
    }
    return memory;
}

/* Make room for `more` bytes behind the buffer's end. */
static void reserve(Buffer *buffer, size_t more)
{
    if (buffer->length + more <= buffer->capacity)
        return;
    buffer->capacity = 2 * buffer->capacity > buffer->length + more ? 2 * buffer->capacity : buffer->length + more;
    buffer->bytes = or_die(realloc(buffer->bytes, buffer->capacity));
}

static void append(Buffer *buffer, const char *bytes, size_t length)
{
    reserve(buffer, length);
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

#define APPEND(buffer, literal) append(buffer, literal, sizeof(literal) - 1)

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---------------------------------------------------------------- statistics */

typedef struct {
    int64_t *at; /* ns, in order */
    size_t count, capacity;
} Times;

static struct {
    uint64_t activities, bytes, connections, refused, throttled;
    Times requests; /* when each was whole */
} seen;

static uint64_t allowed; /* requests in any second; 0 for any number */

static void note_time(Times *times, int64_t now)
{
    if (times->count == times->capacity) {
        times->capacity = times->capacity ? 2 * times->capacity : 1 << 16;
        times->at = or_die(realloc(times->at, times->capacity * sizeof *times->at));
    }
    times->at[times->count++] = now;
}

static enum { SLIDING, FIXED, BUCKET } throttle;
static bool says_when; /* with Retry-After */

/* Return the ns until one more may come that comes now: 0 if it may, and then it has. */
static int64_t ask(int64_t now)
{
    static const int64_t second = 1000000000;
    static Times admitted;
    static size_t first; /* of those in the last second */
    static int64_t window, tokens_at;
    static double tokens, count;
    switch (throttle) {
    case FIXED:
        if (now / second != window) {
            window = now / second;
            count = 0;
        }
        return count++ < (double)allowed ? 0 : (window + 1) * second - now;
    case BUCKET:
        tokens = tokens_at == 0 ? (double)allowed : tokens + (double)(now - tokens_at) / 1e9 * (double)allowed;
        if (tokens > (double)allowed)
            tokens = (double)allowed;
        tokens_at = now;
        if (tokens < 1)
            return (int64_t)((1 - tokens) / (double)allowed * 1e9) + 1;
        tokens--;
        return 0;
    default:
        while (first < admitted.count && now - admitted.at[first] >= second)
            first++;
        if (admitted.count - first >= allowed)
            return admitted.at[first] + second - now;
        note_time(&admitted, now);
        return 0;
    }
}

/* Note a request; return the ns after which it might come again, 0 if it is let through. */
static int64_t admit(size_t size)
{
    int64_t now = now_ns(), wait = 0;
    note_time(&seen.requests, now);
    seen.bytes += size;
    if (allowed > 0)
        wait = ask(now);
    seen.throttled += wait > 0;
    return wait;
}

/* Return the largest number of requests in any half-open second; the times are in order. */
static uint64_t busiest_second(void)
{
    uint64_t busiest = 0, first = 0;
    for (uint64_t last = 0; last < seen.requests.count; last++) {
        while (seen.requests.at[last] - seen.requests.at[first] >= 1000000000)
            first++;
        if (last - first + 1 > busiest)
            busiest = last - first + 1;
    }
    return busiest;
}

/* Return the time from the first request to the last. */
static double span_seconds(void)
{
    const Times *times = &seen.requests;
    return times->count == 0 ? 0 : (double)(times->at[times->count - 1] - times->at[0]) / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* ---------------------------------------------------------------- JSON, as much as is needed */

typedef struct {
    const char *at, *end;
} Cursor;

typedef struct {
    const char *bytes;
    size_t length;
} Slice;

static void skip_space(Cursor *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\n' || *json->at == '\r' || *json->at == '\t'))
        json->at++;
}

/* Skip white space and the character expected; false if another stands there. */
static bool take(Cursor *json, char expected)
{
    skip_space(json);
    if (json->at == json->end || *json->at != expected)
        return false;
    json->at++;
    return true;
}

/* Read a string; `inside` is what stands between its quotes, escapes as they are. */
static bool take_string(Cursor *json, Slice *inside)
{
    if (!take(json, '"'))
        return false;
    const char *start = json->at;
    for (;;) {
        const char *quote = memchr(json->at, '"', (size_t)(json->end - json->at));
        if (quote == NULL)
            return false;
        json->at = quote + 1;
        const char *escape = quote;
        while (escape > start && escape[-1] == '\\')
            escape--;
        if ((quote - escape) % 2 == 0) { /* an even number of backslashes escapes itself */
            *inside = (Slice){start, (size_t)(quote - start)};
            return true;
        }
    }
}

/* Skip a value of any kind. Brackets are counted, not matched by kind. */
static bool skip_value(Cursor *json)
{
    Slice ignored;
    skip_space(json);
    if (json->at == json->end)
        return false;
    if (*json->at == '"')
        return take_string(json, &ignored);
    if (*json->at != '{' && *json->at != '[') {
        const char *start = json->at;
        while (json->at < json->end && strchr(",]} \n\r\t", *json->at) == NULL)
            json->at++;
        return json->at > start;
    }
    size_t depth = 0;
    while (json->at < json->end) {
        switch (*json->at) {
        case '"':
            if (!take_string(json, &ignored))
                return false;
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        }
        json->at++;
        if (depth == 0)
            return true;
    }
    return false;
}

typedef enum { BROKEN, MEMBER, END } Step;

/* Go to the value of an object's next member; `first` tells that none was read before. */
static Step next_member(Cursor *json, bool first, Slice *key)
{
    if (take(json, '}'))
        return END;
    if (!first && !take(json, ','))
        return BROKEN;
    return take_string(json, key) && take(json, ':') ? MEMBER : BROKEN;
}

static bool is(Slice key, const char *name)
{
    return key.length == strlen(name) && memcmp(key.bytes, name, key.length) == 0;
}

/* Go to the value of an object's member called `name`; false if the object has none. */
static bool find_member(Cursor *json, const char *name)
{
    Slice key;
    if (!take(json, '{'))
        return false;
    for (bool first = true; next_member(json, first, &key) == MEMBER; first = false) {
        if (is(key, name))
            return true;
        if (!skip_value(json))
            return false;
    }
    return false;
}

/* Read one activity to its end; `id` is the string at its top level. */
static bool take_activity(Cursor *json, Slice *id)
{
    Slice key;
    Step step;
    bool found = false;
    if (!take(json, '{'))
        return false;
    for (bool first = true; (step = next_member(json, first, &key)) == MEMBER; first = false) {
        bool is_id = is(key, "id");
        if (is_id ? !take_string(json, id) : !skip_value(json))
            return false;
        found |= is_id;
    }
    return step == END && found;
}

/* Append the answer to an update; false, with part of it appended, if the body is no update. */
static bool append_verdicts(Buffer *answer, Cursor json)
{
    if (!find_member(&json, "data") || !find_member(&json, "activities") || !take(&json, '['))
        return false;
    APPEND(answer, "{\"result\":{\"status\":\"success\",\"message\":\"Activity(s) updated successfully.\",\"data\":{");
    for (bool first = true; !take(&json, ']'); first = false) {
        Slice id;
        if ((!first && !take(&json, ',')) || !take_activity(&json, &id))
            return false;
        if (!first)
            APPEND(answer, ",");
        APPEND(answer, "\"");
        append(answer, id.bytes, id.length);
        APPEND(answer, "\":{\"success\":true,\"message\":\"Activity updated.\"}");
        seen.activities++;
    }
    APPEND(answer, "}}}");
    return true;
}

/* Read the action of a bulk request to its end; `name` is what is done, `id` to which document. */
static bool take_action(Cursor *json, Slice *name, Slice *id)
{
    return take(json, '{') && next_member(json, true, name) == MEMBER && find_member(json, "_id") &&
           take_string(json, id);
}

/* Append the answer to a bulk request of lines in pairs, an action and what it sets; false if it is none. */
static bool append_items(Buffer *answer, Cursor json)
{
    APPEND(answer, "{\"took\":1,\"errors\":false,\"items\":[");
    for (bool first = true; skip_space(&json), json.at < json.end; first = false) {
        Slice name, id;
        if (!take_action(&json, &name, &id))
            return false;
        const char *end = memchr(json.at, '\n', (size_t)(json.end - json.at));
        if (end == NULL)
            return false;
        json.at = end + 1;
        if (!skip_value(&json))
            return false;
        if (!first)
            APPEND(answer, ",");
        APPEND(answer, "{\"");
        append(answer, name.bytes, name.length);
        APPEND(answer, "\":{\"_index\":\"activities\",\"_id\":\"");
        append(answer, id.bytes, id.length);
        APPEND(answer, "\",\"_version\":2,\"result\":\"updated\",\"_shards\":{\"total\":1,\"successful\":1,"
                       "\"failed\":0},\"_seq_no\":1,\"_primary_term\":1,\"status\":200}}");
        seen.activities++;
    }
    APPEND(answer, "]}");
    return true;
}

/* ---------------------------------------------------------------- connections */

typedef struct Connection {
    int fd;
    bool waiting; /* its answer is in the queue of late ones */
    bool closed;
    bool last;    /* close after the answer */
    bool bulk;    /* the first request is one */
    bool invited; /* the client was told to go on with its body */
    Buffer in;    /* what came and is not answered */
    size_t needed; /* bytes of the first request, 0 while unknown */
    size_t head;   /* bytes of its head, the empty line included */
    Buffer out;    /* the answer, from `sent` */
    size_t sent;
    struct Connection *next; /* among the dead */
} Connection;

static int poller, timer;
static int64_t latency_ns;
static Connection *dead; /* closed, and pointed to by nothing but events already taken */

static void watch(int operation, int fd, uint32_t events, void *pointer)
{
    struct epoll_event event = {.events = events, .data.ptr = pointer};
    if (epoll_ctl(poller, operation, fd, &event) != 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

static void close_connection(Connection *connection)
{
    if (!connection->closed)
        close(connection->fd);
    connection->closed = true;
    if (connection->waiting)
        return; /* the queue still points here */
    connection->next = dead;
    dead = connection;
}

static void bury_the_dead(void)
{
    while (dead != NULL) {
        Connection *connection = dead;
        dead = connection->next;
        free(connection->in.bytes);
        free(connection->out.bytes);
        free(connection);
    }
}

/* Late answers, in the order in which they are due: the latency is the same for all. */
static struct {
    struct {
        int64_t due;
        Connection *connection;
    } *entries;
    size_t first, count, capacity; /* a ring; the capacity is a power of two */
} late;

static void set_timer(void)
{
    struct itimerspec when = {0};
    if (late.count > 0) {
        int64_t due = late.entries[late.first].due;
        when.it_value = (struct timespec){due / 1000000000, due % 1000000000};
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void queue(Connection *connection)
{
    if (late.count == late.capacity) {
        size_t capacity = late.capacity ? 2 * late.capacity : 64;
        void *entries = or_die(malloc(capacity * sizeof *late.entries));
        size_t tail = late.capacity - late.first;
        if (late.count > 0) {
            memcpy(entries, late.entries + late.first, tail * sizeof *late.entries);
            memcpy((char *)entries + tail * sizeof *late.entries, late.entries, late.first * sizeof *late.entries);
        }
        free(late.entries);
        late.entries = entries;
        late.first = 0;
        late.capacity = capacity;
    }
    size_t place = (late.first + late.count++) & (late.capacity - 1);
    late.entries[place].due = now_ns() + latency_ns;
    late.entries[place].connection = connection;
    connection->waiting = true;
    if (late.count == 1)
        set_timer();
}

/* Send what is left of the answer; false if the connection is gone. */
static bool send_answer(Connection *connection)
{
    while (connection->sent < connection->out.length) {
        ssize_t count = send(connection->fd, connection->out.bytes + connection->sent,
                             connection->out.length - connection->sent, MSG_NOSIGNAL);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            watch(EPOLL_CTL_MOD, connection->fd, EPOLLOUT, connection);
            return true;
        }
        if (count < 0) {
            close_connection(connection);
            return false;
        }
        connection->sent += (size_t)count;
    }
    connection->out.length = connection->sent = 0;
    if (connection->last) {
        close_connection(connection);
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- HTTP */

/* Return a header's value; empty if the head has none. */
static Slice header(const char *head, size_t length, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = head, *end; (end = memmem(line, (size_t)(head + length - line), "\r\n", 2)); line = end + 2)
        if ((size_t)(end - line) > size && line[size] == ':' && strncasecmp(line, name, size) == 0) {
            const char *value = line + size + 1;
            while (value < end && *value == ' ')
                value++;
            return (Slice){value, (size_t)(end - value)};
        }
    return (Slice){NULL, 0};
}

static bool says(Slice value, const char *word)
{
    return value.length == strlen(word) && strncasecmp(value.bytes, word, value.length) == 0;
}

/* Put the head before a body that was appended behind HEAD_ROOM bytes. */
static void put_head(Connection *connection, const char *status)
{
    char head[HEAD_ROOM];
    int length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s%sContent-Length: %zu\r\n\r\n",
                          status, connection->bulk ? "X-Elastic-Product: Elasticsearch\r\n" : "", connection->last ? "Connection: close\r\n" : "", connection->out.length - HEAD_ROOM);
    connection->sent = HEAD_ROOM - (size_t)length;
    memcpy(connection->out.bytes + connection->sent, head, (size_t)length);
}

static void start_body(Buffer *out)
{
    out->length = 0;
    reserve(out, HEAD_ROOM);
    out->length = HEAD_ROOM;
}

static void answer_update(Connection *connection)
{
    Buffer *out = &connection->out;
    Cursor body = {connection->in.bytes + connection->head, connection->in.bytes + connection->needed};
    int64_t wait = admit(connection->needed - connection->head);
    if (wait > 0) {
        char status[64];
        int64_t seconds = (wait + 999999999) / 1000000000;
        snprintf(status, sizeof status, "429 Too Many Requests\r\nRetry-After: %jd", (intmax_t)seconds);
        APPEND(out, "{\"error\":{\"message\":\"Too many requests.\",\"status\":\"RESOURCE_EXHAUSTED\"}}");
        put_head(connection, says_when ? status : "429 Too Many Requests");
        return;
    }
    if (connection->bulk ? append_items(out, body) : append_verdicts(out, body)) {
        put_head(connection, "200 OK");
        return;
    }
    seen.refused++;
    start_body(out);
    APPEND(out, "{\"error\":{\"message\":\"The body is no update.\",\"status\":\"INVALID_ARGUMENT\"}}");
    put_head(connection, "400 Bad Request");
}

static void answer_stats(Connection *connection)
{
    char text[512];
    int length = snprintf(text, sizeof text,
                          "{\"requests\":%ju,\"activities\":%ju,\"bytes\":%ju,\"connections\":%ju,\"refused\":%ju,"
                          "\"throttled\":%ju,\"busiest_second\":%ju,\"span_seconds\":%.6f,\"cpu_seconds\":%.6f}",
                          (uintmax_t)seen.requests.count, (uintmax_t)seen.activities, (uintmax_t)seen.bytes,
                          (uintmax_t)seen.connections, (uintmax_t)seen.refused, (uintmax_t)seen.throttled,
                          (uintmax_t)busiest_second(), span_seconds(), cpu_seconds());
    append(&connection->out, text, (size_t)length);
    put_head(connection, "200 OK");
}

static bool begins(const Connection *connection, const char *text)
{
    return connection->head >= strlen(text) && memcmp(connection->in.bytes, text, strlen(text)) == 0;
}

/* Answer the first request, which is whole; false if the connection is gone. */
static bool answer(Connection *connection)
{
    connection->bulk = begins(connection, "PUT /_bulk ");
    bool update = connection->bulk || begins(connection, "POST ");
    connection->last |= says(header(connection->in.bytes, connection->head, "connection"), "close");
    start_body(&connection->out);
    if (update) {
        answer_update(connection);
    } else if (begins(connection, "GET /stats ")) {
        answer_stats(connection);
    } else if (begins(connection, "GET /quit ")) {
        APPEND(&connection->out, "{}");
        put_head(connection, "200 OK");
        send_answer(connection);
        exit(0);
    } else {
        APPEND(&connection->out, "{\"error\":{\"message\":\"No such path.\",\"status\":\"NOT_FOUND\"}}");
        put_head(connection, "404 Not Found");
    }
    size_t left = connection->in.length - connection->needed;
    memmove(connection->in.bytes, connection->in.bytes + connection->needed, left);
    connection->in.length = left;
    connection->needed = 0;
    connection->invited = false;
    if (update && latency_ns > 0) {
        queue(connection);
        return true;
    }
    return send_answer(connection);
}

/* Learn from the head how long the request is; false if it is refused and the connection gone. */
static bool measure(Connection *connection, const char *head_end)
{
    const char *head = connection->in.bytes;
    connection->head = (size_t)(head_end - head) + 4;
    if (header(head, connection->head, "transfer-encoding").bytes != NULL) {
        static const char refusal[] = "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        connection->last = true;
        connection->out.length = 0;
        APPEND(&connection->out, refusal);
        return send_answer(connection) && false;
    }
    Slice length = header(head, connection->head, "content-length");
    size_t body = length.bytes ? strtoull(length.bytes, NULL, 10) : 0;
    if (body > REQUEST_CAP) {
        close_connection(connection);
        return false;
    }
    connection->needed = connection->head + body;
    return true;
}

/* Tell a client that waits for it to send its body (curl does above 1 MB). */
static void invite(Connection *connection)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!connection->invited && says(header(connection->in.bytes, connection->head, "expect"), "100-continue"))
        send(connection->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL);
    connection->invited = true;
}

/* Answer what is whole, one request at a time. */
static void serve(Connection *connection)
{
    while (!connection->waiting && connection->out.length == 0) {
        if (connection->needed == 0) {
            const char *end = memmem(connection->in.bytes, connection->in.length, "\r\n\r\n", 4);
            if (end == NULL || !measure(connection, end))
                return;
        }
        if (connection->in.length < connection->needed) {
            invite(connection);
            return;
        }
        if (!answer(connection))
            return;
    }
}

/* ---------------------------------------------------------------- events */

static void receive(Connection *connection)
{
    reserve(&connection->in, READ_SIZE);
    ssize_t count = recv(connection->fd, connection->in.bytes + connection->in.length, READ_SIZE, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        close_connection(connection);
        return;
    }
    connection->in.length += (size_t)count;
    serve(connection);
}

/* Go on with an answer that did not fit into the socket. */
static void resume(Connection *connection)
{
    if (!send_answer(connection) || connection->out.length > 0)
        return;
    watch(EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
    serve(connection);
}

static void go_on(Connection *connection, uint32_t events)
{
    if (connection->closed)
        return; /* by an event before this one */
    if (events & EPOLLOUT)
        resume(connection);
    else
        receive(connection);
}

static void send_late(void)
{
    uint64_t expirations;
    if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
        perror("timer");
    int64_t now = now_ns();
    while (late.count > 0 && late.entries[late.first].due <= now) {
        Connection *connection = late.entries[late.first].connection;
        late.first = (late.first + 1) & (late.capacity - 1);
        late.count--;
        connection->waiting = false;
        if (connection->closed)
            close_connection(connection);
        else if (send_answer(connection))
            serve(connection);
    }
    set_timer();
}

static void accept_all(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection *connection = or_die(calloc(1, sizeof *connection));
        connection->fd = fd;
        seen.connections++;
        watch(EPOLL_CTL_ADD, fd, EPOLLIN, connection);
    }
}

/* Listen on loopback and print the URL. */
static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t length = sizeof address;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        perror("listen");
        exit(1);
    }
    printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    for (int n = 1; n < argc; n += 2) {
        if (n + 1 < argc && strcmp(argv[n], "--port") == 0) {
            port = (uint16_t)atoi(argv[n + 1]);
        } else if (n + 1 < argc && strcmp(argv[n], "--latency-ms") == 0) {
            latency_ns = (int64_t)(atof(argv[n + 1]) * 1e6);
        } else if (n + 1 < argc && strcmp(argv[n], "--allow") == 0) {
            allowed = strtoull(argv[n + 1], NULL, 10);
        } else if (n + 1 < argc && strcmp(argv[n], "--throttle") == 0) {
            throttle = strcmp(argv[n + 1], "fixed") == 0 ? FIXED : strcmp(argv[n + 1], "bucket") == 0 ? BUCKET : SLIDING;
        } else if (n + 1 < argc && strcmp(argv[n], "--says-when") == 0) {
            says_when = atoi(argv[n + 1]) != 0;
        } else {
            fprintf(stderr, "usage: server [--port N] [--latency-ms N] [--allow N [--throttle sliding|fixed|bucket] [--says-when 1]]\n");
            return 2;
        }
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int listener = listen_on(port);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
    watch(EPOLL_CTL_ADD, timer, EPOLLIN, &timer);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int n = 0; n < count; n++) {
            void *source = events[n].data.ptr;
            if (source == &listener)
                accept_all(listener);
            else if (source == &timer)
                send_late();
            else
                go_on(source, events[n].events);
        }
        bury_the_dead();
    }
}
