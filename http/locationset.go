package http

import (
	"bytes"
	"strings"

	"moongate/conf"
)

// locationSet are the locations directly inside a server or location: first
// the blocks as they come, after build the structures that requests are routed
// with. It also holds "if" and limit_except blocks, which have configuration
// to inherit but no URI to match.
type locationSet struct {
	children []child

	static *prefixNode
	// regexes in the order of the configuration.
	regexes []*LocConf
}

// child is a block with the place that complaints about it name.
type child struct {
	loc  *LocConf
	file string
	line int
}

// add enters a block that is about to be read.
func (s *locationSet) add(cf *conf.Conf, l *LocConf) {
	file, line := cf.Place()
	s.children = append(s.children, child{l, file, line})
}

// each calls f with the scopes of the blocks in the order of the configuration.
func (s *locationSet) each(f func(*conf.Scope) error) error {
	for _, c := range s.children {
		if err := f(c.loc.scope); err != nil {
			return err
		}
	}
	return nil
}

// build prepares the look-up of a server's locations and, inside them, of
// theirs; named locations go to the server. It is called once the blocks are
// merged: nginx's ngx_http_init_locations and
// ngx_http_init_static_location_trees.
func (s *locationSet) build(cf *conf.Conf, server *ServerConf) error {
	for _, c := range s.children {
		if err := c.loc.locations.build(cf, server); err != nil {
			return err
		}
		switch l := c.loc; {
		case l.NoName:
		case l.Regex != nil:
			s.regexes = append(s.regexes, l)
		case l.Named:
			if server.named == nil {
				server.named = make(map[string]*conf.Scope)
			}
			if _, ok := server.named[l.Name]; !ok {
				server.named[l.Name] = l.scope
			}
		default:
			if s.static == nil {
				s.static = &prefixNode{}
			}
			if !s.static.insert(l.Name, l) {
				return &conf.Error{Msg: `duplicate location "` + l.Name + `"`, File: c.file, Line: c.line}
			}
		}
	}
	return nil
}

// prefixNode is a node of a radix tree over the names of locations. A node's
// name is the concatenation of the labels on the way to it.
type prefixNode struct {
	label string
	// exact is the location of "location = name", prefix that of "location
	// name"; either or both may be missing.
	exact, prefix *LocConf
	// first has the first bytes of the children's labels, in no order.
	first    []byte
	children []*prefixNode
}

// child returns the child whose label begins with c.
func (n *prefixNode) child(c byte) *prefixNode {
	if i := bytes.IndexByte(n.first, c); i >= 0 {
		return n.children[i]
	}
	return nil
}

// insert adds a location; it reports false when there is one already.
func (n *prefixNode) insert(name string, l *LocConf) bool {
	for name != "" {
		c := n.child(name[0])
		if c == nil {
			c = &prefixNode{label: name}
			n.first = append(n.first, name[0])
			n.children = append(n.children, c)
			n, name = c, ""
			break
		}
		common := commonPrefix(c.label, name)
		if common < len(c.label) {
			c.split(common)
		}
		n, name = c, name[common:]
	}
	at := &n.prefix
	if l.Exact {
		at = &n.exact
	}
	if *at != nil {
		return false
	}
	*at = l
	return true
}

// split cuts the label at i and hands what the node had to a new child.
func (n *prefixNode) split(i int) {
	rest := *n
	rest.label = n.label[i:]
	*n = prefixNode{label: n.label[:i], first: []byte{rest.label[0]}, children: []*prefixNode{&rest}}
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// matched is how a location without regular expression was found.
type matched int

const (
	matchNone     matched = iota
	matchPrefix           // the longest prefix
	matchExact            // the whole URI, by "location ="
	matchRedirect         // the URI lacks only the slash that ends the name
)

// find looks a URI up: an exact match wins over everything, a location that
// wants "/dir" redirected to "/dir/" over shorter prefixes.
func (n *prefixNode) find(uri string) (best *LocConf, how matched) {
	if n == nil {
		return nil, matchNone
	}
	for {
		if uri == "" {
			return n.end(best, how)
		}
		if n.prefix != nil {
			best, how = n.prefix, matchPrefix
		}
		c := n.child(uri[0])
		if c == nil {
			return best, how
		}
		if !strings.HasPrefix(uri, c.label) {
			if len(c.label) == len(uri)+1 && strings.HasPrefix(c.label, uri) {
				return c.redirect(best, how)
			}
			return best, how
		}
		uri, n = uri[len(c.label):], c
	}
}

// end decides at the node that the URI ends at.
func (n *prefixNode) end(best *LocConf, how matched) (*LocConf, matched) {
	switch {
	case n.exact != nil:
		return n.exact, matchExact
	case n.prefix != nil:
		return n.prefix, matchPrefix
	}
	for _, c := range n.children {
		if len(c.label) == 1 {
			if l, h := c.redirect(best, how); h == matchRedirect {
				return l, h
			}
		}
	}
	return best, how
}

// redirect decides at a node whose name is one byte longer than the URI.
func (n *prefixNode) redirect(best *LocConf, how matched) (*LocConf, matched) {
	auto := n.exact != nil && n.exact.AutoRedirect || n.prefix != nil && n.prefix.AutoRedirect
	switch {
	case !auto:
		return best, how
	case n.exact != nil:
		return n.exact, matchRedirect
	}
	return n.prefix, matchRedirect
}
