package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: USER_HZ is 100 on every Linux that Moongate runs on.
const tick = 10 * time.Millisecond

// cpu is processor time.
type cpu struct{ user, system time.Duration }

func (a cpu) sub(b cpu) cpu { return cpu{a.user - b.user, a.system - b.system} }

func (a cpu) total() time.Duration { return a.user + a.system }

// processes returns the master and its workers.
func (s *running) processes() []int {
	master := s.cmd.Process.Pid
	return append([]int{master}, s.workers()...)
}

// workers returns the children of the master.
func (s *running) workers() []int {
	master := s.cmd.Process.Pid
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", master))
	if err != nil {
		return nil
	}
	var pids []int
	for _, task := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", master, task.Name()))
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// cpu returns the processor time of the master and its workers so far, all threads included (proc(5), utime, stime).
func (s *running) cpu() (cpu, error) {
	var sum cpu
	for _, pid := range s.processes() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return sum, err
		}
		// The second field, the name, may contain spaces; the third follows its last parenthesis.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 13 {
			return sum, fmt.Errorf("process %d: short stat line", pid)
		}
		user, err1 := strconv.Atoi(fields[11])
		system, err2 := strconv.Atoi(fields[12])
		if err1 != nil || err2 != nil {
			return sum, fmt.Errorf("process %d: bad stat line", pid)
		}
		sum.user += time.Duration(user) * tick
		sum.system += time.Duration(system) * tick
	}
	return sum, nil
}

// rss returns the resident memory of the workers in bytes.
func (s *running) rss() (int64, error) {
	var sum int64
	for _, pid := range s.workers() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			return 0, err
		}
		fields := strings.Fields(string(text))
		pages, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += pages * int64(os.Getpagesize())
	}
	return sum, nil
}

// usage is what a server has taken at one moment: cpu and rss.
type usage struct {
	rss int64
	cpu cpu
}

func (s *running) usage() (u usage, err error) {
	if u.rss, err = s.rss(); err != nil {
		return u, err
	}
	u.cpu, err = s.cpu()
	return u, err
}

// descriptors returns how many descriptors the workers have open.
func (s *running) descriptors() (n int) {
	for _, pid := range s.workers() {
		list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		n += len(list)
	}
	return n
}
