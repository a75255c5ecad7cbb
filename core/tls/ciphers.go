package tls

import (
	gotls "crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// suite is a row of the table of ciphers.
type suite struct {
	id    uint16
	name  string
	tls13 bool
	plain bool     // without encryption, and so not in ALL
	known bool     // crypto/tls has it
	bits  int      // of the key
	tags  []string // what keywords of cipher strings it answers to
}

// cipherList is the table; byID finds the names for variables.
var cipherList = sync.OnceValue(parseCipherTable)

var cipherNames = sync.OnceValue(func() map[uint16]string {
	m := map[uint16]string{0x00ff: "TLS_EMPTY_RENEGOTIATION_INFO_SCSV", 0x5600: "TLS_FALLBACK_SCSV"}
	for _, c := range cipherList() {
		m[c.id] = c.name
	}
	return m
})

func parseCipherTable() []suite {
	known := make(map[uint16]bool)
	for _, list := range [][]*gotls.CipherSuite{gotls.CipherSuites(), gotls.InsecureCipherSuites()} {
		for _, s := range list {
			known[s.ID] = true
		}
	}
	var list []suite
	for line := range strings.Lines(cipherTable) {
		f := strings.Fields(line)
		if len(f) != 8 {
			continue
		}
		id, _ := strconv.ParseUint(f[0], 16, 16)
		c := suite{id: uint16(id), name: f[1], tls13: f[2] == "TLSv1.3", known: known[uint16(id)]}
		kx, auth, enc, bits := f[3], f[4], f[5], f[6]
		c.plain = enc == "eNULL"
		c.bits, _ = strconv.Atoi(bits)
		c.tags = append(f[2:6:6], f[7])
		c.tags = append(c.tags, derivedTags(kx, auth, enc, bits)...)
		list = append(list, c)
	}
	return list
}

// derivedTags are the further keywords that follow from the columns of a row.
func derivedTags(kx, auth, enc, bits string) (tags []string) {
	switch enc {
	case "AESGCM", "AESCCM", "AESCCM8":
		tags = append(tags, "AES", "AES"+bits)
		if enc == "AESCCM8" {
			tags = append(tags, "AESCCM")
		}
	case "ARIAGCM":
		tags = append(tags, "ARIA", "ARIA"+bits)
	case "AES", "CAMELLIA":
		tags = append(tags, enc+bits)
	}
	switch enc {
	case "eNULL":
		tags = append(tags, "NULL")
	case "SEED", "IDEA", "RC4", "3DES":
		tags = append(tags, "MEDIUM")
	default:
		tags = append(tags, "HIGH")
	}
	if strings.HasSuffix(kx, "PSK") {
		tags = append(tags, "PSK")
	}
	switch {
	case kx == "kSRP":
		tags = append(tags, "SRP")
	case kx == "kECDHE" && auth == "aNULL":
		tags = append(tags, "AECDH")
	case kx == "kECDHE":
		tags = append(tags, "ECDHE", "EECDH")
	case kx == "kDHE" && auth == "aNULL":
		tags = append(tags, "ADH")
	case kx == "kDHE":
		tags = append(tags, "DHE", "EDH")
	}
	return tags
}

// cipherAliases are the keywords that are other names of tags.
var cipherAliases = map[string]string{
	"RSA": "kRSA", "kEDH": "kDHE", "DH": "kDHE", "kEECDH": "kECDHE", "ECDH": "kECDHE",
	"ECDSA": "aECDSA", "DSS": "aDSS", "SHA": "SHA1", "TLSv1": "TLSv1", "TLSv1.0": "TLSv1",
	"COMPLEMENTOFALL": "eNULL", "COMPLEMENTOFDEFAULT": "aNULL",
}

// CipherSet is what a cipher string chooses.
type CipherSet struct {
	// IDs are the ciphers that crypto/tls has, those of TLSv1.3 left out, in the
	// order of the string.
	IDs []uint16
	// Missing names the ciphers that the string asks for one by one and
	// crypto/tls has not.
	Missing []string
}

// errNoCipher is the error of a string that chooses nothing.
func errNoCipher(s string) error {
	return &Error{What: fmt.Sprintf(`SSL_CTX_set_cipher_list("%s") failed`, s), Queue: []string{"0A0000B9:SSL routines::no cipher match"}}
}

// ParseCiphers reads a cipher string of OpenSSL (ssl_create_cipher_list,
// openssl-ciphers(1)): names and keywords between colons, commas or blanks;
// "+" within a word means both, before it to move to the end, "-" to remove,
// "!" to remove for good; @STRENGTH orders by key size. What is not known is
// passed over. The error says that nothing is left.
func ParseCiphers(s string) (CipherSet, error) {
	p := cipherParser{dead: make(map[uint16]bool)}
	for i, word := range strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune(":,; ", c) }) {
		if i == 0 && strings.HasPrefix(word, "DEFAULT") {
			p.word("ALL")
			p.word("!COMPLEMENTOFDEFAULT")
			p.word("!eNULL")
			continue
		}
		p.word(word)
	}
	set := CipherSet{Missing: p.missing}
	if len(p.chosen) == 0 {
		return set, errNoCipher(s)
	}
	for _, c := range p.chosen {
		if c.known {
			set.IDs = append(set.IDs, c.id)
		}
	}
	return set, nil
}

type cipherParser struct {
	chosen  []*suite
	dead    map[uint16]bool
	missing []string
}

// word applies one element of a cipher string.
func (p *cipherParser) word(w string) {
	op := byte(0)
	if strings.ContainsRune("!-+@", rune(w[0])) {
		op, w = w[0], w[1:]
	}
	if op == '@' {
		if w == "STRENGTH" {
			slices.SortStableFunc(p.chosen, func(a, b *suite) int { return b.bits - a.bits })
		}
		return
	}
	if w == "" {
		return
	}
	list := matching(w)
	switch op {
	case '!':
		for _, c := range list {
			p.dead[c.id] = true
		}
		p.remove(list)
	case '-':
		p.remove(list)
	case '+':
		var kept []*suite
		for _, c := range list {
			if slices.Contains(p.chosen, c) {
				kept = append(kept, c)
			}
		}
		p.remove(kept)
		p.chosen = append(p.chosen, kept...)
	default:
		p.add(w, list)
	}
}

func (p *cipherParser) add(word string, list []*suite) {
	for _, c := range list {
		if p.dead[c.id] || slices.Contains(p.chosen, c) {
			continue
		}
		p.chosen = append(p.chosen, c)
		if c.name == word && !c.known {
			p.missing = append(p.missing, word)
		}
	}
}

func (p *cipherParser) remove(list []*suite) {
	p.chosen = slices.DeleteFunc(p.chosen, func(c *suite) bool { return slices.Contains(list, c) })
}

// matching lists the ciphers of a name, or of keywords joined by "+".
func matching(word string) (list []*suite) {
	all := cipherList()
	for i := range all {
		c := &all[i]
		if c.tls13 {
			continue // chosen apart, in TLSv1.3
		}
		if c.name == word {
			return []*suite{c}
		}
		if c.matches(word) {
			list = append(list, c)
		}
	}
	return list
}

func (c *suite) matches(word string) bool {
	for word != "" {
		var key string
		key, word, _ = strings.Cut(word, "+")
		if key == "ALL" {
			if c.plain {
				return false
			}
			continue
		}
		if alias, ok := cipherAliases[key]; ok {
			key = alias
		}
		if !slices.Contains(c.tags, key) {
			return false
		}
	}
	return true
}

// CipherName is OpenSSL's name of a cipher, "0xc0de" for one that it does not
// know.
func CipherName(id uint16) string {
	if name, ok := cipherNames()[id]; ok {
		return name
	}
	return fmt.Sprintf("0x%04x", id)
}
