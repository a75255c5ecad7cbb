package backends

import (
	"bufio"
	"strings"
)

var oddMemcached = speech{
	prefix: "memcached",
	read:   func(in *bufio.Reader) (string, error) { return in.ReadString('\n') },
	fine:   "VALUE $path 0 4\r\nfine\r\nEND\r\n",
	modes: []mode{
		{"memcached", `set $memcached_key $uri; memcached_pass %s; default_type text/plain;`, "keepalive 1;"},
		{"memcached-gzip", `set $memcached_key $uri; memcached_pass %s; memcached_gzip_flag 2; default_type text/plain;`, "keepalive 1;"},
		{"memcached-small", `set $memcached_key $uri; memcached_pass %s; memcached_buffer_size 100; default_type text/plain;`, "keepalive 1;"},
	},
	odd: []odd{
		{name: "sound", bytes: "VALUE $path 0 5\r\nhello\r\nEND\r\n"},
		{name: "gzip-flag", bytes: "VALUE $path 3 5\r\nhello\r\nEND\r\n"},
		{name: "other-flag", bytes: "VALUE $path 4 5\r\nhello\r\nEND\r\n"},
		{name: "slow", bytes: "VALUE $path 0 5\r\nhello\r\nEND\r\n", slow: true},
		{name: "empty", bytes: "VALUE $path 0 0\r\n\r\nEND\r\n"},
		{name: "none", bytes: "END\r\n"},
		{name: "none-and-more", bytes: "END\r\nVALUE /x 0 4\r\nevil\r\nEND\r\n"},
		{name: "error", bytes: "ERROR\r\n"},
		{name: "server-error", bytes: "SERVER_ERROR out of memory\r\n"},
		{name: "nonsense", bytes: "nonsense\r\n"},
		{name: "line-feed", bytes: "VALUE $path 0 5\nhello\r\nEND\r\n"},
		{name: "empty-line", bytes: "\r\n"},
		{name: "other-key", bytes: "VALUE /other 0 5\r\nhello\r\nEND\r\n"},
		{name: "longer-key", bytes: "VALUE $pathx 0 5\r\nhello\r\nEND\r\n"},
		{name: "no-flags", bytes: "VALUE $path\r\nhello\r\nEND\r\n"},
		{name: "no-length", bytes: "VALUE $path 0\r\nhello\r\nEND\r\n"},
		{name: "empty-length", bytes: "VALUE $path 0 \r\nhello\r\nEND\r\n"},
		{name: "bad-flags", bytes: "VALUE $path x 5\r\nhello\r\nEND\r\n"},
		{name: "bad-length", bytes: "VALUE $path 0 x\r\nhello\r\nEND\r\n"},
		{name: "negative-length", bytes: "VALUE $path 0 -5\r\nhello\r\nEND\r\n"},
		{name: "huge-length", bytes: "VALUE $path 0 99999999999999999999\r\nhello\r\nEND\r\n"},
		{name: "length-and-unique", bytes: "VALUE $path 0 5 77\r\nhello\r\nEND\r\n"},
		{name: "too-short", bytes: "VALUE $path 0 9\r\nhello\r\nEND\r\n", then: closes},
		{name: "too-long", bytes: "VALUE $path 0 2\r\nhello\r\nEND\r\n", then: closes},
		{name: "no-end", bytes: "VALUE $path 0 5\r\nhello\r\n", then: closes},
		{name: "no-end-ever", bytes: "VALUE $path 0 5\r\nhello\r\n", then: stalls},
		{name: "wrong-end", bytes: "VALUE $path 0 5\r\nhello\r\nENX\r\n", then: closes},
		{name: "more", bytes: "VALUE $path 0 5\r\nhello\r\nEND\r\nVALUE /x 0 4\r\nevil\r\nEND\r\n"},
		{name: "nothing", then: closes},
		{name: "nothing-ever", then: stalls},
		{name: "reset", then: resets},
		{name: "half-a-line", bytes: "VALUE $path 0", then: closes},
		{name: "long-line", bytes: "VALUE $path " + strings.Repeat("0", 100) + " 5\r\nhello\r\nEND\r\n"},
		{name: "endless-line", bytes: "VALUE $path " + strings.Repeat("0", 100_000)},
		{name: "head", method: "HEAD", bytes: "VALUE $path 0 5\r\nhello\r\nEND\r\n"},
		{name: "large", bytes: "VALUE $path 0 300000\r\n" + strings.Repeat("0123456789", 30_000) + "\r\nEND\r\n"},
	},
}
