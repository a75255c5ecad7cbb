package backends

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers for the zone "test" over UDP and TCP; what app.test is can
// be changed.
type nameServer struct {
	addr string

	mu     sync.Mutex
	app    [4]byte
	port   uint16
	silent bool
}

func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close(); udp.Close() })
	s := &nameServer{addr: tcp.Addr().String(), app: [4]byte{127, 0, 0, 1}}
	go func() {
		for query := make([]byte, 512); ; {
			n, from, err := udp.ReadFrom(query)
			if err != nil {
				return
			}
			if answer := s.answer(query[:n], false); answer != nil {
				_, _ = udp.WriteTo(answer, from)
			}
		}
	}()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *nameServer) serve(c net.Conn) {
	defer c.Close()
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, query); err != nil {
		return
	}
	answer := s.answer(query, true)
	_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

// become changes what app.test is, or has the server say nothing any more.
func (s *nameServer) become(app [4]byte, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app, s.silent = app, silent
}

func (s *nameServer) answer(query []byte, tcp bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 || s.silent {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	add := func(t dnsmessage.Type, body dnsmessage.ResourceBody) {
		if q.Type == t || t == dnsmessage.TypeCNAME {
			h := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1}
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: body})
		}
	}
	app := dnsmessage.MustNewName("app.test.")
	switch q.Name.String() {
	case "app.test.":
		add(dnsmessage.TypeA, &dnsmessage.AResource{A: s.app})
	case "alias.test.":
		add(dnsmessage.TypeCNAME, &dnsmessage.CNAMEResource{CNAME: app})
	case "long.test.":
		if m.Truncated = !tcp; tcp {
			add(dnsmessage.TypeA, &dnsmessage.AResource{A: s.app})
		}
	case "_http._tcp.svc.test.":
		add(dnsmessage.TypeSRV, &dnsmessage.SRVResource{Priority: 1, Weight: 1, Port: s.port, Target: app})
	default:
		m.RCode = dnsmessage.RCodeNameError
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

// TestResolve has names resolved while the server runs: those of upstream
// blocks, which follow what the name server says and outlive a reload, and
// those of variables.
func TestResolve(t *testing.T) {
	t.Parallel()
	dns := startNameServer(t)
	s := start(t, fmt.Sprintf(`Names

since: 1.27.3
-- http.conf --
resolver %s ipv6=off;
upstream named { zone named 64k; server app.test:8081 resolve; }
upstream service { zone service 64k; server svc.test service=http resolve; }
server {
    listen 127.0.0.1:8080;
    location /named { proxy_pass http://named; }
    location /service { proxy_pass http://service; }
    location /variable { proxy_pass http://$arg_name:8081; }
}
server { listen 127.0.0.1:8081; listen 127.0.0.2:8081; location / { return 200 $server_addr; } }
`, dns.addr))
	_, port, _ := net.SplitHostPort(s.Addr(8081))
	dns.mu.Lock()
	_, _ = fmt.Sscan(port, &dns.port)
	dns.mu.Unlock()

	await := func(path, want string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			a := ask(t, "GET", "http://"+s.Addr(8080)+path, nil)
			if a.StatusCode == http.StatusOK && a.body == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d %q, want %s", path, a.StatusCode, a.body, want)
			}
		}
	}
	paths := []string{"/named", "/service", "/variable?name=app.test", "/variable?name=alias.test", "/variable?name=long.test"}
	for _, path := range paths {
		await(path, "127.0.0.1")
	}
	dns.become([4]byte{127, 0, 0, 2}, false)
	for _, path := range paths {
		await(path, "127.0.0.2")
	}
	if a := ask(t, "GET", "http://"+s.Addr(8080)+"/variable?name=none.test", nil); a.StatusCode != 502 {
		t.Errorf("a name that is not there: %d", a.StatusCode)
	}
	s.Await(t, `none.test could not be resolved \(3: Host not found\)`)

	dns.become([4]byte{}, true)
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/named", "/service"} {
		ask(t, "GET", "http://"+s.Addr(8080)+path, nil).want(t, 200, "127.0.0.2")
	}
}
