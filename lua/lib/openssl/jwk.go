package openssl

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// jwk is a JSON web key (RFC 7517, RFC 8037). Its numbers are base64url.
type jwk struct {
	Type  string `json:"kty"`
	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	D     string `json:"d,omitempty"`
	P     string `json:"p,omitempty"`
	Q     string `json:"q,omitempty"`
	DP    string `json:"dp,omitempty"`
	DQ    string `json:"dq,omitempty"`
	QI    string `json:"qi,omitempty"`
	ID    string `json:"kid,omitempty"`
}

// bytes decodes a parameter; a missing one is empty.
func (*jwk) bytes(name, value string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "="))
	if err != nil {
		return nil, fmt.Errorf(`cannot decode parameter "%s" from base64 %s`, name, value)
	}
	return b, nil
}

// number decodes a parameter; a missing one is nil.
func (j *jwk) number(name, value string) (*big.Int, error) {
	if value == "" {
		return nil, nil
	}
	b, err := j.bytes(name, value)
	return new(big.Int).SetBytes(b), err
}

// loadJWK reads a key.
func loadJWK(text []byte) (*key, error) {
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, fmt.Errorf("jwk:load_jwk: error decoding JSON from JWK: %w", err)
	}
	switch j.Type {
	case "RSA":
		return j.rsa()
	case "EC":
		return j.ec()
	case "OKP":
		return j.okp()
	}
	return nil, fmt.Errorf("not yet supported jwk type %q", j.Type)
}

func (j *jwk) rsa() (*key, error) {
	if j.N == "" || j.E == "" {
		return nil, errors.New(`failed to construct RSA key from JWK: at least "n" and "e" parameter is required`)
	}
	n, errN := j.number("n", j.N)
	e, errE := j.number("e", j.E)
	d, errD := j.number("d", j.D)
	p, errP := j.number("p", j.P)
	q, errQ := j.number("q", j.Q)
	if err := errors.Join(errN, errE, errD, errP, errQ); err != nil {
		return nil, fmt.Errorf("failed to construct RSA key from JWK: %w", err)
	}
	return rsaKey(n, e, d, p, q)
}

func (j *jwk) ec() (*key, error) {
	curve := curveBy(0, j.Curve)
	switch {
	case j.Curve == "":
		return nil, errors.New(`failed to construct EC key from JWK: "crv" not defined for EC key`)
	case curve == nil:
		return nil, fmt.Errorf(`failed to construct EC key from JWK: curve "%s" is not supported by this library`, j.Curve)
	case j.X == "" || j.Y == "":
		return nil, errors.New(`failed to construct EC key from JWK: at least "x" and "y" parameter is required`)
	}
	x, errX := j.number("x", j.X)
	y, errY := j.number("y", j.Y)
	d, errD := j.number("d", j.D)
	if err := errors.Join(errX, errY, errD); err != nil {
		return nil, fmt.Errorf("failed to construct EC key from JWK: %w", err)
	}
	point, err := ecPoint(curve, x, y)
	if err != nil {
		return nil, fmt.Errorf("failed to construct EC key from JWK: %w", err)
	}
	return ecKey(curve, d, point)
}

func (j *jwk) okp() (*key, error) {
	switch {
	case j.Curve != kindEd25519 && j.Curve != kindX25519:
		return nil, fmt.Errorf(`failed to construct OKP key from JWK: unknown curve "%s"`, j.Curve)
	case j.X == "" && j.D == "":
		return nil, errors.New(`failed to construct OKP key from JWK: at least "x" or "d" parameter is required`)
	}
	x, errX := j.bytes("x", j.X)
	d, errD := j.bytes("d", j.D)
	if err := errors.Join(errX, errD); err != nil {
		return nil, fmt.Errorf("failed to construct OKP key from JWK: %w", err)
	}
	return rawKey(j.Curve, string(d), string(x))
}

// jwk writes a key.
func (k *key) jwk(private bool) ([]byte, error) {
	if private && k.private == nil {
		return nil, errors.New("jwk.dump_jwk: could not dump public key as private key")
	}
	text := base64.RawURLEncoding.EncodeToString
	var j jwk
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		j = jwk{Type: "RSA", N: text(public.N.Bytes()), E: text(big.NewInt(int64(public.E)).Bytes())}
		if p, ok := k.private.(*rsa.PrivateKey); ok && private && len(p.Primes) == 2 {
			j.D, j.P, j.Q = text(p.D.Bytes()), text(p.Primes[0].Bytes()), text(p.Primes[1].Bytes())
			j.DP, j.DQ, j.QI = text(p.Precomputed.Dp.Bytes()), text(p.Precomputed.Dq.Bytes()), text(p.Precomputed.Qinv.Bytes())
		}
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			return nil, err
		}
		half := (len(point) + 1) / 2
		j = jwk{Type: "EC", Curve: public.Params().Name, X: text(point[1:half]), Y: text(point[half:])}
	case ed25519.PublicKey:
		j = jwk{Type: "OKP", Curve: kindEd25519, X: text(public)}
	case *ecdh.PublicKey:
		j = jwk{Type: "OKP", Curve: kindX25519, X: text(public.Bytes())}
	}
	if private && j.Type != "RSA" {
		raw, err := k.rawPrivate()
		if err != nil {
			return nil, err
		}
		j.D = text(raw)
	}
	der, err := k.der(private)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	j.ID = text(sum[:])
	return json.Marshal(j)
}

// rawPrivate is the private part of a key that is no more than one number.
func (k *key) rawPrivate() ([]byte, error) {
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		return private.Bytes()
	case ed25519.PrivateKey:
		return private.Seed(), nil
	case *ecdh.PrivateKey:
		return private.Bytes(), nil
	}
	return nil, errUnsupported
}

// rawPublic is the public part of a key of Ed25519 or X25519.
func (k *key) rawPublic() []byte {
	switch public := k.public.(type) {
	case ed25519.PublicKey:
		return public
	case *ecdh.PublicKey:
		return public.Bytes()
	}
	return nil
}
