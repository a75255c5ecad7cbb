package shm

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

// childEnv makes the test binary run one of the children below instead of the
// tests; the zone is descriptor 3.
const childEnv = "MOONGATE_SHM_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		z, err := Open("test", 3)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		children[name](z)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const childRounds = 20_000

var children = map[string]func(*Zone){
	// count adds to a plain integer under the lock.
	"count": func(z *Zone) {
		n := At[int64](z, z.Root())
		for range childRounds {
			z.Lock()
			*n++
			z.Unlock()
		}
	},
	"churn": churn,
	// churnForever is killed by its parent at any point.
	"churnForever": func(z *Zone) {
		z.OnReset(func() { z.SetRoot(z.Alloc(8)) })
		fmt.Println("running")
		for {
			churn(z)
		}
	},
	// hold is killed with the lock held, the structure being sound.
	"hold": func(z *Zone) {
		z.Lock()
		fmt.Println("locked")
		time.Sleep(time.Hour)
	},
	// tear is killed in the midst of a change.
	"tear": func(z *Zone) {
		z.Lock()
		z.Begin()
		z.Table(0).hdr.root = 1 << 30
		fmt.Println("locked")
		time.Sleep(time.Hour)
	},
}

// churn inserts and deletes entries of its own.
func churn(z *Zone) {
	tab := z.Table(0)
	for i := range childRounds {
		key := fmt.Sprintf("%d-%d", os.Getpid(), i%100)
		z.Lock()
		if p := tab.LookupString(key); p != 0 {
			tab.Delete(p)
		} else if tab.InsertString(key, i%500, 0) == 0 {
			tab.Delete(tab.Oldest())
		}
		z.Unlock()
	}
}

type child struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

func start(t testing.TB, z *Zone, name string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.ExtraFiles = []*os.File{dupFile(t, z.Fd())}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &child{cmd, bufio.NewReader(out)}
}

func dupFile(t testing.TB, fd int) *os.File {
	t.Helper()
	f, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(fd), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// ready waits until the child has written a line.
func (c *child) ready(t testing.TB) {
	t.Helper()
	if _, err := c.out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
}

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

func (c *child) wait(t testing.TB) {
	t.Helper()
	io.Copy(io.Discard, c.out)
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestLockExcludesProcesses(t *testing.T) {
	z := newZone(t, MinSize)
	z.SetRoot(z.Calloc(8))
	var running []*child
	for range 3 {
		running = append(running, start(t, z, "count"))
	}
	var wg sync.WaitGroup
	for range 2 { // goroutines of one process exclude each other too
		wg.Go(func() { children["count"](z) })
	}
	wg.Wait()
	for _, c := range running {
		c.wait(t)
	}
	if got := *At[int64](z, z.Root()); got != 5*childRounds {
		t.Errorf("counted %d, want %d", got, 5*childRounds)
	}
}

func TestTableOfProcesses(t *testing.T) {
	z := newZone(t, MinSize)
	running := []*child{start(t, z, "churn"), start(t, z, "churn")}
	churn(z)
	for _, c := range running {
		c.wait(t)
	}
	checkTree(t, z.Table(0))
	checkSlab(t, z)
}

// within fails the test when f takes longer than d.
func within(t *testing.T, d time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(d):
		t.Fatalf("still waiting after %v", d)
	}
}

func TestForceUnlock(t *testing.T) {
	z := newZone(t, MinSize)
	z.Table(0).InsertString("kept", 0, 0)
	c := start(t, z, "hold")
	c.ready(t)
	if z.TryLock() {
		t.Fatal("took a lock that is held")
	}
	if z.ForceUnlock(os.Getpid()) || z.ForceUnlock(0) {
		t.Fatal("forced the lock of another process")
	}
	c.kill()
	if !z.ForceUnlock(c.cmd.Process.Pid) {
		t.Fatal("the killed process did not hold the lock")
	}
	if z.ForceUnlock(c.cmd.Process.Pid) {
		t.Fatal("forced a free lock")
	}
	z.Lock()
	defer z.Unlock()
	if z.Generation() != 0 || z.Table(0).LookupString("kept") == 0 {
		t.Error("a sound zone was reset")
	}
}

func TestWaiterTakesOver(t *testing.T) {
	z := newZone(t, MinSize)
	c := start(t, z, "hold")
	c.ready(t)
	c.kill()
	within(t, 5*time.Second, func() { z.Lock() })
	z.Unlock()
}

func TestTornZoneIsReset(t *testing.T) {
	z := newZone(t, MinSize)
	tab := z.Table(0)
	tab.InsertString("lost", 0, 0)
	resets := 0
	z.OnReset(func() {
		resets++
		z.SetRoot(z.Alloc(8))
	})
	c := start(t, z, "tear")
	c.ready(t)
	c.kill()
	if !z.ForceUnlock(c.cmd.Process.Pid) {
		t.Fatal("the killed process did not hold the lock")
	}
	if !z.TryLock() {
		t.Fatal("the lock is held")
	}
	defer z.Unlock()
	if resets != 1 || z.Generation() != 1 || z.Root() == 0 {
		t.Errorf("%d resets, generation %d, root %#x", resets, z.Generation(), z.Root())
	}
	if tab.Len() != 0 || tab.LookupString("lost") != 0 || tab.InsertString("new", 0, 0) == 0 {
		t.Error("the table is not a new one")
	}
}

// TestPanicResets: a panic in the midst of a change leaves a new zone, and a
// free lock.
func TestPanicResets(t *testing.T) {
	for name, change := range map[string]func(z *Zone){
		"Free":   func(z *Zone) { z.Free(1) }, // nothing allocated
		"Alloc":  func(z *Zone) { z.hdr.slab.partial[0] = 1 << 30; z.Alloc(8) },
		"Insert": func(z *Zone) { z.hdr.table.root = 1 << 31; z.Table(0).InsertString("key", 0, 0) },
		"Delete": func(z *Zone) { z.Table(0).Delete(1 << 31) },
	} {
		z := newZone(t, MinSize)
		z.Table(0).InsertString("lost", 0, 0)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			z.Lock()
			defer z.Unlock()
			change(z)
		}()
		z.Lock()
		if z.Generation() != 1 || z.Table(0).Len() != 0 {
			t.Errorf("%s: generation %d, %d entries", name, z.Generation(), z.Table(0).Len())
		}
		z.Unlock()
	}
}

// TestKilledAtRandom kills processes while they use a zone: whatever they
// leave, the others go on with a sound one.
func TestKilledAtRandom(t *testing.T) {
	z := newZone(t, MinSize)
	z.OnReset(func() { z.SetRoot(z.Alloc(8)) })
	for range 10 {
		c := start(t, z, "churnForever")
		c.ready(t)
		churn(z)
		c.kill()
		z.ForceUnlock(c.cmd.Process.Pid)
		z.Lock()
		checkTree(t, z.Table(0))
		checkSlab(t, z)
		z.Unlock()
	}
	t.Logf("%d resets", z.Generation())
}

// TestUnlockWakes: a sleeping waiter is woken, not left to its timeout.
func TestUnlockWakes(t *testing.T) {
	var m Mutex
	m.Lock()
	got := make(chan time.Time)
	go func() {
		m.Lock()
		got <- time.Now()
		m.Unlock()
	}()
	for m.word.Load()&lockWaiters == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(lockCheck / 10)
	released := time.Now()
	m.Unlock()
	if took := (<-got).Sub(released); took > lockCheck/2 {
		t.Errorf("woken after %v", took)
	}
}

func BenchmarkLock(b *testing.B) {
	z := newZone(b, MinSize)
	var n int
	b.Run("free", func(b *testing.B) {
		for b.Loop() {
			z.Lock()
			n++
			z.Unlock()
		}
	})
	b.Run("contended", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				z.Lock()
				n++
				z.Unlock()
			}
		})
	})
}
