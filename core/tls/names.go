package tls

import (
	gotls "crypto/tls"
	"fmt"
)

// CurveName is OpenSSL's short name of a group, "0x2a2a" for one that it does
// not know.
func CurveName(id gotls.CurveID) string {
	if name, ok := curveNames[id]; ok {
		return name
	}
	return fmt.Sprintf("0x%04x", uint16(id))
}

var curveNames = map[gotls.CurveID]string{
	1: "sect163k1", 3: "sect163r2", 6: "sect233k1", 7: "sect233r1", 9: "sect283k1", 10: "sect283r1", 11: "sect409k1",
	12: "sect409r1", 13: "sect571k1", 14: "sect571r1", 18: "secp192k1", 19: "prime192v1", 21: "secp224r1", 22: "secp256k1",
	23: "prime256v1", 24: "secp384r1", 25: "secp521r1", 26: "brainpoolP256r1", 27: "brainpoolP384r1", 28: "brainpoolP512r1",
	29: "X25519", 30: "X448", 256: "ffdhe2048", 257: "ffdhe3072", 258: "ffdhe4096", 259: "ffdhe6144", 260: "ffdhe8192",
	512: "MLKEM512", 513: "MLKEM768", 514: "MLKEM1024",
	4587: "SecP256r1MLKEM768", 4588: "X25519MLKEM768", 4589: "SecP384r1MLKEM1024",
}
