package backends

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"hash/crc32"
	"moongate/tests/spec"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write down what the server under test makes of odd answers; a real nginx knows those without since")

// odd is an answer that a sound server does not give.
type odd struct {
	name  string
	bytes string
	then  ending
	// method of the request, GET if empty.
	method string
	// slow: a byte at a time.
	slow bool
	// since is the first nginx that makes of it what the table says; own is why
	// none does.
	since, own string
}

// ending is what the peer does behind an answer.
type ending uint8

const (
	waits  ending = iota // for another request
	stalls               // alike, and the server waits for more, up to its timeout; the name ends in "-ever"
	closes
	resets
)

// speech is a protocol between the server and its peers.
type speech struct {
	// prefix is that of its directives.
	prefix string
	// read reads a request and returns a text that has its path.
	read func(in *bufio.Reader) (string, error)
	// fine is an answer that is not odd at all.
	fine string
	odd  []odd
	// modes are locations, by name; %s is the peer.
	modes []mode
}

type mode struct {
	name, location string
	// upstream is what the upstream block says.
	upstream string
}

// TestOddAnswers: what the client and the log get of odd answers is in
// testdata/odd-*.txt, which a real nginx agrees with.
func TestOddAnswers(t *testing.T) {
	for name, s := range map[string]*speech{"http": &oddHTTP, "cgi": &oddCGI, "uwsgi": &oddUWSGI, "fastcgi": &oddFastCGI, "memcached": &oddMemcached, "grpc": &oddGRPC} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join("testdata", "odd-"+name+".txt")
			want := readOutcomes(t, file)
			got := s.run(t)
			for _, o := range s.odd {
				if new, ok := got[o.name]; ok && *update {
					want[o.name] = new
				} else if ok && new != want[o.name] {
					t.Errorf("%s:\n%swant\n%s", o.name, new, want[o.name])
				}
			}
			if *update {
				writeOutcomes(t, file, s.odd, want)
			}
		})
	}
}

// run tries all answers with all modes; it returns what became of each by name.
func (s *speech) run(t *testing.T) map[string]string {
	target := spec.FindTarget(t)
	var servers, locations strings.Builder
	peers := make([]*badPeer, len(s.modes))
	for i, m := range s.modes {
		if m.upstream == "" && !target.Oracle {
			m.upstream = "keepalive 0;" // the default of old
		}
		peers[i] = newPeer(t, s.read, s.say)
		fmt.Fprintf(&servers, "upstream %s { server %s max_fails=0; %s }\n", m.name, peers[i].Addr(), m.upstream)
		location := fmt.Sprintf(m.location, m.name)
		fmt.Fprintf(&locations, "location /%s/ { %s }\nlocation ~ ^/%[1]s/.*-ever/ { %s %s_read_timeout 2s; }\n", m.name, location, s.prefix)
	}
	server := spec.Serve(t, target, "Odd answers.\n\n-- http.conf --\n"+servers.String()+
		"proxy_cache_path cache keys_zone=a:1m;\nserver {\nlisten 127.0.0.1:8080;\n"+locations.String()+"}\n")
	since := func(o *odd) bool { return !target.Oracle || o.since == "" && o.own == "" }
	outcomes := make([][]outcome, len(s.modes))
	var all sync.WaitGroup
	for i, m := range s.modes {
		outcomes[i] = make([]outcome, len(s.odd))
		all.Go(func() {
			var late sync.WaitGroup
			for j := range s.odd {
				if o := &s.odd[j]; since(o) && o.then != stalls {
					outcomes[i][j] = s.try(t, server, peers[i], m.name, o)
				}
			}
			for j := range s.odd {
				if o := &s.odd[j]; since(o) && o.then == stalls {
					late.Go(func() { outcomes[i][j] = s.try(t, server, peers[i], m.name, o) })
				}
			}
			late.Wait()
		})
	}
	all.Wait()
	said := complaints(server.Log())
	got := make(map[string]string)
	for j := range s.odd {
		if o := &s.odd[j]; since(o) {
			texts := make([]string, len(s.modes))
			for i, m := range s.modes {
				texts[i] = outcomes[i][j].text(said["/"+m.name+"/odd/"+o.name+"/"])
			}
			got[o.name] = s.join(texts)
		}
	}
	return got
}

// join lists what became of an answer, the modes with the same outcome together.
func (s *speech) join(texts []string) string {
	var b strings.Builder
	for i, text := range texts {
		if slices.Index(texts, text) < i {
			continue
		}
		b.WriteString("   ")
		for j, other := range texts {
			if other == text {
				b.WriteString(" " + s.modes[j].name)
			}
		}
		b.WriteString("\n" + text)
	}
	return b.String()
}

// outcome is what became of an answer.
type outcome struct {
	answers []string
	// reused: the connection to the peer served another request.
	reused bool
}

func (o *outcome) text(said []string) string {
	var b strings.Builder
	for _, a := range o.answers {
		b.WriteString("        < " + a + "\n")
	}
	for _, line := range said {
		b.WriteString("        | " + line + "\n")
	}
	if o.reused {
		b.WriteString("        = the connection is used again\n")
	}
	return b.String()
}

var complaint = regexp.MustCompile(`^[^\[]*\[(warn|error|crit|alert)\] \d+#\d+: \*\d+ (.*?), client: .*, request: "[A-Z]+ (\S+) `)

// prefix is the one of the server's files.
var prefix = regexp.MustCompile(`"/[^"]*/spec\d+/`)

// complaints are the lines of a log, by the path of the request.
func complaints(text string) map[string][]string {
	said := make(map[string][]string)
	for line := range strings.Lines(text) {
		if m := complaint.FindStringSubmatch(line); m != nil {
			// Which it is depends on how soon the peer ends.
			what := strings.Replace(m[2], "while sending to client", "while reading upstream", 1)
			what = prefix.ReplaceAllString(what, `"`)
			said[m[3]] = append(said[m[3]], m[1]+": "+printable(what))
		}
	}
	return said
}

// try asks for an odd answer, and then for a fine one.
func (s *speech) try(t *testing.T, server *spec.Server, p *badPeer, folder string, o *odd) (got outcome) {
	path := "/" + folder + "/odd/" + o.name + "/"
	times := 1
	if folder == "cache" {
		times = 2
	}
	for range times {
		got.answers = append(got.answers, seen(exchange(t, server.Addr(8080), cmp.Or(o.method, "GET"), path)))
	}
	if o.then != stalls {
		if got := exchange(t, server.Addr(8080), "GET", "/"+folder+"/odd/fine-"+o.name+"/"); !strings.Contains(got, "fine") {
			t.Errorf("%s: behind %s came %q", folder, o.name, got)
		}
		got.reused = p.conn("fine-"+o.name) == p.conn(o.name)
	}
	return got
}

// say is what a peer answers to a request.
func (s *speech) say(name string) (string, ending, bool) {
	for i := range s.odd {
		if o := &s.odd[i]; o.name == name {
			return o.bytes, o.then, o.slow
		}
	}
	return s.fine, waits, false
}

var (
	ownPage   = regexp.MustCompile(`(?s)^HTTP/1\.1 (\d+ [^\r]*)\r\n.*\r\n\r\n<html>.*<hr><center>.*</html>\r\n$`)
	ownFields = regexp.MustCompile(`(?:Server: |Date: |Connection: close|Last-Modified: |Content-Type: text/plain\r).*\n`)
)

// seen is what a client got, without what is so in all responses.
func seen(s string) string {
	if m := ownPage.FindStringSubmatch(s); m != nil {
		return "the page " + m[1]
	}
	head, body, found := strings.Cut(s, "\r\n\r\n")
	if !found || !strings.HasPrefix(s, "HTTP/1.1 ") {
		return printable(s)
	}
	head = ownFields.ReplaceAllString(head+"\r\n", "")
	text := printable(head)
	if strings.Contains(head, "Transfer-Encoding: chunked\r\n") {
		data, whole := "", false
		for {
			size, rest, _ := strings.Cut(body, "\r\n")
			n, err := strconv.ParseInt(size, 16, 32)
			if whole = err == nil && n == 0; err != nil || n == 0 {
				body = rest
				break
			}
			data, body = data+rest[:min(int(n), len(rest))], rest[min(int(n)+2, len(rest)):]
		}
		text += " " + printable(data)
		if !whole {
			return text + " cut off"
		}
		if body != "\r\n" {
			text += " " + printable(body)
		}
		return text
	}
	return text + " " + printable(body)
}

// printable quotes a text, the most of a long one left out.
func printable(s string) string {
	const most = 300
	if len(s) > most {
		return fmt.Sprintf("%q… %d bytes, %08x", s[:most/4], len(s), crc32.ChecksumIEEE([]byte(s)))
	}
	return strconv.Quote(s)
}

func readOutcomes(t *testing.T, file string) map[string]string {
	t.Helper()
	list := make(map[string]string)
	text, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	name := ""
	for line := range strings.Lines(string(text)) {
		if line[0] != ' ' {
			name = strings.TrimSpace(line)
		} else {
			list[name] += line
		}
	}
	return list
}

func writeOutcomes(t *testing.T, file string, order []odd, list map[string]string) {
	t.Helper()
	var b strings.Builder
	for _, o := range order {
		b.WriteString(o.name + "\n" + list[o.name])
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
