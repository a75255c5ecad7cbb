package tls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"github.com/youmark/pkcs8"
)

// Reader reads a file of the configuration.
type Reader func(name string) ([]byte, error)

// dataPrefix marks a certificate or key that is given in place of its file.
const dataPrefix = "data:"

// source reads what a directive names: a file or the text itself.
func source(read Reader, name string) ([]byte, error) {
	if text, ok := strings.CutPrefix(name, dataPrefix); ok {
		return []byte(text), nil
	}
	b, err := read(name)
	if err != nil {
		return nil, openError("BIO_new_file() failed", name, "r", err)
	}
	return b, nil
}

// LoadCertificate reads a certificate and the rest of its chain (nginx's
// ngx_ssl_cache_cert_create).
func LoadCertificate(read Reader, name string) ([]*x509.Certificate, error) {
	b, err := source(read, name)
	if err != nil {
		return nil, err
	}
	return parseCertificates(b, "PEM_read_bio_X509() failed")
}

// LoadAuthorities reads the certificates of a file of trusted authorities
// (nginx's ngx_ssl_cache_ca_create).
func LoadAuthorities(read Reader, name string) ([]*x509.Certificate, error) {
	b, err := read(name)
	if err != nil {
		return nil, openError("BIO_new_file() failed", name, "r", err)
	}
	return parseCertificates(b, "PEM_read_bio_X509_AUX() failed")
}

// parseCertificates reads all certificates of a PEM text, of which there is to
// be one. further is what is said to fail for others than the first.
func parseCertificates(b []byte, further string) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	what := "PEM_read_bio_X509_AUX() failed"
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
		default:
			continue
		}
		der := block.Bytes
		if block.Type == "TRUSTED CERTIFICATE" {
			der = firstElement(der)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, &Error{What: what, Queue: []string{
				"068000A8:asn1 encoding routines::wrong tag",
				"0688010A:asn1 encoding routines::nested asn1 error:Type=X509",
				"0488000D:PEM routines::ASN1 lib",
			}}
		}
		list, what = append(list, c), further
	}
	if len(list) == 0 {
		return nil, &Error{What: what, Queue: []string{"0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE"}}
	}
	return list, nil
}

// firstElement drops what OpenSSL appends to a trusted certificate.
func firstElement(der []byte) []byte {
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(der, &raw); err != nil {
		return der
	}
	return raw.FullBytes
}

// CheckDHParam reads the parameters of ssl_dhparam, of which there is no use,
// for the complaints about them. That they are too weak is none.
func CheckDHParam(read Reader, name string) error {
	b, err := read(name)
	if err != nil {
		return openError(fmt.Sprintf(`BIO_new_file("%s") failed`, name), name, "r", err)
	}
	bad := &Error{What: fmt.Sprintf(`PEM_read_bio_DHparams("%s") failed`, name)}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			bad.Queue = []string{"0480006C:PEM routines::no start line:Expecting: DH PARAMETERS"}
			return bad
		}
		switch block.Type {
		case "DH PARAMETERS", "X9.42 DH PARAMETERS":
			// RFC 3279, section 2.3.3, or PKCS #3: what follows the two is optional.
			var group struct{ P, G *big.Int }
			if _, err := asn1.Unmarshal(firstElement(block.Bytes), &group); err == nil {
				return nil
			}
			bad.Queue = []string{"0688010A:asn1 encoding routines::nested asn1 error:Type=DHparams", "0488000D:PEM routines::ASN1 lib"}
			return bad
		}
	}
}

// LoadKey reads a private key. An encrypted one is tried with each password;
// encrypted reports that it was one.
func LoadKey(read Reader, name string, passwords [][]byte) (key crypto.Signer, encrypted bool, err error) {
	if rest, ok := strings.CutPrefix(name, "engine:"); ok {
		id, _, ok := strings.Cut(rest, ":")
		if !ok {
			return nil, false, &Error{What: "invalid syntax"}
		}
		return nil, false, &Error{What: "ENGINE_by_id() failed", Queue: []string{"13000074:engine routines::no such engine:id=" + id}}
	}
	if uri, ok := strings.CutPrefix(name, "store:"); ok {
		file, ok := strings.CutPrefix(uri, "file:")
		if !ok {
			scheme, _, _ := strings.Cut(uri, ":")
			return nil, false, &Error{What: "OSSL_STORE_open() failed", Queue: []string{
				"16000069:STORE routines::unregistered scheme:scheme=" + scheme}}
		}
		name = strings.TrimPrefix(file, "//")
	}
	b, err := source(read, name)
	if err != nil {
		return nil, false, err
	}
	return parseKey(b, passwords)
}

// errNoKey is the error of a text without a key that can be read.
var errNoKey = &Error{What: "PEM_read_bio_PrivateKey() failed",
	Queue: []string{"1E08010C:DECODER routines::unsupported:No supported data to decode. Input type: PEM"}}

// What it may cost to make a key of a password: the memory of scrypt, in bytes,
// which is OpenSSL's limit, and the rounds of PBKDF2, a matter of seconds.
const (
	maxScryptMemory = 32 << 20
	maxRounds       = 1 << 23
)

var (
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
)

// costly tells an encrypted key (PKCS #8 with PBES2: RFC 8018, A.4) that says
// itself how dear it is to decrypt, and says too much.
func costly(der []byte) bool {
	var info struct {
		Scheme struct {
			ID     asn1.ObjectIdentifier
			Params struct{ KDF, Cipher pkix.AlgorithmIdentifier }
		}
		Data []byte
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return false // the decoder says what is wrong
	}
	kdf := info.Scheme.Params.KDF
	switch params := kdf.Parameters.FullBytes; {
	case kdf.Algorithm.Equal(oidPBKDF2):
		var p struct {
			Salt   asn1.RawValue
			Rounds int
		}
		_, err := asn1.Unmarshal(params, &p)
		return err == nil && p.Rounds > maxRounds
	case kdf.Algorithm.Equal(oidScrypt):
		var p struct {
			Salt    []byte
			N, R, P int
		}
		_, err := asn1.Unmarshal(params, &p)
		return err == nil && p.R > 0 && max(p.N, p.P) > maxScryptMemory/128/p.R
	}
	return false
}

// parseKey reads the first private key of a PEM text.
func parseKey(b []byte, passwords [][]byte) (key crypto.Signer, encrypted bool, err error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, false, errNoKey
		}
		if block.Type != "PRIVATE KEY" && !strings.HasSuffix(block.Type, " PRIVATE KEY") {
			continue
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY":
			if costly(block.Bytes) {
				return nil, true, errPKCS8
			}
			key, err = decrypt(passwords, func(p []byte) (any, error) { return pkcs8.ParsePKCS8PrivateKey(block.Bytes, p) }, errPKCS8)
			return key, true, err
		case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			key, err = decrypt(passwords, func(p []byte) (any, error) { return legacyKey(block, p) }, errLegacy)
			return key, true, err
		}
		any, err := keyFromDER(block.Type, block.Bytes)
		if signer, ok := any.(crypto.Signer); err == nil && ok {
			return signer, false, nil
		}
		return nil, false, errNoKey
	}
}

// legacyKey decrypts a key with the headers of RFC 1421.
func legacyKey(block *pem.Block, password []byte) (any, error) {
	der, err := x509.DecryptPEMBlock(block, password) //lint:ignore SA1019 existing keys are encrypted like this
	if err != nil {
		return nil, err
	}
	return keyFromDER(block.Type, der)
}

func keyFromDER(kind string, der []byte) (any, error) {
	switch kind {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(der)
	}
	return x509.ParsePKCS8PrivateKey(der)
}

// What OpenSSL says of a wrong password.
var (
	errPKCS8 = &Error{What: "PEM_read_bio_PrivateKey() failed", Queue: []string{
		"1C800064:Provider routines::bad decrypt",
		"11800074:PKCS12 routines::pkcs12 cipherfinal error:maybe wrong password"}}
	errLegacy = &Error{What: "PEM_read_bio_PrivateKey() failed", Queue: []string{
		"1C800064:Provider routines::bad decrypt", "04800065:PEM routines::bad decrypt"}}
	errNoPassword = &Error{What: "PEM_read_bio_PrivateKey() failed", Queue: []string{
		"07880109:common libcrypto routines::interrupted or cancelled", "04800068:PEM routines::bad password read"}}
)

// decrypt tries the passwords in turn.
func decrypt(passwords [][]byte, open func(password []byte) (any, error), wrong error) (crypto.Signer, error) {
	if len(passwords) == 0 {
		return nil, errNoPassword
	}
	for _, p := range passwords {
		key, err := open(p)
		if signer, ok := key.(crypto.Signer); err == nil && ok {
			return signer, nil
		}
	}
	return nil, wrong
}

// maxPassword is the size of nginx's buffer for a line of a password file.
const maxPassword = 4096

// ParsePasswords reads the lines of a password file; a file without any stands
// for the empty password. tooLong reports a line of 4096 bytes or more.
func ParsePasswords(b []byte) (list [][]byte, tooLong bool) {
	for line := range bytes.Lines(b) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) >= maxPassword {
			return nil, true
		}
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) > 0 {
			list = append(list, line)
		}
	}
	if len(list) == 0 {
		list = [][]byte{{}}
	}
	return list, false
}

// ParseCertificates reads a certificate and the rest of its chain from PEM.
func ParseCertificates(b []byte) ([]*x509.Certificate, error) {
	return parseCertificates(b, "PEM_read_bio_X509() failed")
}

// ParseKey reads the first private key of a PEM text; password is for one that
// is encrypted.
func ParseKey(b, password []byte) (crypto.Signer, error) {
	var passwords [][]byte
	if password != nil {
		passwords = [][]byte{password}
	}
	key, _, err := parseKey(b, passwords)
	return key, err
}

// ParseKeyDER reads a private key in any of the formats that
// d2i_AutoPrivateKey knows, nil if it is none.
func ParseKeyDER(der []byte) crypto.Signer {
	for _, kind := range []string{"RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY"} {
		if key, err := keyFromDER(kind, der); err == nil {
			if signer, ok := key.(crypto.Signer); ok {
				return signer
			}
		}
	}
	return nil
}

// KeyDER writes a private key in its own format, as i2d_PrivateKey does.
func KeyDER(key crypto.Signer) []byte {
	var der []byte
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return x509.MarshalPKCS1PrivateKey(key)
	case *ecdsa.PrivateKey:
		der, err = x509.MarshalECPrivateKey(key)
	default:
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		return nil
	}
	return der
}
