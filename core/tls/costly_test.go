package tls

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"testing"
	"time"
)

// encryptedKey is a key that was encrypted with PBES2, whose function of the
// password has the parameters given.
func encryptedKey(t *testing.T, kdf asn1.ObjectIdentifier, params any) []byte {
	t.Helper()
	marshal := func(v any) asn1.RawValue {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return asn1.RawValue{FullBytes: der}
	}
	scheme := marshal(struct{ KDF, Cipher pkix.AlgorithmIdentifier }{
		pkix.AlgorithmIdentifier{Algorithm: kdf, Parameters: marshal(params)},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, Parameters: marshal(make([]byte, 16))},
	})
	der := marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, Parameters: scheme}, make([]byte, 32)})
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der.FullBytes})
}

// TestCostlyKeys are keys of strangers that would take all of the memory or
// minutes to decrypt.
func TestCostlyKeys(t *testing.T) {
	type scryptParams struct {
		Salt    []byte
		N, R, P int
	}
	type roundsParams struct {
		Salt   []byte
		Rounds int
	}
	salt := make([]byte, 8)
	for name, text := range map[string][]byte{
		"scrypt, 128 gigabytes": encryptedKey(t, oidScrypt, scryptParams{salt, 1 << 20, 1 << 10, 1}),
		"scrypt, 4 million":     encryptedKey(t, oidScrypt, scryptParams{salt, 2, 8, 1 << 22}),
		"PBKDF2, 2 billion":     encryptedKey(t, oidPBKDF2, roundsParams{salt, 1 << 31}),
	} {
		start := time.Now()
		if _, err := ParseKey(text, []byte("x")); !errors.Is(err, errPKCS8) {
			t.Errorf("%s: got %v", name, err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s: took %s", name, d)
		}
	}
	for name, text := range map[string][]byte{
		"scrypt": encryptedKey(t, oidScrypt, scryptParams{salt, 1 << 14, 8, 1}),
		"PBKDF2": encryptedKey(t, oidPBKDF2, roundsParams{salt, 1 << 17}),
	} {
		block, _ := pem.Decode(text)
		if costly(block.Bytes) {
			t.Errorf("%s: a common key is called costly", name)
		}
	}
}
