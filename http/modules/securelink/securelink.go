// Package securelink checks links that carry a hash of what they allow: nginx's
// ngx_http_secure_link_module.
package securelink

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
)

// locConf is what a location takes for a link: with link and md5, or, in the
// older way, with secret.
type locConf struct {
	link, md5 *http.Complex
	secret    conf.Opt[string]
}

// state is what a request keeps: when the link expires, as the link says it.
type state struct{ expires string }

var (
	slot = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}
	ctx  http.Ctx[state]
)

// Module is the secure_link module.
var Module = &http.Module{
	Module: conf.Module{
		Name:      "http_secure_link",
		Arguments: []string{"--with-http_secure_link_module"},
		Slots:     []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Custom("secure_link", conf.HTTPAny, conf.Take1, func(cf *conf.Conf, c *locConf) error {
				return compile(cf, &c.link)
			}),
			slot.Custom("secure_link_md5", conf.HTTPAny, conf.Take1, func(cf *conf.Conf, c *locConf) error {
				return compile(cf, &c.md5)
			}),
			slot.Custom("secure_link_secret", conf.HTTPAny, conf.Take1, func(cf *conf.Conf, c *locConf) error {
				if c.secret.Set {
					return conf.ErrDuplicate
				}
				c.secret.Put(cf.Args[0])
				return nil
			}),
		},
	},
	Ctx: []http.AnyCtx{&ctx},
	Variables: []http.Variable{
		{Name: "secure_link", Get: secureLink},
		{Name: "secure_link_expires", Get: expires},
	},
}

func compile(cf *conf.Conf, field **http.Complex) (err error) {
	if *field != nil {
		return conf.ErrDuplicate
	}
	*field, err = http.CompileArg(cf, cf.Args[0])
	return err
}

func merge(cf *conf.Conf, outer, c *locConf) error {
	if c.secret.Set {
		if c.link != nil || c.md5 != nil {
			return cf.Errorf(`"secure_link_secret" cannot be mixed with "secure_link" and "secure_link_md5"`)
		}
		return nil
	}
	if c.link == nil {
		c.link = outer.link
	}
	if c.md5 == nil {
		c.md5 = outer.md5
	}
	if c.link == nil && c.md5 == nil {
		c.secret = outer.secret
	}
	return nil
}

// maxHash is the longest MD5 sum in base64, with padding.
const maxHash = 24

// secureLink is the getter of $secure_link: "1" for a good link, "0" for one
// that has expired.
func secureLink(r *http.Request, _ any) http.Value {
	c := slot.Of(r.Scope)
	if c.secret.Set {
		return c.oldLink(r)
	}
	if c.link == nil || c.md5 == nil {
		return http.Value{}
	}
	sum, until, found := strings.Cut(c.link.Eval(r), ",")
	limit := int64(0)
	if found {
		var ok bool
		if limit, ok = conf.ParseInt(until); !ok || limit == 0 {
			return http.Value{}
		}
		ctx.Set(r, &state{until})
	}
	if len(sum) > maxHash {
		return http.Value{}
	}
	sum, _, _ = strings.Cut(sum, "=")
	var got [maxHash]byte
	n, err := base64.RawURLEncoding.Decode(got[:], buf.Bytes(sum))
	if err != nil {
		return http.Value{}
	}
	want := md5.Sum(buf.Bytes(c.md5.Eval(r)))
	if subtle.ConstantTimeCompare(got[:n], want[:]) == 0 {
		return http.Value{}
	}
	if limit != 0 && limit < r.Loop().Now().Unix() {
		return http.Val("0")
	}
	return http.Val("1")
}

// oldLink is $secure_link where secure_link_secret is given: the URI is
// /prefix/hash/link, and the value is the link if the hash is that of link and
// secret.
func (c *locConf) oldLink(r *http.Request) http.Value {
	_, rest, ok := strings.Cut(r.UnparsedURI[min(1, len(r.UnparsedURI)):], "/")
	sum, link, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || link == "" || len(sum) != 2*md5.Size {
		return http.Value{}
	}
	var got [md5.Size]byte
	if _, err := hex.Decode(got[:], buf.Bytes(sum)); err != nil {
		return http.Value{}
	}
	want := md5.Sum(buf.Bytes(r.Pool.Concat(link, c.secret.V)))
	if subtle.ConstantTimeCompare(got[:], want[:]) == 0 {
		return http.Value{}
	}
	return http.Val(link)
}

// expires is the getter of $secure_link_expires, which has a value once
// $secure_link was used.
func expires(r *http.Request, _ any) http.Value {
	if s := ctx.Of(r); s != nil {
		return http.Val(s.expires)
	}
	return http.Value{}
}
