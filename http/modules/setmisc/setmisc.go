// Package setmisc adds to "set" what OpenResty's configurations use: quoting,
// encoding, digests, random numbers, times and choice of upstreams. It mirrors
// the third-party modules set-misc-nginx-module and, for upstream_list,
// ngx_devel_kit.
//
// The directives run in their order among those of the rewrite module.
package setmisc

import (
	"moongate/conf"
	"moongate/http"
)

// locConf is what a location has of this module.
type locConf struct {
	padding  conf.Opt[bool]
	alphabet conf.Opt[string]
	// digits tells the value of each byte of the alphabet, noDigit for others.
	digits [256]byte
	// rotated is the last number of set_rotate in this worker.
	rotated conf.Opt[int64]
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: mergeLoc}

// Module is set-misc.
var Module = &http.Module{
	Module: conf.Module{
		Name:       "http_set_misc",
		Slots:      []conf.AnySlot{slot},
		Directives: directives(),
		Arguments:  []string{"--add-module=../set-misc-nginx-module-0.34"},
		Objects:    []string{"ngx_http_set_misc_module.so"},
	},
	Preconfiguration: func(_ *conf.Conf, m *http.MainConf) error {
		for _, s := range []http.SetVars{setVars, todayVars, timeVars} {
			s.Export(m)
		}
		return nil
	},
}

// setVars are the directives of one value.
var setVars = http.SetVars{
	"set_encode_base32":          encodeBase32,
	"set_decode_base32":          decodeBase32,
	"set_encode_base64":          encodeBase64,
	"set_decode_base64":          decodeBase64,
	"set_encode_base64url":       encodeBase64URL,
	"set_decode_base64url":       decodeBase64URL,
	"set_encode_hex":             encodeHex,
	"set_decode_hex":             decodeHex,
	"set_escape_uri":             escapeURI,
	"set_unescape_uri":           unescapeURI,
	"set_quote_sql_str":          quoteSQL,
	"set_quote_pgsql_str":        quotePgSQL,
	"set_quote_json_str":         quoteJSON,
	"set_md5":                    md5Hex,
	"set_sha1":                   sha1Hex,
	"set_secure_random_alphanum": randomAlphanum,
	"set_secure_random_lcalpha":  randomLetters,
}

// todayVars take no value, timeVars a format.
var (
	todayVars = http.SetVars{"set_local_today": localToday}
	timeVars  = http.SetVars{"set_formatted_gmt_time": gmtTime, "set_formatted_local_time": localTime}
)

func directives() []conf.Directive {
	padding := func(c *locConf) *conf.Opt[bool] { return &c.padding }
	rows := append(setVars.Directives(conf.Take12), todayVars.Directives(conf.Take1)...)
	rows = append(rows, timeVars.Directives(conf.Take2)...)
	return append(rows,
		slot.Flag("set_base32_padding", http.InSet, padding, true),
		slot.Flag("set_misc_base32_padding", http.InSet, padding, true, conf.Deprecated[bool]("set_base32_padding")),
		slot.Str("set_base32_alphabet", http.InSet, func(c *locConf) *conf.Opt[string] { return &c.alphabet },
			"0123456789abcdefghijklmnopqrstuv", checkAlphabet),
		http.UpdateDirective("set_if_empty", conf.Take2, ifEmpty),
		http.UpdateDirective("set_rotate", conf.Take3, rotate),
		http.SetDirective("set_hmac_sha1", conf.Take3, hmacSHA1),
		http.SetDirective("set_hmac_sha256", conf.Take3, hmacSHA256),
		http.SetDirective("set_random", conf.Take3, random),
		conf.Command("set_hashed_upstream", http.InSet, conf.Take3, hashedUpstream),
	)
}

func ifEmpty(_ *http.Request, v []string) (string, bool) {
	if v[0] == "" {
		return v[1], true
	}
	return v[0], true
}

func checkAlphabet(cf *conf.Conf, s *string) error {
	if len(*s) != base32Size {
		return cf.Errorf(`"set_base32_alphabet" directive takes an alphabet of %d bytes but %d expected`, len(*s), base32Size)
	}
	return nil
}

func mergeLoc(_ *conf.Conf, outer, c *locConf) error {
	if outer.alphabet.V == c.alphabet.V && outer.digits != [256]byte{} {
		c.digits = outer.digits
		return nil
	}
	for i := range c.digits {
		c.digits[i] = noDigit
	}
	for i := range len(c.alphabet.V) {
		c.digits[c.alphabet.V[i]] = byte(i)
	}
	return nil
}
