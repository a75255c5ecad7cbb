package differential

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"moongate/tests/spec"
)

var (
	seed  = flag.Uint64("seed", 1, "what the dice start from")
	times = flag.Int("times", 1, "how many times as many configurations")
)

func TestMain(m *testing.M) {
	flag.Parse()
	spec.Main(m)
}

// area is a part of the server.
type area struct {
	name   string
	rounds int // configurations, for each of -times
	plan   func(*dice) *plan
}

// areas are all that is compared.
var areas = []area{
	{"wire", 2, wirePlan},
	{"uri", 1, uriPlan},
	{"conditional", 1, conditionalPlan},
	{"rewrite", 3, rewritePlan},
	{"headers", 3, headersPlan},
	{"errors", 3, errorsPlan},
	{"ssi", 3, ssiPlan},
	{"sub", 3, subPlan},
	{"autoindex", 1, autoindexPlan},
	{"dav", 1, davPlan},
	{"auth", 2, authPlan},
	{"log", 1, logPlan},
}

// plan is a configuration and what it is asked.
type plan struct {
	http  string            // the text of the http block; ROOT is the folder
	files map[string]string // of the folder, or below html/ of each prefix when own is set
	own   bool              // the servers do not share the folder: they write into it
	asks  []ask
	flaws string   // log lines of nginx at [alert] that are its own flaws
	logs  []string // files of the prefix that have one line for each request, and the same ones
	raw   bool     // responses are compared as they are, with their chunks
}

// ask is what is sent over one connection.
type ask struct {
	pieces [][]byte // sent one after another, with a pause
	fin    bool     // the sending side is closed after them
}

// fileTime is the modification time of all files.
var fileTime = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

func TestDifferential(t *testing.T) {
	oracle, moongate := spec.FindBoth(t)
	for _, a := range areas {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			for i := range a.rounds * *times {
				t.Run(fmt.Sprint(i), func(t *testing.T) { a.round(t, i, oracle, moongate) })
			}
		})
	}
}

// round makes a plan and compares what the two servers answer.
func (a *area) round(t *testing.T, i int, oracle, moongate *spec.Target) {
	h := fnv.New64()
	h.Write([]byte(a.name))
	d := &dice{rand.New(rand.NewPCG(*seed<<20+uint64(i), h.Sum64()))}
	p := a.plan(d)
	shared := ""
	if !p.own {
		shared = spec.Folder(t)
		lay(t, shared, p.files)
	}
	pair := [2]*spec.Server{p.start(t, oracle, shared), p.start(t, moongate, shared)}
	var wg sync.WaitGroup
	slots := make(chan bool, 8)
	for n, q := range p.asks {
		slots <- true
		wg.Go(func() {
			defer func() { <-slots }()
			p.compare(t, pair, n, q)
		})
	}
	wg.Wait()
	for _, log := range p.logs {
		p.compareLogs(t, pair, log)
	}
	if t.Failed() {
		t.Logf("of the configuration\n%s\nand the files %q", p.http, p.files)
	}
}

// start starts one server.
func (p *plan) start(t *testing.T, target *spec.Target, folder string) *spec.Server {
	t.Helper()
	if p.own {
		folder = spec.Folder(t)
		lay(t, folder, p.files)
		if err := writable(folder); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(p.http, "ROOT", folder)
	head := "What random requests find out.\n"
	if target.Oracle && p.flaws != "" {
		head += "allows: " + p.flaws + "\n"
	}
	return spec.Serve(t, target, head+"-- http.conf --\nserver_tokens off;\n"+text)
}

// lay writes files into a folder that workers may read.
func lay(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	folders := map[string]bool{folder: true}
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		for dir := filepath.Dir(path); len(dir) > len(folder); dir = filepath.Dir(dir) {
			folders[dir] = true
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, fileTime, fileTime); err != nil {
			t.Fatal(err)
		}
	}
	for dir := range folders {
		if err := cmp.Or(os.Chmod(dir, 0o755), os.Chtimes(dir, fileTime, fileTime)); err != nil {
			t.Fatal(err)
		}
	}
}

// writable lets workers write into a folder.
func writable(folder string) error {
	return filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o777)
		}
		return err
	})
}

// attempts is how often an exchange is repeated before a difference counts: where
// a packet ends, and when a second does, is up to the machine.
const attempts = 3

func (p *plan) compare(t *testing.T, pair [2]*spec.Server, n int, q ask) {
	var want, got string
	for range attempts {
		want, got = p.answer(q, pair[0]), p.answer(q, pair[1])
		if got == want || p.flaws != "" && fails(want, got) {
			return
		}
	}
	t.Errorf("ask %d: %q, fin %v: nginx answers -, Moongate +:\n%s", n, bytes.Join(q.pieces, nil), q.fin, gocmp.Diff(want, got))
}

// fails tells whether nginx does not bring to its end what Moongate does.
func fails(want, got string) bool {
	begun, cut := strings.CutSuffix(want, cutOff)
	return want == "" || cut && strings.HasPrefix(got, begun) && !strings.HasSuffix(got, cutOff)
}

// answer is what a server answers, without what may differ.
func (p *plan) answer(q ask, s *spec.Server) string {
	said := q.send(s.Addr(8080))
	if !p.raw {
		said = decode(said)
	}
	_, port, _ := strings.Cut(s.Addr(8080), ":")
	return normal(strings.ReplaceAll(string(said), port, "PORT"))
}

// compareLogs compares the lines of a log, whose order is open, once it has one for each request.
func (p *plan) compareLogs(t *testing.T, pair [2]*spec.Server, name string) {
	var lines [2][]string
	for i, s := range pair {
		deadline := time.Now().Add(10 * time.Second)
		for len(lines[i]) < len(p.asks) && time.Now().Before(deadline) {
			text, err := s.File(name)
			if err != nil {
				t.Fatal(err)
			}
			lines[i] = slices.Compact(slices.Sorted(strings.Lines(text)))
			if len(lines[i]) < len(p.asks) {
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
	if diff := gocmp.Diff(lines[0], lines[1]); diff != "" {
		t.Errorf("%s: nginx writes -, Moongate +:\n%s", name, diff)
	}
}
