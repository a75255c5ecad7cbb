package spec

import (
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// firstPort and lastPort bound the port numbers that stand for free ports of this run, wherever they occur in a spec.
const (
	firstPort = 8080
	lastPort  = 8089
)

var (
	portNumber = regexp.MustCompile(`\b808\d\b`)
	repetition = regexp.MustCompile(`%%([^%*]+)\*(\d+)%%`)
)

// expander replaces what a spec leaves open: its port numbers, the prefix and repetitions.
type expander struct {
	prefix string
	ports  map[string]string
}

// newExpander takes free ports for every port number that the texts mention.
func newExpander(prefix string, texts ...string) (*expander, error) {
	e := &expander{prefix: prefix, ports: map[string]string{}}
	for _, text := range append(texts, strconv.Itoa(firstPort)) {
		for _, number := range portNumber.FindAllString(text, -1) {
			if e.ports[number] != "" {
				continue
			}
			port, err := freePort()
			if err != nil {
				return nil, err
			}
			e.ports[number] = strconv.Itoa(port)
		}
	}
	return e, nil
}

// expand replaces %%PREFIX%%, %%text*count%% and the port numbers.
func (e *expander) expand(text string) string {
	if strings.Contains(text, "%%") {
		text = strings.ReplaceAll(text, "%%PREFIX%%", e.prefix)
		text = repetition.ReplaceAllStringFunc(text, func(m string) string {
			parts := repetition.FindStringSubmatch(m)
			count, _ := strconv.Atoi(parts[2])
			return strings.Repeat(parts[1], count)
		})
	}
	return portNumber.ReplaceAllStringFunc(text, func(number string) string {
		if port := e.ports[number]; port != "" {
			return port
		}
		return number
	})
}

// portRange is where freePort looks: below the range the kernel gives to outgoing connections.
const (
	portRangeStart = 12000
	portRangeSize  = 20000
)

var nextPort struct {
	sync.Mutex
	offset int
}

// freePort returns a port that nothing listens on, on any address; no port is given twice by one test process.
func freePort() (int, error) {
	nextPort.Lock()
	defer nextPort.Unlock()
	if nextPort.offset == 0 {
		nextPort.offset = 1 + rand.IntN(portRangeSize)
	}
	for range 1000 {
		port := portRangeStart + nextPort.offset%portRangeSize
		nextPort.offset++
		if l, err := net.Listen("tcp", ":"+strconv.Itoa(port)); err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", portRangeStart, portRangeStart+portRangeSize)
}
