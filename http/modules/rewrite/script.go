package rewrite

import (
	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// script is a list of statements.
type script []statement

// statement is a compiled directive.
type statement interface {
	run(r *http.Request, st state) state
}

// state is what statements hand on to each other: the flags of nginx's
// ngx_http_script_engine_t.
type state struct {
	// quote: captures in values are escaped if the URI had escapes, which is so
	// until a first rewrite took place.
	quote bool
	log   bool // rewrite_log
	// stop: the script ends, with verdict.
	stop    bool
	verdict http.Verdict
}

// end ends the script.
func (st state) end(v http.Verdict) state {
	st.stop, st.verdict = true, v
	return st
}

func (s script) run(r *http.Request, st state) state {
	for _, c := range s {
		if st = c.run(r, st); st.stop {
			break
		}
	}
	return st
}

// logs reports whether rewrite_log's notices are wanted.
func (st state) logs(r *http.Request) bool { return st.log || r.Log.Enabled(log.DebugHTTP) }

// match runs a regular expression and says so; an error of it ends the script.
func (st state) match(r *http.Request, re *http.Regex, name, s string) (matched bool, _ state) {
	matched, err := re.Exec(r, s)
	switch {
	case err != nil:
		r.Logf(log.Alert, nil, "%s", err)
		return false, st.end(http.StatusInternalServerError)
	case matched:
		if st.logs(r) {
			r.Logf(log.Notice, nil, `"%s" matches "%s"`, name, s)
		}
	default:
		if st.logs(r) {
			r.Logf(log.Notice, nil, `"%s" does not match "%s"`, name, s)
		}
		r.Captures = r.Captures[:0]
	}
	return matched, st
}

// breakStatement is "break".
type breakStatement struct{}

func (breakStatement) run(r *http.Request, st state) state {
	if r.URIChanged {
		r.URIChanged, r.ValidLocation = false, false
	}
	return st.end(http.Declined)
}

// returnStatement is "return".
type returnStatement struct {
	status http.Verdict
	text   *http.Complex
	bare   bool // an error status without a text: the error page answers
}

func (s *returnStatement) run(r *http.Request, st state) state {
	if s.bare {
		return st.end(s.status)
	}
	// The text may have $status in it.
	r.Out.Status = int(s.status)
	// Before the text, which may tell the length of a chunked body.
	if v := r.DiscardBody(); v != http.OK {
		return st.end(v)
	}
	return st.end(r.Respond(s.status, "", s.text.Eval(r)))
}

// setStatement is "set".
type setStatement struct {
	variable *http.Variable
	value    template
}

func (s *setStatement) run(r *http.Request, st state) state {
	s.variable.Assign(r, http.Val(s.value.eval(r, st.quote)))
	return st
}

// computedStatement assigns what a function of another module makes of values.
type computedStatement struct {
	variable *http.Variable
	values   []template
	compute  http.SetFunc
}

func (s *computedStatement) run(r *http.Request, st state) state {
	var few [4]string
	values := few[:0]
	for _, t := range s.values {
		values = append(values, t.eval(r, st.quote))
	}
	value, ok := s.compute(r, values)
	if !ok {
		return st.end(http.StatusInternalServerError)
	}
	s.variable.Assign(r, http.Val(value))
	return st
}

// ifStatement is "if".
type ifStatement struct {
	condition condition
	scope     *conf.Scope // nil at server level
	body      script
}

func (s *ifStatement) run(r *http.Request, st state) state {
	yes, st := s.condition.test(r, st)
	if st.stop || !yes {
		return st
	}
	if s.scope != nil {
		r.EnterScope(s.scope)
	}
	return s.body.run(r, st)
}

// rewriteStatement is "rewrite".
type rewriteStatement struct {
	regex *http.Regex
	name  string
	// path is the new URI or, for a redirect, the URL with its arguments.
	path, args template
	hasArgs    bool         // the replacement has arguments
	addArgs    bool         // the request's arguments are kept
	status     http.Verdict // of a redirect, 0 for none
	last       bool         // the script ends
	stay       bool         // flag "break": no other location is looked for
}

func (s *rewriteStatement) run(r *http.Request, st state) state {
	yes, st := st.match(r, s.regex, s.name, r.URI)
	if st.stop || !yes {
		return st
	}
	r.Internal, r.ValidUnparsed = true, false
	if s.stay {
		r.ValidLocation, r.URIChanged = false, false
	} else {
		r.URIChanged = true
	}
	st.quote = false
	if s.status != 0 {
		return s.redirect(r, st)
	}
	uri := s.path.eval(r, false)
	switch args := s.args.eval(r, true); {
	case !s.hasArgs:
		if !s.addArgs {
			r.Args = ""
		}
	case s.addArgs && r.Args != "":
		r.Args = r.Pool.Concat(args, "&", r.Args)
	default:
		r.Args = args
	}
	if st.logs(r) {
		r.Logf(log.Notice, nil, `rewritten data: "%s", args: "%s"`, uri, r.Args)
	}
	r.SetURI(uri)
	switch {
	case uri == "":
		r.Error("the rewritten URI has a zero length")
		return st.end(http.StatusInternalServerError)
	case s.last:
		return st.end(http.Declined)
	}
	return st
}

// redirect ends the script with the target in Location.
func (s *rewriteStatement) redirect(r *http.Request, st state) state {
	url := unescape(r, s.path.eval(r, true))
	if s.addArgs && r.Args != "" {
		sep := "?"
		if s.hasArgs {
			sep = "&"
		}
		url = r.Pool.Concat(url, sep, r.Args)
	}
	if st.logs(r) {
		r.Logf(log.Notice, nil, `rewritten redirect: "%s"`, url)
	}
	r.Out.Delete("Location")
	r.Out.Add("Location", url)
	return st.end(s.status)
}

// unescape decodes what may stand undecoded in the Location of a redirect.
func unescape(r *http.Request, s string) string {
	decoded, rest := wire.Unescape(r.Pool.Alloc(len(s))[:0], buf.Bytes(s), wire.UnescapeRedirect)
	return buf.String(append(decoded, rest...))
}
