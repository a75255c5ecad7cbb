package tls

import (
	gotls "crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// Command applies a command of OpenSSL's configuration (SSL_CONF_cmd(3),
// ssl_conf_command), which may name files that read knows. ignored reports one
// that is valid but means nothing to crypto/tls.
func (ctx *Context) Command(read Reader, name, value string) (ignored bool, err error) {
	bad := &Error{What: fmt.Sprintf(`SSL_CONF_cmd("%s", "%s") failed`, name, value),
		Queue: []string{"0A000180:SSL routines::bad value:cmd=" + name + ", value=" + value}}
	switch strings.ToLower(name) {
	case "minprotocol", "maxprotocol":
		id, ok := protocolID(value)
		if !ok {
			return false, bad
		}
		if strings.EqualFold(name, "MinProtocol") {
			ctx.config.MinVersion = max(id, gotls.VersionTLS10)
		} else if id != 0 {
			ctx.config.MaxVersion = id
		}
		return false, nil
	case "protocol":
		return false, ctx.commandProtocols(value, bad)
	case "cipherstring":
		if _, err := ctx.SetCiphers(value, ctx.preferServer); err != nil {
			return false, bad
		}
		return false, nil
	case "curves", "groups":
		if _, err := ctx.SetCurves(value); err != nil {
			return false, bad
		}
		return false, nil
	case "certificate":
		chain, err := LoadCertificate(read, value)
		if err != nil {
			return false, Prefixed(err, "%s: ", bad.What)
		}
		ctx.pairs.SetChain(chain)
		return false, nil
	case "privatekey":
		key, _, err := LoadKey(read, value, nil)
		if err != nil {
			return false, Prefixed(err, "%s: ", bad.What)
		}
		if !ctx.pairs.SetKey(key) {
			return false, bad
		}
		return false, nil
	case "options":
		return ctx.commandOptions(value, bad)
	case "ciphersuites", "signaturealgorithms", "clientsignaturealgorithms", "dhparameters", "ecdhparameters", "recordpadding",
		"numtickets", "txcertificatecompression", "rxcertificatecompression", "serverinfofile",
		"chaincafile", "chaincapath", "verifycafile", "verifycapath", "requestcafile", "requestcapath", "clientcafile", "clientcapath":
		return true, nil
	case "verifymode":
		return ctx.commandVerify(value, bad)
	}
	return false, &Error{What: bad.What, Queue: []string{"0A000182:SSL routines::unknown cmd name:cmd=" + name}}
}

// commandVerify applies the verification of a server's certificates; with
// clients it means nothing, as nginx decides about them.
func (ctx *Context) commandVerify(list string, bad error) (ignored bool, err error) {
	for _, word := range strings.Split(list, ",") {
		switch strings.ToLower(word) {
		case "peer":
			ctx.verify.strict = true
		case "request", "require", "once", "requestpostauth", "requirepostauth":
			ignored = true
		default:
			return false, bad
		}
	}
	return ignored, nil
}

// protocolID reads the name of a version; "None" is 0.
func protocolID(s string) (uint16, bool) {
	for _, v := range versions {
		if strings.EqualFold(v.name, s) {
			return v.id, true
		}
	}
	return 0, strings.EqualFold(s, "None") || strings.EqualFold(s, "SSLv3")
}

// commandProtocols applies a list of versions, to be removed with "-".
func (ctx *Context) commandProtocols(list string, bad error) error {
	cfg := ctx.config
	on := make(map[uint16]bool)
	for _, v := range versions {
		on[v.id] = cfg.MinVersion <= v.id && v.id <= cfg.MaxVersion
	}
	for _, word := range strings.Split(list, ",") {
		name := strings.TrimLeft(word, "+-")
		id, ok := protocolID(name)
		switch {
		case strings.EqualFold(name, "ALL"):
			for _, v := range versions {
				on[v.id] = !strings.HasPrefix(word, "-")
			}
		case !ok:
			return bad
		default:
			on[id] = !strings.HasPrefix(word, "-")
		}
	}
	cfg.MinVersion, cfg.MaxVersion = 0, 0
	for _, v := range versions {
		if on[v.id] {
			if cfg.MinVersion == 0 {
				cfg.MinVersion = v.id
			}
			cfg.MaxVersion = v.id
		}
	}
	if cfg.MaxVersion == 0 {
		return bad
	}
	return nil
}

// otherOptions are the options that mean nothing here.
var otherOptions = []string{"bugs", "compression", "ecdhsingle", "dhsingle", "norenegotiation", "noresumptiononrenegotiation",
	"unsaferenegotiation", "unsafelegacyrenegotiation", "unsafelegacyserverconnect", "encryptthenmac", "prioritizechacha",
	"allownodhekex", "middleboxcompat", "antireplay", "extendedmastersecret", "canames", "ktls", "strictcertcheck",
	"txcertificatecompression", "rxcertificatecompression", "emptyfragments", "ignoreunexpectedeof"}

// commandOptions applies a list of options, to be turned off with "-".
func (ctx *Context) commandOptions(list string, bad error) (ignored bool, err error) {
	for _, word := range strings.Split(list, ",") {
		name, off := strings.CutPrefix(strings.TrimPrefix(word, "+"), "-")
		switch lower := strings.ToLower(name); {
		case lower == "serverpreference":
			ctx.preferServer = !off
		case lower == "sessionticket":
			ctx.config.SessionTicketsDisabled = off
		case slices.Contains(otherOptions, lower):
			ignored = true
		default:
			return false, bad
		}
	}
	return ignored, nil
}
