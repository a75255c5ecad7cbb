// Command bench measures Moongate beside a real nginx on the same configurations, one worker each, the two driven in
// turns by wrk: processor time per request from /proc, requests per second, latency, memory, and the ratio of the two
// in the same run. README.md beside it keeps the figures that were reached.
//
//	go run ./tests/bench -moongate ./moongate [-nginx /usr/sbin/nginx] [-case lua] [-duration 4s] [-rounds 3] [-json]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// options are the command line's.
type options struct {
	moongate, nginx string
	modules         string // folder of nginx's dynamic modules
	cases           *regexp.Regexp
	duration        time.Duration
	rounds          int
	connections     int // that wrk holds
	idle            int // idle connections
	waiting, sleep  int // requests in ngx.sleep, for so many seconds
	servers         int // server blocks
	tunnels         int // idle tunnels
	clients         int // of the case failover, for so long
	failover        time.Duration
	json            bool
	profile         string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	o, err := parseFlags()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := raiseFileLimit(); err != nil {
		return err
	}
	targets := o.targets()
	if !o.json {
		fmt.Println(machine(targets))
	}
	var results []*result
	for _, c := range cases() {
		if !o.cases.MatchString(c.name) {
			continue
		}
		r, err := c.measure(ctx, o, c, targets)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		results = append(results, r)
		if !o.json {
			r.print(os.Stdout)
		}
	}
	if o.json {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"machine": machine(targets), "results": results})
	}
	printRatios(os.Stdout, results)
	return nil
}

// parseFlags reads the command line and finds the programs it needs.
func parseFlags() (*options, error) {
	o := &options{}
	var pattern string
	flag.StringVar(&o.moongate, "moongate", "./moongate", "the Moongate `binary`")
	flag.StringVar(&o.nginx, "nginx", findNginx(), "the real nginx to compare with; empty for none")
	flag.StringVar(&o.modules, "modules", env("MOONGATE_ORACLE_MODULES", "/usr/lib/nginx/modules"), "`folder` of nginx's dynamic modules")
	flag.StringVar(&pattern, "case", "", "run the cases whose name matches this `regexp`")
	flag.DurationVar(&o.duration, "duration", 4*time.Second, "of each run of wrk")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each server has its turn")
	flag.IntVar(&o.connections, "connections", 32, "that wrk holds")
	flag.IntVar(&o.waiting, "waiting", 20000, "requests in ngx.sleep of the case sleep")
	flag.IntVar(&o.sleep, "sleep", 10, "seconds that they sleep")
	flag.IntVar(&o.idle, "idle", 10000, "idle keep-alive connections of the case idle")
	flag.IntVar(&o.servers, "servers", 10000, "server blocks of the case servers")
	flag.IntVar(&o.tunnels, "tunnels", 9000, "idle tunnels of the case tunnels")
	flag.IntVar(&o.clients, "clients", 5000, "clients of the case failover")
	flag.DurationVar(&o.failover, "failover", 10*time.Second, "how long they ask")
	flag.BoolVar(&o.json, "json", false, "print JSON")
	flag.StringVar(&o.profile, "profile", "", "write a processor profile of Moongate's worker to `prefix`-CASE.prof")
	list := flag.Bool("list", false, "list the cases")
	flag.Parse()
	if *list {
		for _, c := range cases() {
			fmt.Printf("%-14s %s\n", c.name, c.title)
		}
		os.Exit(0)
	}
	var err error
	if o.cases, err = regexp.Compile(pattern); err != nil {
		return nil, err
	}
	if o.moongate, err = filepath.Abs(o.moongate); err != nil {
		return nil, err
	}
	if o.profile != "" {
		if o.profile, err = filepath.Abs(o.profile); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(o.moongate); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		return nil, fmt.Errorf("%w (Debian package wrk)", err)
	}
	return o, nil
}

// findNginx returns the path of an installed nginx, or "".
func findNginx() string {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// targets are the servers to compare, Moongate first.
func (o *options) targets() []*target {
	all := []*target{{name: "moongate", binary: o.moongate}}
	if o.nginx != "" {
		all = append(all, &target{name: "nginx", binary: o.nginx, modules: o.modules, globals: os.Getenv("MOONGATE_ORACLE_GLOBALS")})
	}
	return all
}

// raiseFileLimit allows this process, and the servers it starts, as many descriptors as the system gives it.
func raiseFileLimit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// machine describes what the figures were measured on.
func machine(targets []*target) string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(text); m != nil {
			model = string(m[1])
		}
	}
	var kernel unix.Utsname
	unix.Uname(&kernel)
	about := fmt.Sprintf("%s, %d × %s, Linux %s, %s", time.Now().Format(time.DateOnly), runtime.NumCPU(), model,
		unix.ByteSliceToString(kernel.Release[:]), runtime.Version())
	for _, t := range targets {
		about += "; " + strings.TrimPrefix(t.version(), "nginx version: ")
	}
	return about
}
