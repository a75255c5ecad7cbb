package http2

// staticTable has the fields of RFC 7541, appendix A; the first one is number 1.
var staticTable = [...]struct{ name, value string }{
	{":authority", ""}, {":method", "GET"}, {":method", "POST"}, {":path", "/"}, {":path", "/index.html"}, {":scheme", "http"},
	{":scheme", "https"}, {":status", "200"}, {":status", "204"}, {":status", "206"}, {":status", "304"}, {":status", "400"},
	{":status", "404"}, {":status", "500"}, {"accept-charset", ""}, {"accept-encoding", "gzip, deflate"}, {"accept-language", ""},
	{"accept-ranges", ""}, {"accept", ""}, {"access-control-allow-origin", ""}, {"age", ""}, {"allow", ""}, {"authorization", ""},
	{"cache-control", ""}, {"content-disposition", ""}, {"content-encoding", ""}, {"content-language", ""}, {"content-length", ""},
	{"content-location", ""}, {"content-range", ""}, {"content-type", ""}, {"cookie", ""}, {"date", ""}, {"etag", ""}, {"expect", ""},
	{"expires", ""}, {"from", ""}, {"host", ""}, {"if-match", ""}, {"if-modified-since", ""}, {"if-none-match", ""}, {"if-range", ""},
	{"if-unmodified-since", ""}, {"last-modified", ""}, {"link", ""}, {"location", ""}, {"max-forwards", ""}, {"proxy-authenticate", ""},
	{"proxy-authorization", ""}, {"range", ""}, {"referer", ""}, {"refresh", ""}, {"retry-after", ""}, {"server", ""}, {"set-cookie", ""},
	{"strict-transport-security", ""}, {"transfer-encoding", ""}, {"user-agent", ""}, {"vary", ""}, {"via", ""}, {"www-authenticate", ""},
}

const (
	// TableSize is the size of the dynamic table that a peer may use, as long as
	// SETTINGS_HEADER_TABLE_SIZE does not say otherwise.
	TableSize = 4096
	// entrySize is what an entry counts beside its bytes (RFC 7541, 4.1).
	entrySize = 32
)

// entry is a field of the dynamic table.
type entry struct {
	off, name, value uint16 // of bytes
	static           uint8  // the number of the name in the static table, or 0
}

// table is a dynamic table. Its memory grows as it is used, up to twice
// TableSize for the bytes.
type table struct {
	entries []entry // the oldest first, from head on
	head    int
	bytes   []byte // of the entries, and of dropped ones before them
	size    int    // as the RFC counts
	limit   int    // TableSize or less; by the peer
}

// len is the number of entries.
func (t *table) len() int { return len(t.entries) - t.head }

// get returns the entry number i, the newest being 0, and its bytes.
func (t *table) get(i int) (e entry, name, value []byte) {
	e = t.entries[len(t.entries)-1-i]
	name = t.bytes[e.off : e.off+e.name]
	return e, name, t.bytes[e.off+e.name : e.off+e.name+e.value]
}

// shrink drops old entries until no more than size is left.
func (t *table) shrink(size int) {
	for t.size > size {
		e := &t.entries[t.head]
		t.size -= entrySize + int(e.name) + int(e.value)
		t.head++
	}
	if t.head == len(t.entries) {
		t.entries, t.head, t.bytes = t.entries[:0], 0, t.bytes[:0]
	}
}

// setLimit changes the size that the table may have.
func (t *table) setLimit(limit int) {
	t.limit = limit
	t.shrink(limit)
}

// add puts a field into the table, which drops others; one that is larger than
// the table empties it.
func (t *table) add(name, value string, static uint8) {
	n := len(name) + len(value)
	if n+entrySize > t.limit {
		t.shrink(0)
		return
	}
	t.shrink(t.limit - n - entrySize)
	if len(t.bytes)+n > cap(t.bytes) || t.head > TableSize/entrySize {
		t.makeRoom(n)
	}
	t.size += n + entrySize
	t.entries = append(t.entries, entry{off: uint16(len(t.bytes)), name: uint16(len(name)), value: uint16(len(value)), static: static})
	t.bytes = append(append(t.bytes, name...), value...)
}

// makeRoom moves the entries to the start of the memory, which is doubled
// unless half of it is free then.
func (t *table) makeRoom(n int) {
	from := len(t.bytes)
	if t.len() > 0 {
		from = int(t.entries[t.head].off)
	}
	live := t.bytes[from:]
	if size := 2 * (len(live) + n); size > cap(t.bytes) {
		const least = 512
		t.bytes = append(make([]byte, 0, max(size, least)), live...)
	} else {
		t.bytes = t.bytes[:copy(t.bytes[:len(live)], live)]
	}
	t.entries = t.entries[:copy(t.entries, t.entries[t.head:])]
	t.head = 0
	for i := range t.entries {
		t.entries[i].off -= uint16(from)
	}
}
