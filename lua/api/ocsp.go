package api

import (
	"crypto/x509"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/tls"
	"moongate/lua/vm"
)

// ocspFuncs are the functions of ngx.ocsp. Chains are certificates in DER one after the other, the issuer second.
var ocspFuncs = []Func{
	{"get_ocsp_responder_from_der_chain", anywhere, ocspResponder},
	{"create_ocsp_request", anywhere, ocspCreate},
	{"validate_ocsp_response", anywhere, ocspValidate},
	{"set_ocsp_status_resp", anywhere, connected(ocspSet)},
}

// maxOCSPText is what lua-resty-core has room for unless the caller says otherwise.
const maxOCSPText = 4096

// chainOf reads a chain; the text is the error of one without an issuer.
func chainOf(der string) (leaf, issuer *x509.Certificate, reason string) {
	certs, err := x509.ParseCertificates([]byte(der))
	if err != nil || len(certs) == 0 {
		return nil, nil, "d2i_X509_bio() failed"
	}
	if len(certs) == 1 {
		return certs[0], nil, "no issuer certificate in chain"
	}
	return certs[0], certs[1], ""
}

// ocspResponder is get_ocsp_responder_from_der_chain(chain, max?): the URL, cut to max bytes and "truncated" then, or
// nil when the certificate names none.
func ocspResponder(_ *Ctx, l *lua.LState) int {
	limit := vm.OptInt(l, 2, maxOCSPText)
	leaf, issuer, reason := chainOf(vm.CheckString(l, 1))
	switch {
	case leaf == nil:
		return fail(l, reason)
	case len(leaf.OCSPServer) == 0:
		return ret(l, lua.LNil)
	case issuer == nil:
		return fail(l, reason)
	case !tls.IsIssuer(issuer, leaf):
		return fail(l, "issuer certificate not next to leaf")
	}
	url := leaf.OCSPServer[0]
	if len(url) <= limit {
		return retString(l, url)
	}
	l.Push(lua.LString(url[:max(limit, 0)]))
	l.Push(lua.LString("truncated"))
	return 2
}

// ocspCreate is create_ocsp_request(chain, max?).
func ocspCreate(_ *Ctx, l *lua.LState) int {
	limit := vm.OptInt(l, 2, maxOCSPText)
	leaf, issuer, reason := chainOf(vm.CheckString(l, 1))
	if reason != "" {
		return fail(l, reason)
	}
	der, err := tls.OCSPRequest(leaf, issuer)
	if err != nil {
		return fail(l, tls.Failed(err))
	}
	if len(der) > limit {
		return fail(l, "output buffer too small: "+vm.FormatNumber(float64(len(der)))+" > "+vm.FormatNumber(float64(limit)))
	}
	return ret(l, lua.LString(der))
}

// ocspValidate is validate_ocsp_response(response, chain, max?): true and when there will be news, in Unix seconds, or nil
// if the responder does not say.
func ocspValidate(c *Ctx, l *lua.LState) int {
	limit := max(vm.OptInt(l, 3, maxOCSPText), 0)
	complain := func(msg string) int { return fail(l, msg[:min(len(msg), limit)]) }
	leaf, issuer, reason := chainOf(vm.CheckString(l, 2))
	if reason != "" {
		return complain(reason)
	}
	answer, err := tls.CheckOCSP([]byte(vm.CheckString(l, 1)), leaf, issuer, false, c.now())
	if err != nil {
		return complain(tls.Failed(err))
	}
	if answer.Status != tls.OCSPGood {
		return complain(`certificate status "` + answer.Status.String() + `" in the OCSP response`)
	}
	l.Push(lua.LTrue)
	if answer.NextUpdate.IsZero() {
		l.Push(lua.LNil)
	} else {
		l.Push(lua.LNumber(answer.NextUpdate.Unix()))
	}
	return 2
}

// ocspSet is set_ocsp_status_resp(response); "no status req" is the second result when the client asked for none.
func ocspSet(_ *Ctx, l *lua.LState, t *tls.Conn) int {
	der := vm.CheckString(l, 1)
	if !t.WantsStatus() {
		l.Push(lua.LTrue)
		l.Push(lua.LString("no status req"))
		return 2
	}
	if p := t.Pairs(); p != nil {
		p.SetStaple([]byte(der))
	}
	return ret(l, lua.LTrue)
}
