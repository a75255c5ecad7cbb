package tls

import (
	"crypto/rand"
	gotls "crypto/tls"
	"encoding/binary"
	"time"
)

// SessionStore keeps sessions by their number, for clients that are not given
// tickets (ssl_session_cache). What Put keeps may be lost at any time.
type SessionStore interface {
	// Put keeps a session until expires, in Unix seconds.
	Put(id [32]byte, session []byte, now, expires int64)
	// Get returns a copy of a session that has not expired, nil if there is none.
	Get(id []byte, now int64) []byte
	// Delete forgets a session.
	Delete(id []byte)
}

// TicketKeys are the keys that sessions leave the server with, in tickets.
type TicketKeys interface {
	// Current is the key for a new ticket whose session ends at expires.
	Current(now, expires int64) *TicketKey
	// Find returns the key of that name, nil if there is none.
	Find(name []byte, now, expires int64) *TicketKey
}

// sessions is what a context does for resumption.
type sessions struct {
	tickets TicketKeys // nil with ssl_session_tickets off
	store   SessionStore
	timeout time.Duration
	off     bool // not even by hooks
	// id tells the sessions of servers apart that share keys or a store:
	// OpenSSL's session id context.
	id [16]byte
}

// SetSessions says how sessions are resumed. Without tickets and store they are
// not, unless there are hooks. id is the session id context: sessions of another
// are refused.
func (ctx *Context) SetSessions(tickets TicketKeys, store SessionStore, timeout time.Duration, id [16]byte) {
	ctx.sessions = sessions{tickets: tickets, store: store, timeout: timeout, id: id}
	ctx.config.SessionTicketsDisabled = tickets == nil && store == nil
}

// NoSessions keeps hooks from resuming sessions (ssl_session_cache off).
func (ctx *Context) NoSessions() { ctx.sessions.off = true }

func (ctx *Context) initSessions() {
	ctx.config.SessionTicketsDisabled = true
	ctx.config.WrapSession = ctx.wrapSession
	ctx.config.UnwrapSession = ctx.unwrapSession
}

// sessionNote is what goes with a session beside what crypto/tls keeps of it.
type sessionNote struct {
	// created is when the first handshake was, in Unix seconds: resuming does
	// not make a session last longer.
	created int64
	// verify is the verdict on the client's certificate.
	verify VerifyResult
	id     [16]byte
	// number is that of a session in the store.
	number []byte
}

// noteMark begins the note among the extras of a session.
const noteMark = "mgt1"

const noteSize = len(noteMark) + 8 + 2 + 16

func (n *sessionNote) encode() []byte {
	b := append(make([]byte, 0, noteSize), noteMark...)
	b = binary.BigEndian.AppendUint64(b, uint64(n.created))
	b = binary.BigEndian.AppendUint16(b, uint16(n.verify))
	return append(b, n.id[:]...)
}

// decodeNote finds the note of a session.
func decodeNote(extra [][]byte) *sessionNote {
	for _, b := range extra {
		if len(b) != noteSize || string(b[:len(noteMark)]) != noteMark {
			continue
		}
		b = b[len(noteMark):]
		n := &sessionNote{created: int64(binary.BigEndian.Uint64(b)), verify: VerifyResult(binary.BigEndian.Uint16(b[8:]))}
		copy(n.id[:], b[10:])
		return n
	}
	return nil
}

// wrapSession implements tls.Config.WrapSession: it makes the ticket.
func (ctx *Context) wrapSession(cs gotls.ConnectionState, state *gotls.SessionState) ([]byte, error) {
	c := ctx.current
	s := &c.session.sessions
	stateful := ctx.sessions.tickets == nil || s.tickets == nil
	old := cs.Version <= gotls.VersionTLS12
	if stateful && old && c.resumed != nil && c.resumed.number != nil {
		return c.resumed.number, nil // the session stays the same
	}
	now := c.t.conn.Loop().Now().Unix()
	note := sessionNote{created: now, verify: c.verdict, id: ctx.sessions.id}
	if c.resumed != nil {
		note.created = c.resumed.created
	}
	state.Extra = append(state.Extra, note.encode())
	expires := note.created + int64(s.timeout/time.Second)
	b, err := state.Bytes()
	if err != nil {
		return nil, err
	}
	if !stateful {
		return s.tickets.Current(now, expires).seal(b), nil
	}
	// A number in place of a ticket; nobody can use it when there is no store.
	var id [32]byte
	rand.Read(id[:])
	hook := c.session.hooks.StoreSession
	if hook != nil && !s.off {
		hook(c, id[:], b)
		c.current()
	}
	if hook != nil && old {
		c.number = append(c.number[:0], id[:]...)
	} else if s.store != nil {
		s.store.Put(id, b, now, expires)
		c.number = append(c.number[:0], id[:]...)
	}
	return id[:], nil
}

// unwrapSession implements tls.Config.UnwrapSession. A ticket that is of no
// use is no error: the handshake goes on without it.
func (ctx *Context) unwrapSession(ticket []byte, cs gotls.ConnectionState) (*gotls.SessionState, error) {
	c := ctx.current
	if c.open != nil && c.open.peeked {
		return c.open.session, nil
	}
	s := &c.session.sessions
	now := c.t.conn.Loop().Now().Unix()
	var b []byte
	var number []byte
	switch hook := c.session.hooks.FetchSession; {
	case len(ticket) == 32 && hook != nil && !s.off:
		b, number = hook(c, ticket), ticket
		c.current()
		if b == nil && s.store != nil && cs.Version > gotls.VersionTLS12 {
			b = s.store.Get(ticket, now)
		}
	case len(ticket) == 32 && s.store != nil:
		b, number = s.store.Get(ticket, now), ticket
	case len(ticket) >= ticketOverhead && s.tickets != nil && ctx.sessions.tickets != nil:
		if key := s.tickets.Find(ticket[:ticketName], now, now+int64(s.timeout/time.Second)); key != nil {
			b = key.open(ticket)
		}
	}
	if b == nil {
		return nil, nil
	}
	state, note := parseState(b)
	if note == nil || note.id != ctx.sessions.id || now >= note.created+int64(s.timeout/time.Second) {
		return nil, nil
	}
	state.Extra = nil
	note.number = append([]byte(nil), number...)
	c.resumed = note
	return state, nil
}

// parseState reads a session; note is nil when it is not one.
func parseState(b []byte) (*gotls.SessionState, *sessionNote) {
	state, err := gotls.ParseSessionState(b)
	if err != nil {
		return nil, nil
	}
	return state, decodeNote(state.Extra)
}

// ValidSession reports whether b is what a StoreSession hook was given.
func ValidSession(b []byte) bool {
	_, note := parseState(b)
	return note != nil
}

// Forget removes the session of the connection from the store, so that it is
// not resumed.
func (c *Conn) Forget() {
	if s := c.session.sessions.store; s != nil {
		if c.number != nil {
			s.Delete(c.number)
		}
		if c.resumed != nil && c.resumed.number != nil {
			s.Delete(c.resumed.number)
		}
	}
}

// SessionID is the number of the session, as $ssl_session_id shows it: that in
// the store, or with TLSv1.3 one that the connection has for itself. It is
// empty where a ticket stands for the session.
func (c *Conn) SessionID() []byte {
	switch {
	case c.resumed != nil && c.resumed.number != nil:
		return c.resumed.number
	case c.number != nil:
		return c.number
	}
	cs := c.State()
	if cs.Version != gotls.VersionTLS13 {
		return nil
	}
	id, err := cs.ExportKeyingMaterial("EXPORTER-moongate-session-id", nil, 32)
	if err != nil {
		return nil
	}
	return id
}
