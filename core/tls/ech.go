package tls

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	gotls "crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// Encrypted ClientHello (RFC 9849): a client hides the name it asks for, and
// all else of its ClientHello, inside of another one with a public name.

// Names of a configuration's key encapsulations (RFC 9180, section 7.1).
var echCurves = map[int]ecdh.Curve{0x10: ecdh.P256(), 0x11: ecdh.P384(), 0x12: ecdh.P521(), 0x20: ecdh.X25519()}

const echVersion = 0xfe0d

var (
	errECHKey     = errors.New("bad private key")
	errECHConfig  = errors.New("bad configuration")
	errECHMissing = errors.New("no private key or no configuration")
)

// AddECH loads a file of ssl_ech_file: a private key in PKCS #8 and the
// configurations for it that are published, both in PEM (RFC 9934). The
// configurations of the first file are what clients with others are told to
// try again with; further ones are for those that know older ones still.
func (ctx *Context) AddECH(read Reader, name string) error {
	b, err := read(name)
	if err != nil {
		return openError(fmt.Sprintf(`BIO_new_file("%s") failed`, name), name, "r", err)
	}
	keys, err := parseECH(b)
	if err != nil {
		return &Error{What: fmt.Sprintf("OSSL_ECHSTORE_read_pem(%s) failed", name), Queue: []string{"0A000000:SSL routines::" + err.Error()}}
	}
	first := ctx.ech == nil
	for _, k := range keys {
		k.SendAsRetry = first
		ctx.ech = append(ctx.ech, k)
	}
	ctx.config.GetEncryptedClientHelloKeys = echKeys
	return nil
}

// echKeys implements tls.Config.GetEncryptedClientHelloKeys, which is asked
// when a ClientHello has another one inside.
func echKeys(h *gotls.ClientHelloInfo) ([]gotls.EncryptedClientHelloKey, error) {
	c := ownerOf(h)
	outer := h.ServerName
	c.ech = &outer
	return c.session.ech, nil
}

// parseECH reads the private key and its configurations.
func parseECH(b []byte) ([]gotls.EncryptedClientHelloKey, error) {
	var key *ecdh.PrivateKey
	var configs []byte
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		switch block.Type {
		case "PRIVATE KEY":
			any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, errECHKey
			}
			switch k := any.(type) {
			case *ecdh.PrivateKey:
				key = k
			case *ecdsa.PrivateKey:
				key, _ = k.ECDH() // fails for other curves only
			}
			if key == nil {
				return nil, errECHKey
			}
		case "ECHCONFIG":
			configs = block.Bytes
		}
	}
	if key == nil || configs == nil {
		return nil, errECHMissing
	}
	return matchECH(configs, key)
}

// matchECH finds the configurations of a list (ECHConfigList) that are a key's.
func matchECH(list []byte, key *ecdh.PrivateKey) (keys []gotls.EncryptedClientHelloKey, err error) {
	r := reader(list)
	r = r.take(r.uint16())
	for len(r) > 0 {
		whole := r
		version := r.uint16()
		body := r.take(r.uint16())
		if body == nil {
			break
		}
		if version != echVersion {
			continue
		}
		curve, public, ok := parseECHConfig(body)
		if !ok {
			return nil, errECHConfig
		}
		if curve == key.Curve() && bytes.Equal(public, key.PublicKey().Bytes()) {
			keys = append(keys, gotls.EncryptedClientHelloKey{Config: slices.Clone(whole[:4+len(body)]), PrivateKey: key.Bytes()})
		}
	}
	if r == nil || len(keys) == 0 {
		return nil, errECHConfig
	}
	return keys, nil
}

// parseECHConfig reads an ECHConfigContents; ok reports that nothing in it is
// malformed.
func parseECHConfig(r reader) (curve ecdh.Curve, public []byte, ok bool) {
	r.uint8() // the number
	curve = echCurves[r.uint16()]
	public = r.take(r.uint16())
	ciphers := r.take(r.uint16())
	r.uint8() // how long names may be
	name := r.take(r.uint8())
	extensions := r.take(r.uint16())
	if extensions == nil || len(r) != 0 || len(ciphers) == 0 || len(ciphers)%4 != 0 || len(name) == 0 {
		return nil, nil, false
	}
	for len(extensions) > 0 {
		extensions.uint16()
		extensions.take(extensions.uint16())
	}
	return curve, public, extensions != nil
}

// ECHStatus is what came of a hidden ClientHello, in nginx's words (nginx's
// ngx_ssl_get_ech_status), "" where there are no keys for any.
func (c *Conn) ECHStatus() string {
	switch {
	case !c.done || c.session == nil || c.session.ech == nil:
		return ""
	case c.ech == nil:
		return "NOT_TRIED"
	case c.State().ECHAccepted:
		return "SUCCESS"
	}
	// Random bytes in its place, or a configuration that is not known any more.
	return "GREASE"
}

// OuterServerName is the public name in front of a hidden one, "" when none was
// hidden.
func (c *Conn) OuterServerName() string {
	if c.ECHStatus() != "SUCCESS" {
		return ""
	}
	return *c.ech
}
