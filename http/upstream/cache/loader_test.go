package cache

import (
	"crypto/md5"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moongate/core/event"
	"moongate/core/process"
	"moongate/core/shm"
	"moongate/http"
)

// TestLoader: the loader makes a node for each file that may hold a response,
// leaves those that are being written, and removes the others.
func TestLoader(t *testing.T) {
	dir := t.TempDir()
	memory, err := shm.Create("test", shm.MinSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { memory.Close() })
	c := &Cache{
		path:  &http.TempPath{Path: &process.Path{Name: dir, Levels: [3]int{1, 2}}},
		cycle: new(process.Cycle), inactive: 60, loader: pace{files: 3, sleep: time.Millisecond, threshold: time.Minute},
	}
	c.zone = &process.Zone{Name: "test", Shm: memory, Data: c}
	if err := c.init(c.zone, nil); err != nil {
		t.Fatal(err)
	}
	write := func(name string, size int) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var keys [][KeyLen]byte
	for i := range byte(10) {
		key := md5.Sum([]byte{i})
		keys = append(keys, key)
		write(string(c.appendFile(nil, &key)), headerSize+int(i)*1000)
	}
	unfinished := string(c.appendFile(nil, &keys[0])) + ".0000000007"
	write(unfinished, 5)
	temp := filepath.Join(dir, "temp", "0000000001")
	write(temp, 5)
	others := []string{filepath.Join(dir, "readme"), filepath.Join(dir, strings.Repeat("x", 32)), filepath.Join(dir, strings.Repeat("a", 32))}
	write(others[0], 1000)
	write(others[1], 1000)
	write(others[2], headerSize-1)

	loop, err := event.New(event.Config{})
	if err != nil {
		t.Fatal(err)
	}
	loop.Go(func() { c.load(&process.Worker{Loop: loop}); loop.Stop() })
	if err := loop.Run(); err != nil {
		t.Fatal(err)
	}
	memory.Lock()
	defer memory.Unlock()
	sizes := int64(0)
	for i, key := range keys {
		p := c.table.Lookup(key[:])
		if p == 0 {
			t.Errorf("file %d is not known", i)
			continue
		}
		if n := c.node(p); !n.exists || n.uses != 1 {
			t.Errorf("file %d: %+v", i, n)
		}
		sizes += c.node(p).fsSize
	}
	if sh := c.shared(); sh.cold || sh.loading != 0 || sh.size != sizes || sizes < int64(len(keys)) {
		t.Errorf("the cache: %+v, files have %d blocks", sh, sizes)
	}
	for _, name := range []string{unfinished, temp} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("what is being written: %v", err)
		}
	}
	for _, name := range others {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}
