// Package h2 speaks HTTP/2 with clients (RFC 9113, RFC 7541; nginx's
// ngx_http_v2.c).
//
// One fiber per connection reads frames, as long as there is something to
// read; each request runs in a fiber of its own, over a connection of its own
// (http.Conn.Fake) that stands for its stream. What streams send is gathered
// and written once all that can run have run. A connection without streams
// holds no fiber.
//
// # Limits
//
// A client may have http2_max_concurrent_streams requests running, whether it
// has cancelled them or not, and is refused twice as many new ones in one go.
// Priorities decide who sends first of those that wait. Bytes that carry neither a request nor a body,
// frames that ask for an answer while answers are not read, and header blocks
// are all bounded, and what is kept of a frame that has come in part is a few
// bytes.
package h2

import (
	"errors"

	"moongate/conf"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/wire/http2"
)

type mainConf struct {
	recvBufferSize conf.Opt[int64]
	worker         worker
}

// worker is what a worker process has of its connections.
type worker struct {
	conns   map[*conn]bool
	streams []*stream // for reuse
	fields  fieldCache
}

// keptStreams bounds the streams that are kept for reuse.
const keptStreams = 256

func workerOf(c *http.Conn) *worker {
	w := &mainSlot.Of(c.Server.Scope()).worker
	if w.conns == nil {
		w.conns = make(map[*conn]bool)
	}
	return w
}

type srvConf struct {
	enable      conf.Opt[bool]
	poolSize    conf.Opt[int64]
	streams     conf.Opt[int64]
	prereadSize conf.Opt[int64]
	indexSize   conf.Opt[int64]
}

type locConf struct {
	chunkSize conf.Opt[int64]
}

var (
	mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}
	srvSlot  = &conf.Slot[srvConf]{Level: conf.LevelServer}
	locSlot  = &conf.Slot[locConf]{Level: conf.LevelLocation}
)

const in = conf.HTTPMain | conf.HTTPServer

// Module has the http2 directives and $http2.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_v2",
		Slots: []conf.AnySlot{mainSlot, srvSlot, locSlot},
		Directives: []conf.Directive{
			srvSlot.Flag("http2", in, func(c *srvConf) *conf.Opt[bool] { return &c.enable }, false),
			mainSlot.Size("http2_recv_buffer_size", conf.HTTPMain, func(c *mainConf) *conf.Opt[int64] { return &c.recvBufferSize }, 256<<10,
				moreThanState),
			srvSlot.Size("http2_pool_size", in, func(c *srvConf) *conf.Opt[int64] { return &c.poolSize }, 4096, http.CheckPoolSize),
			srvSlot.Num("http2_max_concurrent_streams", in, func(c *srvConf) *conf.Opt[int64] { return &c.streams }, 128),
			obsolete("http2_max_concurrent_pushes", in, conf.Take1, ""),
			obsolete("http2_max_requests", in, conf.Take1, "keepalive_requests"),
			obsolete("http2_max_field_size", in, conf.Take1, "large_client_header_buffers"),
			obsolete("http2_max_header_size", in, conf.Take1, "large_client_header_buffers"),
			srvSlot.Size("http2_body_preread_size", in, func(c *srvConf) *conf.Opt[int64] { return &c.prereadSize }, 65536,
				func(cf *conf.Conf, v *int64) error {
					if *v > http2.MaxWindow {
						return cf.Errorf("the maximum body preread buffer size is %d", http2.MaxWindow)
					}
					return nil
				}),
			srvSlot.Num("http2_streams_index_size", in, func(c *srvConf) *conf.Opt[int64] { return &c.indexSize }, 32, powerOfTwo),
			obsolete("http2_recv_timeout", in, conf.Take1, "client_header_timeout"),
			obsolete("http2_idle_timeout", in, conf.Take1, "keepalive_timeout"),
			locSlot.Size("http2_chunk_size", conf.HTTPAny, func(c *locConf) *conf.Opt[int64] { return &c.chunkSize }, 8<<10,
				func(cf *conf.Conf, v *int64) error {
					switch {
					case *v == 0:
						return cf.Errorf("the http2 chunk size cannot be zero")
					case *v > 1<<24-1:
						return cf.Errorf("the maximum http2 chunk size is %d", 1<<24-1)
					}
					return nil
				}),
			obsolete("http2_push_preload", conf.HTTPAny, conf.FlagArg, ""),
			obsolete("http2_push", conf.HTTPAny, conf.Take1, ""),
		},
		Arguments: []string{"--with-http_v2_module"},
	},
	Init: func(cf *conf.Conf, m *http.MainConf) error {
		c := mainSlot.Of(cf.Scope)
		process.Of(cf.Cycle).OnQuit(func(*process.Worker) {
			for h := range c.worker.conns {
				h.quit()
			}
		})
		return nil
	},
	Variables: []http.Variable{{Name: "http2", Get: func(r *http.Request, _ any) http.Value {
		if _, ok := r.Stream.(*stream); !ok {
			return http.Value{}
		}
		if r.Conn.TLS != nil {
			return http.Val("h2")
		}
		return http.Val("h2c")
	}}},
}

// stateBuffer is NGX_HTTP_V2_STATE_BUFFER_SIZE: nginx keeps as many bytes of a
// receive buffer for what is left of the last read.
const stateBuffer = 16

func moreThanState(_ *conf.Conf, v *int64) error {
	if *v <= stateBuffer {
		return errors.New("value is too small")
	}
	return nil
}

func powerOfTwo(cf *conf.Conf, v *int64) error {
	if *v == 0 || *v&(*v-1) != 0 {
		return errors.New("must be a power of two")
	}
	return nil
}

// obsolete is a directive of earlier versions, which has no effect.
func obsolete(name string, in conf.Context, args conf.Arity, instead string) conf.Directive {
	return conf.Command(name, in, args, func(cf *conf.Conf) error {
		if instead != "" {
			cf.Warnf(`the "%s" directive is obsolete, use the "%s" directive instead`, cf.Name, instead)
		} else {
			cf.Warnf(`the "%s" directive is obsolete, ignored`, cf.Name)
		}
		return nil
	})
}

// Enabled reports whether the connection may speak HTTP/2.
func Enabled(c *http.Conn) bool { return c.Addr.HTTP2 || srvSlot.Of(c.Server.Scope()).enable.V }

// Serve speaks HTTP/2 with clients that do, and leaves others to h1.
func Serve(h1 func(c *http.Conn)) func(c *http.Conn) {
	return func(c *http.Conn) {
		switch h, _ := c.State.(*conn); {
		case h != nil:
			h.serve()
		case c.Requests == 0 && Enabled(c) && chosen(c):
			newConn(c).start()
		default:
			h1(c)
		}
	}
}

// chosen reports whether a new connection is one of HTTP/2: by ALPN, or
// without TLS by the preface.
func chosen(c *http.Conn) bool {
	if c.TLS != nil {
		p, ok := c.TLS.(interface{ Protocol() string })
		return ok && p.Protocol() == "h2"
	}
	if c.Addr.SSL {
		return false
	}
	var b [len(http2.Preface)]byte
	n, err := c.TryPeek(b[:])
	const method = 3 // no method of HTTP/1 begins with PRI
	return err == nil && n >= method && string(b[:n]) == http2.Preface[:n]
}
