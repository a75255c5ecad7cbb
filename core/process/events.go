package process

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/cidr"
	"moongate/core/event"
	"moongate/core/log"
)

// Events is what the events block says (ngx_event_conf_t).
type Events struct {
	Connections      conf.Opt[int64] // worker_connections
	Use              conf.Opt[string]
	MultiAccept      conf.Opt[bool]
	AcceptMutex      conf.Opt[bool]
	AcceptMutexDelay conf.Opt[time.Duration]
	// DebugConnections are the networks whose connections log at debug level
	// whatever error_log says; DebugUnix is for unix domain sockets.
	DebugConnections []netip.Prefix
	DebugUnix        bool

	epollEvents, aioRequests conf.Opt[int64]
	present                  bool
}

var eventsSlot = &conf.Slot[Events]{}

// EventsModule has the events block and what stands in it (ngx_events_module,
// ngx_event_core_module, ngx_epoll_module).
var EventsModule = &conf.Module{
	Name:  "events",
	Slots: []conf.AnySlot{eventsSlot},
	Directives: []conf.Directive{
		eventsSlot.Custom("events", conf.Main, conf.NoArgs|conf.Braces, func(cf *conf.Conf, e *Events) error {
			if e.present {
				return conf.ErrDuplicate
			}
			e.present = true
			return cf.Block(conf.Events, cf.Scope)
		}),
		conf.Value(eventsSlot, "worker_connections", conf.Events, conf.Take1,
			func(e *Events) *conf.Opt[int64] { return &e.Connections }, event.DefaultConnections,
			func(cf *conf.Conf) (int64, error) {
				n, ok := conf.ParseInt(cf.Args[0])
				if !ok {
					return 0, cf.Errorf(`invalid number "%s"`, cf.Args[0])
				}
				return n, nil
			}),
		conf.Value(eventsSlot, "use", conf.Events, conf.Take1,
			func(e *Events) *conf.Opt[string] { return &e.Use }, "epoll", parseMethod),
		eventsSlot.Flag("multi_accept", conf.Events, func(e *Events) *conf.Opt[bool] { return &e.MultiAccept }, false),
		eventsSlot.Flag("accept_mutex", conf.Events, func(e *Events) *conf.Opt[bool] { return &e.AcceptMutex }, false),
		eventsSlot.Msec("accept_mutex_delay", conf.Events,
			func(e *Events) *conf.Opt[time.Duration] { return &e.AcceptMutexDelay }, event.DefaultAcceptMutexDelay),
		eventsSlot.Custom("debug_connection", conf.Events, conf.Take1, debugConnection),
		// The loop takes 512 events at a time and has no kernel AIO; both
		// directives tune the same behaviour, so the values are only checked.
		eventsSlot.Num("epoll_events", conf.Events, func(e *Events) *conf.Opt[int64] { return &e.epollEvents }, 512),
		eventsSlot.Num("worker_aio_requests", conf.Events, func(e *Events) *conf.Opt[int64] { return &e.aioRequests }, 32),
	},
}

// EventsOf returns the events configuration of a cycle.
func EventsOf(c *conf.Cycle) *Events { return eventsSlot.Of(c.Scope) }

func parseMethod(cf *conf.Conf) (string, error) {
	method := cf.Args[0]
	switch method {
	case "epoll", "poll", "select":
	default:
		return "", cf.Errorf(`invalid event type "%s"`, method)
	}
	c := Of(cf.Cycle)
	if old := c.old; old != nil && !old.Core.Master.V && old.Events.Use.V != method {
		return "", cf.Errorf(`when the server runs without a master process the "%s" event type must be the same as in previous `+
			`configuration - "%s" and it cannot be changed on the fly, to change it you need to stop server and start it again`,
			method, old.Events.Use.V)
	}
	return method, nil
}

// lookupLimit bounds the look-up of a host name in the configuration.
const lookupLimit = 30 * time.Second

func debugConnection(cf *conf.Conf, e *Events) error {
	arg := cf.Args[0]
	if arg == "unix:" {
		e.DebugUnix = true
		return nil
	}
	if p, err := netip.ParsePrefix(arg); err == nil {
		if p != p.Masked() {
			cf.Warnf("low address bits of %s are meaningless", arg)
		}
		e.DebugConnections = append(e.DebugConnections, p.Masked())
		return nil
	}
	if a, err := netip.ParseAddr(arg); err == nil {
		e.DebugConnections = append(e.DebugConnections, netip.PrefixFrom(a, a.BitLen()))
		return nil
	}
	if a, ok := cidr.ParseNumeric(arg); ok {
		e.DebugConnections = append(e.DebugConnections, netip.PrefixFrom(a, a.BitLen()))
		return nil
	}
	addrs, err := Of(cf.Cycle).Recall("addresses of "+arg, func() ([]string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
		defer cancel()
		return net.DefaultResolver.LookupHost(ctx, arg)
	})
	if err != nil {
		return cf.Errorf(`host not found in debug_connection "%s"`, arg)
	}
	for _, text := range addrs {
		if a, err := netip.ParseAddr(text); err == nil {
			a = a.Unmap()
			e.DebugConnections = append(e.DebugConnections, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return nil
}

// Debug reports whether debug_connection chooses a connection with that peer;
// the zero address stands for a unix domain socket.
func (e *Events) Debug(peer netip.Addr) bool {
	if !peer.IsValid() {
		return e.DebugUnix
	}
	peer = peer.Unmap()
	for _, p := range e.DebugConnections {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

// complete checks the block against the rest of the configuration
// (ngx_event_init_conf).
func (e *Events) complete(c *Cycle) error {
	if !e.present {
		return &conf.Error{Msg: `no "events" section in configuration`}
	}
	n := len(c.listening)
	if e.Connections.V < int64(n+1) {
		return &conf.Error{Msg: fmt.Sprintf("%d worker_connections are not enough for %d listening sockets", e.Connections.V, n)}
	}
	return nil
}

// announce logs the event method, and warns when the limit of open files is
// lower than the number of connections (ngx_event_module_init).
func (e *Events) announce(c *Cycle) {
	if !c.Conf.Test {
		c.log.Log(log.Notice, nil, `using the "%s" event method`, e.Use.V)
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		c.log.Log(log.Alert, err, "getrlimit(RLIMIT_NOFILE) failed, ignored")
		return
	}
	limit := int64(lim.Cur)
	if e.Connections.V <= limit {
		return
	}
	if own := c.Core.RlimitNofile; own.Set {
		if e.Connections.V <= own.V {
			return
		}
		limit = own.V
	}
	c.log.Log(log.Warn, nil, "%d worker_connections exceed open file resource limit: %d", e.Connections.V, limit)
}
